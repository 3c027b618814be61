package status

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/status/web"
	"noi-agent/store"
)

// DeadLetters are the samples that clouds have rejected.
type DeadLetters interface {
	// DeadLetters returns the dead letters of one integration, by id or name, or of all for "", the oldest first. An
	// *api.Error has its status; other errors are 500.
	DeadLetters(integration string) (api.DeadLetters, error)
	// RetryDeadLetters sends dead letters again, all when ids is empty. It reports and fails as Replayer.Replay does.
	RetryDeadLetters(ctx context.Context, integration string, ids []uint64, report func(line any) error) error
	// DropDeadLetters deletes dead letters, all when ids is empty, and returns their number.
	DropDeadLetters(integration string, ids []uint64) (int, error)
}

// lettersRequest is the body of POST /api/v1/deadletters/retry and …/drop. A filter that is left out matches
// everything.
type lettersRequest struct {
	Integration string   `json:"integration"`
	IDs         []uint64 `json:"ids"`    // none: of any id
	Object      string   `json:"object"` // a name or a pattern
	From        string   `json:"from"`   // of completed_at; times are as ParseRange reads them
	To          string   `json:"to"`
	Expect      *int     `json:"expect"` // expected number: if there are more or fewer, nothing is done
}

// chosen returns the ids of the dead letters of a request; nil: all of the integration. It fails with an *api.Error if
// the filter is not valid, or if their number is not the expected one.
func (o *Options) chosen(q *lettersRequest) ([]uint64, error) {
	if q.Object == "" && q.From == "" && q.To == "" && q.Expect == nil {
		return q.IDs, nil
	}
	letters, err := o.wanted(q)
	if err != nil {
		return nil, err
	}
	ids := []uint64{}
	for i := range letters {
		ids = append(ids, letters[i].ID)
	}
	if q.Expect != nil && *q.Expect != len(ids) {
		return nil, api.NewError(http.StatusConflict,
			fmt.Sprintf("%d messages are set aside by this filter now, not %d: nothing was done", len(ids), *q.Expect),
			"look again, then ask with the new number")
	}
	return ids, nil
}

// wanted returns the dead letters of a request, the oldest first. It fails as chosen does.
func (o *Options) wanted(q *lettersRequest) ([]api.Trigger, error) {
	span, err := ParseRange(q.From, q.To, o.Now())
	if err != nil {
		return nil, api.NewError(http.StatusBadRequest, err.Error(), "")
	}
	list, err := o.DeadLetters.DeadLetters(q.Integration)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.DeadLetters, func(l api.Trigger) bool { return !q.wants(&l, span) }), nil
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
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	sendJSON(w, r, list)
}

// letters reads a request, or refuses it.
func (s *Server) letters(w http.ResponseWriter, r *http.Request) (q lettersRequest, ok bool) {
	if err := decodeStrictly(http.MaxBytesReader(w, r.Body, mostLetters), &q,
		`{"integration":"ID","ids":[17]}`); err != nil {
		failWith(w, r, badBody(err))
		return q, false
	}
	if q.Integration == "" {
		fail(w, r, http.StatusBadRequest, "integration: want the id of one")
		return q, false
	}
	return q, true
}

// mostLetters is the highest number of bytes of a request. It is enough for the ids of all possible dead letters.
const mostLetters = 32 << 10

func (s *Server) retryDeadLetters(w http.ResponseWriter, r *http.Request) {
	q, ok := s.letters(w, r)
	if !ok {
		return
	}
	ids, err := s.o.chosen(&q)
	if err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	s.streamReport(w, r, func(report func(any) error) error {
		if ids != nil && len(ids) == 0 { // none match the filter; for the agent an empty list means all
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
	ids, err := s.o.chosen(&q)
	if err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	n := 0
	if ids == nil || len(ids) > 0 {
		n, err = s.o.DeadLetters.DropDeadLetters(q.Integration, ids)
	}
	if err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	sendJSON(w, r, map[string]int{"dropped": n})
}

// pageLetters hands the dead letters to the pages: it implements web.SetAside. A retry over the page ends with the
// request, as one over the API does.
type pageLetters struct{ o *Options }

// List implements web.SetAside.
func (p pageLetters) List(f web.SetAsideFilter) ([]api.Trigger, error) {
	return p.o.wanted(request(f, nil))
}

// Retry implements web.SetAside.
func (p pageLetters) Retry(ctx context.Context, f web.SetAsideFilter, expect int) (last api.Replay, err error) {
	ids, err := p.o.chosen(request(f, &expect))
	if err != nil || len(ids) == 0 {
		return last, err
	}
	report := func(line any) error { last, _ = line.(api.Replay); return nil }
	err = p.o.DeadLetters.RetryDeadLetters(ctx, f.Integration, ids, report)
	return last, p.failed(err)
}

// Drop implements web.SetAside.
func (p pageLetters) Drop(f web.SetAsideFilter, expect int) (int, error) {
	ids, err := p.o.chosen(request(f, &expect))
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	n, err := p.o.DeadLetters.DropDeadLetters(f.Integration, ids)
	return n, p.failed(err)
}

// failed gives an error of the agent the same status as in the API.
func (p pageLetters) failed(err error) error {
	if err == nil {
		return nil
	}
	return api.NewError(p.o.ReplayStatus(err), err.Error(), "")
}

// request returns the same request for the API.
func request(f web.SetAsideFilter, expect *int) *lettersRequest {
	return &lettersRequest{Integration: f.Integration, Object: f.Object, From: f.From, To: f.To, Expect: expect}
}
