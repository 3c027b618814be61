package status

import (
	"context"
	"net/http"
	"time"
)

// Control has the actions of an operator, besides replays and dead letters.
type Control interface {
	// Reload applies the configuration file, and returns when the file is active. The error is the reason why it is
	// not.
	Reload(ctx context.Context) error
	// TryNow makes an integration, by id or name, try again at once if it waits after a failure. An *api.Error has its
	// status; other errors are 409.
	TryNow(integration string) error
}

// tryRequest is the body of POST /api/v1/try.
type tryRequest struct {
	Integration string `json:"integration"`
}

// reload applies the configuration file, and answers when the file is active.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	// To close a line takes as long as its present exchange.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if err := s.o.Control.Reload(r.Context()); err != nil {
		fail(w, r, http.StatusUnprocessableEntity, err.Error())
		return
	}
	sendJSON(w, r, map[string]bool{"reloaded": true})
}

// try makes an integration try again at once.
func (s *Server) try(w http.ResponseWriter, r *http.Request) {
	var q tryRequest
	if err := decodeStrictly(http.MaxBytesReader(w, r.Body, mostReadBody), &q, `{"integration":"ID"}`); err != nil {
		failWith(w, r, badBody(err))
		return
	}
	if q.Integration == "" {
		fail(w, r, http.StatusBadRequest, "integration: want the id of one")
		return
	}
	if err := s.o.Control.TryNow(q.Integration); err != nil {
		failOr(w, r, err, http.StatusConflict)
		return
	}
	sendJSON(w, r, map[string]bool{"tries": true})
}
