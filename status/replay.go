package status

import (
	"context"
	"net/http"

	"noi-agent/store"
)

// Replayer sends settled samples of an integration again.
type Replayer interface {
	// Replay returns when everything is sent, or ctx ends. It gives report lines that marshal to JSON objects; the last
	// one when all is done. An error before the first line is an error of the request; Options.ReplayStatus gives its
	// status.
	Replay(ctx context.Context, integration string, r store.Range, report func(line any) error) error
}

// replayRequest is the body of POST /api/v1/replay. Times are as ParseRange reads them.
type replayRequest struct {
	Integration string `json:"integration"`
	From        string `json:"from"`
	To          string `json:"to"`
}

// serveReplay sends settled samples of an integration again, and streams lines about the progress. The last line has
// the state "done", or the state "failed" with an error. If the client closes the connection, the replay ends. Over TCP
// it needs a login, like every change.
func (s *Server) serveReplay(w http.ResponseWriter, r *http.Request) {
	var q replayRequest
	if err := decodeStrictly(http.MaxBytesReader(w, r.Body, mostReadBody), &q,
		`{"integration":"ID","from":"24h","to":""}`); err != nil {
		failWith(w, r, badBody(err))
		return
	}
	if q.Integration == "" {
		fail(w, r, http.StatusBadRequest, "integration: want the id of one")
		return
	}
	span, err := ParseRange(q.From, q.To, s.o.Now())
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	s.streamReport(w, r, func(report func(any) error) error {
		return s.o.Replayer.Replay(r.Context(), q.Integration, span, report)
	})
}

// streamReport answers with the lines that do passes to report. An error before the first line becomes the answer.
func (s *Server) streamReport(w http.ResponseWriter, r *http.Request, do func(report func(any) error) error) {
	w.Header().Set("Content-Type", typeJSONL)
	stream := s.stream(w)
	defer stream.stop()
	report := func(line any) error {
		body, err := encode(line)
		if err != nil {
			return err
		}
		_, err = stream.Write(body)
		return err
	}
	err := do(report)
	switch {
	case err == nil:
	case !stream.begun:
		fail(w, r, s.o.ReplayStatus(err), err.Error())
	default:
		_ = report(map[string]string{"state": "failed", "error": err.Error()}) // a client that has gone needs no answer
	}
}
