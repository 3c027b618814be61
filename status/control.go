package status

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Control has the actions of an operator, besides replays and dead letters.
type Control interface {
	// Reload puts the configuration file in force, and returns when this is done. The error says why it is not in
	// force.
	Reload(ctx context.Context) error
	// TryNow has an integration that waits after a failure try again at once.
	TryNow(integration string) error
}

// ErrNoIntegration is the error of Control.TryNow for an integration that does not exist. It may be wrapped.
var ErrNoIntegration = errors.New("no such integration")

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
	switch err := s.o.Control.TryNow(q.Integration); {
	case errors.Is(err, ErrNoIntegration):
		fail(w, r, http.StatusNotFound, err.Error())
	case err != nil:
		fail(w, r, http.StatusConflict, err.Error())
	default:
		sendJSON(w, r, map[string]bool{"tries": true})
	}
}
