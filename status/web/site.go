// Package web makes the pages of the local endpoint: what a technician with a phone or a laptop sees.
//
// Pages are made on the gateway from templates. They need no JavaScript and nothing from elsewhere. They read the same
// shapes as the API (package api); what cannot be read is named on the page, and the rest is shown. Package status
// serves the pages, and guards them.
package web

import (
	"net/http"
	"strconv"
	"time"

	"noi-agent/status/api"
)

// Source is what the pages show. The answers must not change after they are returned.
type Source interface {
	// Status returns identity, clock, lines, integrations, store and problems.
	Status() api.Status
	// Objects returns the latest value of each object.
	Objects() api.Objects
	// Triggers returns the rows that match, the newest first.
	Triggers(q api.TriggerQuery) (api.Triggers, error)
}

// Page is one address of the site.
type Page struct {
	Method, Path string           // as http.ServeMux takes them
	Handler      http.HandlerFunc // of another method than GET: called for those only who may change things

	// Locked answers a form of one who may not, instead of Handler: the same form again, with all that was typed and a
	// field named SecretField. why is 401, or 429 after too many wrong tries. nil: the plain answer.
	Locked func(w http.ResponseWriter, r *http.Request, why *api.Error)
	// Open is set for what is there without a login even where reading needs one: the login page and the assets. A form
	// that is Open checks itself who sends it.
	Open bool
}

// Site makes all pages. It may be used by all requests at once.
type Site struct {
	source Source
	keeper Keeper
	page   *page
}

// New returns the site. Times on it are in the zone.
func New(source Source, keeper Keeper, zone *time.Location) *Site {
	return &Site{source, keeper, newPage(zone)}
}

// Pages lists all addresses of the site.
func (s *Site) Pages() []Page {
	return []Page{
		{Method: "GET", Path: "/{$}", Handler: s.servePage},
		{Method: "GET", Path: "/style.css", Handler: s.serveStyle, Open: true},
	}
}

// pageRows is how many rows of the trigger log a page has.
const pageRows = 50

// The content types of the site.
const (
	typeText = "text/plain; charset=utf-8"
	typeHTML = "text/html; charset=utf-8"
	typeCSS  = "text/css; charset=utf-8"
)

// send writes an answer that is complete. A client that went away is its own business.
func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
