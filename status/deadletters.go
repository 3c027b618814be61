package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/store"
)

// DeadLetters are the samples that clouds have rejected.
type DeadLetters interface {
	// DeadLetters returns them, the oldest first, of one integration, or of all for "".
	DeadLetters(integration string) (api.DeadLetters, error)
	// RetryDeadLetters sends them again, all when ids is empty, and reports and fails as Replayer.Replay does.
	RetryDeadLetters(ctx context.Context, integration string, ids []uint64, report func(line any) error) error
	// DropDeadLetters gives them up, all when ids is empty, and returns how many they were.
	DropDeadLetters(integration string, ids []uint64) (int, error)
}

// lettersRequest is the body of POST /api/v1/deadletters/retry and …/drop. Filters that are left out let all through.
type lettersRequest struct {
	Integration string   `json:"integration"`
	IDs         []uint64 `json:"ids"`    // none: of any id
	Object      string   `json:"object"` // a name or a pattern
	From        string   `json:"from"`   // of completed_at; times are as ParseRange reads them
	To          string   `json:"to"`
	Expect      *int     `json:"expect"` // how many there are: with another number nothing is done
}

// chosen returns the ids of the dead letters that a request means; nil: all of the integration. It fails with an
// *api.Error where the filter cannot be read, and where they are not as many as expected.
func (s *Server) chosen(q *lettersRequest) ([]uint64, error) {
	if q.Object == "" && q.From == "" && q.To == "" && q.Expect == nil {
		return q.IDs, nil
	}
	span, err := ParseRange(q.From, q.To, s.o.Now())
	if err != nil {
		return nil, api.NewError(http.StatusBadRequest, err.Error(), "")
	}
	list, err := s.o.DeadLetters.DeadLetters(q.Integration)
	if err != nil {
		return nil, api.NewError(lettersStatus(err), err.Error(), "")
	}
	ids := []uint64{}
	for i := range list.DeadLetters {
		if l := &list.DeadLetters[i]; q.wants(l, span) {
			ids = append(ids, l.ID)
		}
	}
	if q.Expect != nil && *q.Expect != len(ids) {
		return nil, api.NewError(http.StatusConflict,
			fmt.Sprintf("%d messages are set aside by this filter now, not %d: nothing was done", len(ids), *q.Expect),
			"look again, then ask with the new number")
	}
	return ids, nil
}

func (q *lettersRequest) wants(l *api.Trigger, span store.Range) bool {
	at, err := time.Parse(time.RFC3339, l.CompletedAt)
	var m struct{ Object string }
	_ = json.Unmarshal(l.PublishedData, &m) // a dead letter has a message
	return (len(q.IDs) == 0 || slices.Contains(q.IDs, l.ID)) &&
		(q.Object == "" || objects.MatchesName(q.Object, m.Object)) &&
		err == nil && span.Has(at)
}

func (s *Server) serveDeadLetters(w http.ResponseWriter, r *http.Request) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(values) > 1 || len(values) == 1 && len(values["integration"]) != 1 {
		fail(w, r, http.StatusBadRequest, "one parameter is known, and given once at most: integration")
		return
	}
	list, err := s.o.DeadLetters.DeadLetters(values.Get("integration"))
	if err != nil {
		fail(w, r, lettersStatus(err), err.Error())
		return
	}
	sendJSON(w, r, list)
}

// letters reads a request, or refuses it.
func (s *Server) letters(w http.ResponseWriter, r *http.Request) (q lettersRequest, ok bool) {
	if err := decodeStrictly(http.MaxBytesReader(w, r.Body, mostLetters), &q,
		`{"integration":"ID","ids":[17]}`); err != nil {
		fail(w, r, bodyStatus(err), err.Error())
		return q, false
	}
	if q.Integration == "" {
		fail(w, r, http.StatusBadRequest, "integration: want the id of one")
		return q, false
	}
	return q, true
}

func lettersStatus(err error) int {
	if errors.Is(err, store.ErrUnknownIntegration) {
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// mostLetters is the most bytes of a request that names all that there can be.
const mostLetters = 32 << 10

func (s *Server) retryDeadLetters(w http.ResponseWriter, r *http.Request) {
	q, ok := s.letters(w, r)
	if !ok {
		return
	}
	ids, err := s.chosen(&q)
	if err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	s.streamReport(w, r, func(report func(any) error) error {
		if ids != nil && len(ids) == 0 { // by the filter; the agent would take it for all
			return report(api.Replay{State: "done"})
		}
		return s.o.DeadLetters.RetryDeadLetters(r.Context(), q.Integration, ids, report)
	})
}

func (s *Server) dropDeadLetters(w http.ResponseWriter, r *http.Request) {
	q, ok := s.letters(w, r)
	if !ok {
		return
	}
	ids, err := s.chosen(&q)
	if err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	n := 0
	if ids == nil || len(ids) > 0 {
		n, err = s.o.DeadLetters.DropDeadLetters(q.Integration, ids)
	}
	if err != nil {
		fail(w, r, lettersStatus(err), err.Error())
		return
	}
	sendJSON(w, r, map[string]int{"dropped": n})
}
