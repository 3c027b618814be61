package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/status/logs"
)

// Source is what the pages show. The answers must not change after they are returned.
type Source interface {
	// Status returns identity, clock, lines, integrations, store and problems.
	Status() api.Status
	// Objects returns the latest value of each object.
	Objects() api.Objects
	// History returns what an object was in the last span, or as far back as is kept; false when it is not polled.
	History(line string, unit int, object string, span time.Duration) (api.History, bool)
	// Triggers returns the rows that match, the newest first.
	Triggers(q api.TriggerQuery) (api.Triggers, error)
	// Trigger returns one row with all that is known of it; an *api.Error with status 404 when it is not kept.
	Trigger(id uint64) (api.TriggerDetail, error)
	// PublishTrigger publishes the sample of a row again and returns when the cloud has answered.
	PublishTrigger(ctx context.Context, id uint64) (api.Replay, error)
}

// Options are what a site is made of. Source is needed.
type Options struct {
	Source       Source
	Integrations Integrations // nil: they are shown as the status has them, and cannot be changed
	SetAside     SetAside     // messages that clouds have rejected; nil: they are counted only
	Gaps         Gaps         // nil: they cannot be acknowledged
	Logs         *logs.Ring   // the last lines of the log; nil: there are none
	Keeper       Keeper       // says who may change things; nil: no one may, and there is no login
	// Families returns a family by its slug, as of the catalogue in force. nil: objects are shown without a meaning.
	Families func(slug string) (*objects.Family, bool)
	// Doctor looks at the gateway; nil: there is no such page.
	Doctor func(ctx context.Context) api.Diagnosis
	// LineFaults lists the last failed exchanges of all lines, the newest first. nil: they are not shown.
	LineFaults func() api.LineFaults

	Name string           // of the gateway, at the top of each page; "": "NOI agent"
	Zone *time.Location   // of times where no script puts them into the reader's; nil: time.Local
	Now  func() time.Time // wall time; nil: time.Now
}

// Page is one address of the site.
type Page struct {
	Method, Path string           // as http.ServeMux takes them
	Handler      http.HandlerFunc // of another method than GET: called for those only who may change things

	// Locked answers a form of one who may not, instead of Handler: the same form again, with all that was typed and a
	// field named SecretField. why is 401, or 429 after too many wrong tries. nil: the plain answer.
	Locked func(w http.ResponseWriter, r *http.Request, why *api.Error)
	// Scans is set for a page that may read many rows of the trigger log: few of them are made at once.
	Scans bool
	// Open is set for what is there without a login even where reading needs one: the login page and the assets. A form
	// that is Open checks itself who sends it.
	Open bool
}

// Site makes all pages. It may be used by all requests at once.
type Site struct {
	o      Options
	assets assets
	days   days
	paces  paces
}

// New returns the site. It panics without a Source.
func New(o Options) *Site {
	if o.Source == nil {
		panic("web: Source must be set")
	}
	if o.Name == "" {
		o.Name = "NOI agent"
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Site{o: o, assets: loadAssets()}
}

// Pages lists all addresses of the site.
func (s *Site) Pages() []Page {
	list := []Page{
		{Method: "GET", Path: "/{$}", Handler: s.overview},
		{Method: "GET", Path: "/values", Handler: s.values},
		{Method: "GET", Path: "/values/{line}/{unit}/{object}", Handler: s.object},
		{Method: "GET", Path: "/values/{line}/{unit}/{object}/csv", Handler: s.csv},
		{Method: "GET", Path: "/integrations/aws", Handler: s.integrations("aws")},
		{Method: "GET", Path: "/integrations/gcp", Handler: s.integrations("gcp")},
		{Method: "GET", Path: "/triggers", Handler: s.triggers, Scans: true},
		{Method: "GET", Path: "/system", Handler: s.system},
		{Method: "GET", Path: "/system/logs", Handler: s.logs},
		{Method: "GET", Path: "/system/licences", Handler: s.licences},
	}
	if s.o.Doctor != nil {
		list = append(list, Page{Method: "GET", Path: "/system/doctor", Handler: s.doctor})
	}
	list = append(append(list, triggerPages{s}.pages()...), setAsidePages{s}.pages()...)
	list = append(list, gapPages{s}.pages()...)
	list = append(append(list, s.integrationPages()...), loginPages{s}.pages()...)
	for i := range s.assets {
		list = append(list, Page{Method: "GET", Path: s.assets[i].path, Handler: s.assets[i].serve, Open: true})
	}
	return list
}

// The content types of the site.
const (
	typeHTML = "text/html; charset=utf-8"
	typeCSS  = "text/css; charset=utf-8"
	typeJS   = "text/javascript; charset=utf-8"
	typeSVG  = "image/svg+xml"
)

// takesLong is for an answer that waits for a cloud: what it waits for has limits of its own.
func takesLong(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
}

// send writes an answer that is complete. A client that went away is its own business.
func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
