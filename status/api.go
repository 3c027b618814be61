package status

import (
	"net/http"

	"noi-agent/status/api"
)

func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request) {
	sendCheaply(w, r, s.o.Reporter.Status())
}

func (s *Server) serveObjects(w http.ResponseWriter, r *http.Request) {
	sendCheaply(w, r, s.o.Reporter.Objects())
}

func (s *Server) serveLineFaults(w http.ResponseWriter, r *http.Request) {
	sendJSON(w, r, s.o.LineFaults())
}

// health answers a health check in one line.
func health(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			send(w, http.StatusServiceUnavailable, typeText, []byte(err.Error()+"\n"))
			return
		}
		send(w, http.StatusOK, typeText, []byte("ok\n"))
	}
}

// serveOpenAPI answers with the description of the API.
func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	send(w, http.StatusOK, "application/yaml", []byte(api.OpenAPI()))
}
