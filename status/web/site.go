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

// Source has the data that the pages show. An answer must not change after it is returned.
type Source interface {
	// Status returns identity, clock, lines, integrations, store and problems.
	Status() api.Status
	// Objects returns the latest value of each object.
	Objects() api.Objects
	// History returns the values of an object in the last span, or as far back as they are kept; false if the object is
	// not polled.
	History(line string, unit int, object string, span time.Duration) (api.History, bool)
	// Triggers returns the rows that match, the newest first.
	Triggers(q api.TriggerQuery) (api.Triggers, error)
	// Trigger returns one row with all its details; an *api.Error with status 404 if it is not kept.
	Trigger(id uint64) (api.TriggerDetail, error)
	// PublishTrigger publishes the sample of a row again and returns when the cloud has answered.
	PublishTrigger(ctx context.Context, id uint64) (api.Replay, error)
}

// Options has the parts of a site. Source must be set.
type Options struct {
	Source       Source
	Integrations Integrations // nil: integrations are shown from the status, and cannot be changed
	SetAside     SetAside     // messages that clouds have rejected; nil: only their number is shown
	Gaps         Gaps         // nil: gaps cannot be acknowledged
	Logs         *logs.Ring   // the last lines of the log; nil: there are none
	Keeper       Keeper       // decides which clients may change things; nil: there is no login
	// Families returns a family by its slug, from the catalogue that the agent uses. nil: objects are shown without
	// their meaning.
	Families func(slug string) (*objects.Family, bool)
	// Doctor checks the gateway; nil: there is no page of diagnostics.
	Doctor func(ctx context.Context) api.Diagnosis
	// LineFaults lists the last failed exchanges of all lines, the newest first; nil: they are not shown.
	LineFaults func() api.LineFaults

	Name string           // name of the gateway, at the top of each page; "": "NOI agent"
	Zone *time.Location   // zone of the times in a browser without scripts, and of typed times; nil: time.Local
	Now  func() time.Time // wall time; nil: time.Now
}

// Page is one address of the site.
type Page struct {
	Method, Path string           // as http.ServeMux takes them
	Handler      http.HandlerFunc // with another method than GET it is called only for clients that may change things

	// Locked answers a form of a client that may not change things, instead of Handler. It shows the same form again,
	// with everything that was typed and a field named SecretField. The status of why is 401, or 429 after too many
	// wrong tries. nil: the client gets the error as for a page without a form.
	Locked func(w http.ResponseWriter, r *http.Request, why *api.Error)
	// Scans is set for a page that may read many rows of the trigger log. Only a few such pages are made at once.
	Scans bool
	// Open is set for a page that needs no login even if reading needs one: the login page, and the assets. The handler
	// of an Open form must check its sender itself.
	Open bool
}

// Site makes all pages. Its methods and handlers may be called from any goroutine.
type Site struct {
	o      Options
	assets assets
	days   days
	paces  paces
}

// New returns a site. It panics without a Source.
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

// takesLong removes the time limit for an answer that waits for a cloud. The requests to the cloud have their own
// limits.
func takesLong(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
}

// send writes a complete answer. An error of the write is ignored, because the client has gone.
func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
