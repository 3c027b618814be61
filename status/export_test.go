package status

import (
	"net/http"
	"strings"
	"time"
)

// SetLimits makes the limits small enough to run into them.
func (s *Server) SetLimits(connections int, write, grace time.Duration) {
	s.limits.connections, s.limits.write, s.limits.grace = connections, write, grace
}

// SetHeaderLimit bounds the reading of a question.
func (s *Server) SetHeaderLimit(d time.Duration) { s.limits.header = d }

// SetLineLimit bounds the wait for a line.
func (s *Server) SetLineLimit(d time.Duration) { s.limits.line = d }

// Bounded reports whether every limit that keeps a client from holding the server is set.
func (s *Server) Bounded() bool {
	l := s.limits
	return l.header > 0 && l.write > 0 && l.line > 0 && l.idle > 0 && l.grace > 0 && l.headerBytes > 0 && l.connections > 0
}

// Watch has every answer pass through a handler of the test.
func (s *Server) Watch(watch func(http.Handler) http.Handler) { s.watch = watch }

// APIRoutes are all routes of the API, "GET /api/v1/status".
func (s *Server) APIRoutes() (list []string) {
	for _, r := range s.routes() {
		if strings.HasPrefix(r.path, "/api/") {
			list = append(list, r.method+" "+r.path)
		}
	}
	return list
}
