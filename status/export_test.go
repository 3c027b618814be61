package status

import (
	"net/http"
	"strings"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/events"
)

// SetLimits makes the limits small, so that a test can reach them.
func (s *Server) SetLimits(connections int, write, grace time.Duration) {
	s.limits.connections, s.limits.write, s.limits.grace = connections, write, grace
}

// SetHeaderLimit limits the time to read a request.
func (s *Server) SetHeaderLimit(d time.Duration) { s.limits.header = d }

// SetConnectionLimits limits the time to read a request, and the time between two requests.
func (s *Server) SetConnectionLimits(header, idle time.Duration) {
	s.limits.header, s.limits.idle = header, idle
}

// SetLineLimit limits the wait for a line.
func (s *Server) SetLineLimit(d time.Duration) { s.limits.line = d }

// SetStreamLimits sets three times of a stream: the limit for writing an event, the longest time without an event,
// and the time after which a connection without answers is closed.
func (s *Server) SetStreamLimits(event, pause, abandoned time.Duration) {
	s.limits.event, s.limits.pause, s.limits.abandoned = event, pause, abandoned
}

// Bounded reports whether every limit is set that a client could otherwise block the server with.
func (s *Server) Bounded() bool {
	l := s.limits
	return l.header > 0 && l.write > 0 && l.line > 0 && l.event > 0 && l.pause > 0 && l.abandoned > 0 && l.idle > 0 && l.grace > 0 && l.headerBytes > 0 && l.connections > 0
}

// Tap passes every answer through a handler of the test.
func (s *Server) Tap(tap func(http.Handler) http.Handler) { s.tap = tap }

// APIRoutes returns all routes of the API, in the form "GET /api/v1/status".
func (s *Server) APIRoutes() (list []string) {
	for _, r := range s.routes() {
		if strings.HasPrefix(r.path, "/api/") {
			list = append(list, r.method+" "+r.path)
		}
	}
	return list
}

// Watched reports whether a client watches events.
func (s *Server) Watched() bool { return s.watch.hub.Watched() != 0 }

// PublishLog sends an event to the clients that watch the log.
func (s *Server) PublishLog(data []byte) { s.watch.hub.Publish(events.Logs, api.EventLog, data) }

// AllRoutes returns all routes, including those of pages.
func (s *Server) AllRoutes() (list []string) {
	for _, r := range s.routes() {
		list = append(list, r.method+" "+r.path)
	}
	return list
}

// Bare returns the endpoint without guard and door.
func (s *Server) Bare() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.HandleFunc(r.method+" "+r.path, r.handler)
	}
	return mux
}

// ParseTriggerQuery reads the query of GET /api/v1/triggers.
func ParseTriggerQuery(raw string, now time.Time) (api.TriggerQuery, error) {
	return parseQuery(raw, triggerParameters(), now)
}

// Stream opens an event stream without a connection. close ends the stream, and the reading of the agent's state.
func Stream(o *Options) (arriving <-chan events.Event, leave, close func(), err error) {
	w := newWatch(o)
	watcher, err := w.join(events.All, "")
	if err != nil {
		return nil, nil, nil, err
	}
	return watcher.Events(), watcher.Leave, w.close, nil
}
