package status

import (
	"fmt"
	"net/http"
	"time"

	"noi-agent/status/api"
)

// Gaps are the times for which samples are missing.
type Gaps interface {
	// AcknowledgeGaps marks the gaps that ended at until or before as seen; all gaps if until is zero.
	AcknowledgeGaps(until time.Time) (api.Acknowledged, error)
}

// gapsRequest is the body of POST /api/v1/gaps/acknowledge.
type gapsRequest struct {
	Until string `json:"until"` // as ParseRange reads it; "": all
}

// acknowledgeGaps answers when the marks are durable.
func (s *Server) acknowledgeGaps(w http.ResponseWriter, r *http.Request) {
	var q gapsRequest
	if err := decodeStrictly(http.MaxBytesReader(w, r.Body, mostReadBody), &q,
		`{"until":"2022-06-28T08:20:29Z"}, or {} for all`); err != nil {
		failWith(w, r, badBody(err))
		return
	}
	until, err := parseTime(q.Until, s.o.Now())
	if err != nil {
		fail(w, r, http.StatusBadRequest, fmt.Sprintf("until: %v", err))
		return
	}
	done, err := s.o.Gaps.AcknowledgeGaps(until)
	if err != nil {
		fail(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	sendJSON(w, r, done)
}
