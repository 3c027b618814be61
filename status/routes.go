package status

import (
	"net/http"
	"strings"

	"noi-agent/status/web"
)

// access decides which clients may use a route.
type access int

const (
	reads      access = iota // every client, while TCP is on loopback only; else clients that may change things
	changes                  // the socket's owner and group, and clients with the admin token or a session
	socketOnly               // the socket's owner and group
	anyone                   // every client that reaches the endpoint
)

// route is one address of the endpoint. The table of routes is the only list of them.
type route struct {
	method  string // GET serves HEAD too
	path    string // pattern of http.ServeMux, without method
	access  access
	handler http.HandlerFunc
	instead string // of changes: the command that does the same on the gateway
}

// routes lists all addresses. Parts that Options leave out have none.
func (s *Server) routes() []route {
	list := []route{
		{"GET", "/api/v1/status", reads, withoutQuery(s.serveStatus), ""},
		{"GET", "/api/v1/objects", reads, withoutQuery(s.serveObjects), ""},
		{"GET", "/api/v1/triggers", reads, s.scarcely(s.serveTriggers), ""},
		{"GET", "/api/v1/triggers.csv", reads, s.scarcely(s.serveTriggersCSV), ""},
		{"GET", "/api/v1/triggers.jsonl", reads, s.scarcely(s.serveTriggersJSONL), ""},
		{"GET", "/api/v1/triggers/{id}", reads, s.serveTrigger, ""},
		{"POST", "/api/v1/triggers/{id}/publish", changes, s.publishTrigger, "noi-agent triggers publish"},
		{"GET", "/api/v1/objects/{line}/{unit}/{object}/history", reads, s.serveHistory, ""},
		{"GET", "/api/v1/events", reads, s.serveEvents, ""},
		{"GET", "/api/v1/logs", reads, s.serveLogs, ""},
		{"GET", "/api/v1/openapi.yaml", anyone, withoutQuery(serveOpenAPI), ""},
		{"GET", "/api/v1/bundle", reads, s.scarcely(s.serveBundle), ""},
		{"GET", "/healthz", reads, health(s.o.Health.Healthy), ""},
		{"GET", "/readyz", reads, health(s.o.Health.Ready), ""},
	}
	list = append(list, s.door.routes()...)
	for _, p := range s.site.Pages() {
		handler := p.Handler
		if p.Scans {
			handler = s.scarcely(handler)
		}
		list = append(list, route{p.Method, p.Path, pageAccess(p), handler, ""})
	}
	if s.o.Metrics != nil {
		list = append(list, route{"GET", "/metrics", reads, s.o.Metrics.ServeHTTP, ""})
	}
	if s.o.Doctor != nil {
		list = append(list, route{"GET", "/api/v1/doctor", reads, withoutQuery(s.serveDoctor), ""})
	}
	if s.o.LineFaults != nil {
		list = append(list, route{"GET", "/api/v1/lines/faults", reads, withoutQuery(s.serveLineFaults), ""})
	}
	if s.o.Exporter != nil {
		list = append(list, route{"GET", "/api/v1/export", reads, s.scarcely(s.serveExport), ""})
	}
	if s.o.Replayer != nil {
		list = append(list, route{"POST", "/api/v1/replay", changes, s.serveReplay, "noi-agent replay"})
	}
	if s.o.DeadLetters != nil {
		list = append(list,
			route{"GET", "/api/v1/deadletters", reads, s.serveDeadLetters, ""},
			route{"POST", "/api/v1/deadletters/retry", changes, s.retryDeadLetters, "noi-agent deadletters"},
			route{"POST", "/api/v1/deadletters/drop", changes, s.dropDeadLetters, "noi-agent deadletters"})
	}
	if s.o.Gaps != nil {
		list = append(list,
			route{"POST", "/api/v1/gaps/acknowledge", changes, s.acknowledgeGaps, "noi-agent gaps ack"})
	}
	if s.o.Control != nil {
		list = append(list,
			route{"POST", "/api/v1/reload", changes, s.reload, "noi-agent reload"},
			route{"POST", "/api/v1/try", changes, s.try, "noi-agent publish-test"})
	}
	if s.o.Integrations != nil {
		list = append(list, integrationHandlers{s.o.Integrations}.routes()...)
	}
	if s.o.Reader != nil {
		list = append(list,
			route{"POST", "/api/v1/read", changes, s.serveRead, "noi-agent read"},
			route{"POST", "/api/v1/probe", changes, s.serveProbe, "noi-agent scan"})
	}
	return list
}

// pageAccess returns the access of a page: a form that changes something needs the same as the API.
func pageAccess(p web.Page) access {
	switch {
	case p.Open:
		return anyone
	case p.Method == http.MethodGet:
		return reads
	default:
		return changes
	}
}

// handler returns the routes behind the guard.
func (s *Server) handler() http.Handler {
	mux, paths, methods := http.NewServeMux(), http.NewServeMux(), map[string][]string{}
	for _, r := range s.routes() {
		mux.HandleFunc(r.method+" "+r.path, s.admit(r))
		if methods[r.path] == nil {
			paths.Handle(r.path, http.NotFoundHandler())
		}
		methods[r.path] = append(methods[r.path], r.method)
		if r.method == http.MethodGet {
			methods[r.path] = append(methods[r.path], http.MethodHead)
		}
	}
	// Requests without a route: another method is 405, another path 404. The mux would answer both as text.
	missing := s.admit(route{"GET", "/", reads, s.site.Missing, ""})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, path := paths.Handler(r); methods[path] != nil {
			refuseMethod(w, r, strings.Join(methods[path], ", "))
			return
		}
		if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") && !isAPI(r) {
			missing(w, r)
			return
		}
		fail(w, r, http.StatusNotFound, "nothing is at "+r.URL.Path)
	})
	if s.tap != nil {
		return s.tap(s.guard(mux))
	}
	return s.guard(mux)
}

// refuseMethod answers a method that a path does not have.
func refuseMethod(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	fail(w, r, http.StatusMethodNotAllowed, "method "+r.Method+" is not allowed here: use "+allowed)
}
