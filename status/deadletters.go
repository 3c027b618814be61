package status

import (
	"context"
	"errors"
	"net/http"
	"net/url"

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

// lettersRequest is the body of POST /api/v1/deadletters/retry and …/drop.
type lettersRequest struct {
	Integration string   `json:"integration"`
	IDs         []uint64 `json:"ids"`
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
	if q, ok := s.letters(w, r); ok {
		s.streamReport(w, r, func(report func(any) error) error {
			return s.o.DeadLetters.RetryDeadLetters(r.Context(), q.Integration, q.IDs, report)
		})
	}
}

func (s *Server) dropDeadLetters(w http.ResponseWriter, r *http.Request) {
	q, ok := s.letters(w, r)
	if !ok {
		return
	}
	n, err := s.o.DeadLetters.DropDeadLetters(q.Integration, q.IDs)
	if err != nil {
		fail(w, r, lettersStatus(err), err.Error())
		return
	}
	sendJSON(w, r, map[string]int{"dropped": n})
}
