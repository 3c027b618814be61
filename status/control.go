package status

import (
	"context"
	"net/http"
	"time"
)

// Control has the actions of an operator, besides replays and dead letters.
type Control interface {
	// Reload puts the configuration file in force, and returns when this is done. The error says why it is not in
	// force.
	Reload(ctx context.Context) error
	// TryNow has an integration, named by id or name, try again at once if it waits after a failure. An *api.Error says
	// which status its failure has; others are 409.
	TryNow(integration string) error
}

// tryRequest is the body of POST /api/v1/try.
type tryRequest struct {
	Integration string `json:"integration"`
}

// reload has the configuration file put in force, and answers when it is.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	// A line that has to be closed takes as long as its exchange under way.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if err := s.o.Control.Reload(r.Context()); err != nil {
		fail(w, r, http.StatusUnprocessableEntity, err.Error())
		return
	}
	sendJSON(w, r, map[string]bool{"reloaded": true})
}

// try has an integration try again at once.
func (s *Server) try(w http.ResponseWriter, r *http.Request) {
	var q tryRequest
	if err := decodeStrictly(http.MaxBytesReader(w, r.Body, mostReadBody), &q, `{"integration":"ID"}`); err != nil {
		fail(w, r, bodyStatus(err), err.Error())
		return
	}
	if err := s.o.Control.TryNow(q.Integration); err != nil {
		failOr(w, r, err, http.StatusConflict)
		return
	}
	sendJSON(w, r, map[string]bool{"tries": true})
}
