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

func (s *Server) serveTriggers(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.RawQuery, triggerParameters)
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	rows, err := s.o.TriggerLog.Triggers(q)
	if err != nil {
		fail(w, r, http.StatusInternalServerError, "read the trigger log: "+err.Error())
		return
	}
	sendCheaply(w, r, rows)
}

// health answers a supervisor's or a script's question in one line.
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
