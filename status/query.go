package status

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/status/api"
)

// Rows of one answer: by default and at most.
const (
	defaultRows = 50
	maxRows     = 500
)

// mostPattern is longer than the longest name of an object, in bytes.
const mostPattern = 256

// parameter reads one query parameter into q. An age is counted back from now.
type parameter struct {
	name string
	set  func(q *api.TriggerQuery, value string, now time.Time) error
}

// filterParameters are the parameters that select rows.
func filterParameters() []parameter {
	return []parameter{
		{"integration", func(q *api.TriggerQuery, value string,
			_ time.Time) error {
			q.Integration = value
			return nil
		}},
		{"object", setObject},
		{"success", setSuccess},
		{"state", setState},
		{"from", func(q *api.TriggerQuery, value string, now time.Time) error { return setTime(&q.From, value, now) }},
		{"to", func(q *api.TriggerQuery, value string, now time.Time) error { return setTime(&q.To, value, now) }},
		{"gaps", setGaps},
		{"before", setBefore},
	}
}

// triggerParameters are the parameters of /api/v1/triggers.
func triggerParameters() []parameter { return append(filterParameters(), parameter{"limit", setLimit}) }

// parseQuery reads a raw query strictly. If it ignored a misspelt parameter, the answer would have the wrong rows
// without an error. A parameter with an empty value counts as not given, as forms send it.
func parseQuery(raw string, known []parameter, now time.Time) (api.TriggerQuery, error) {
	q := api.TriggerQuery{Limit: defaultRows}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, errors.New("the query cannot be read: write name=value, joined by &")
	}
	for name, given := range values {
		i := slices.IndexFunc(known, func(p parameter) bool { return p.name == name })
		if i < 0 {
			return q, fmt.Errorf("unknown parameter %q: allowed: %s", name, names(known))
		}
		if len(given) > 1 {
			return q, fmt.Errorf("parameter %q is given %d times: give it once", name, len(given))
		}
		if given[0] == "" {
			continue
		}
		if err := known[i].set(&q, given[0], now); err != nil {
			return q, fmt.Errorf("parameter %q: %w, not %q", name, err, given[0])
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return q, fmt.Errorf("parameter \"to\": want a time after from %s", q.From.Format(time.RFC3339))
	}
	return q, nil
}

// readQuery reads a raw query as strictly as parseQuery, and returns the values of the given parameters by name.
func readQuery(raw string, known ...string) (map[string]string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errors.New("the query cannot be read: write name=value, joined by &")
	}
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch given := values[name]; {
		case !slices.Contains(known, name) && len(known) == 0:
			return nil, fmt.Errorf("unknown parameter %q: none is allowed", name)
		case !slices.Contains(known, name):
			return nil, fmt.Errorf("unknown parameter %q: allowed: %s", name, strings.Join(known, ", "))
		case len(given) > 1:
			return nil, fmt.Errorf("parameter %q is given %d times: give it once", name, len(given))
		case given[0] != "":
			out[name] = given[0]
		}
	}
	return out, nil
}

// withoutQuery refuses all parameters.
func withoutQuery(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := readQuery(r.URL.RawQuery); err != nil {
			fail(w, r, http.StatusBadRequest, err.Error())
			return
		}
		h(w, r)
	}
}

func names(known []parameter) string {
	list := make([]string, len(known))
	for i, p := range known {
		list[i] = p.name
	}
	return strings.Join(list, ", ")
}

func setObject(q *api.TriggerQuery, value string, _ time.Time) error {
	if len(value) > mostPattern {
		return fmt.Errorf("want the name of an object, or a pattern such as T_*, of at most %d bytes", mostPattern)
	}
	q.Object = value
	return nil
}

func setTime(to *time.Time, value string, now time.Time) error {
	t, ok := timeOf(value, now)
	if !ok {
		return errors.New(wantTime)
	}
	*to = t
	return nil
}

// setState accepts the states as answers write them, and the same words with _ or - instead of a blank.
func setState(q *api.TriggerQuery, value string, _ time.Time) error {
	word := strings.NewReplacer("_", " ", "-", " ").Replace(value)
	if !slices.Contains(api.TriggerStates(), word) {
		return fmt.Errorf("want one of %s", strings.Join(api.TriggerStates(), ", "))
	}
	q.State = word
	return nil
}

func setSuccess(q *api.TriggerQuery, value string, _ time.Time) error {
	if value != "true" && value != "false" {
		return errors.New("want true or false")
	}
	success := value == "true"
	q.Success = &success
	return nil
}

func setGaps(q *api.TriggerQuery, value string, _ time.Time) error {
	if value != "true" && value != "false" {
		return errors.New("want true or false")
	}
	q.Gaps = value == "true"
	return nil
}

func setLimit(q *api.TriggerQuery, value string, _ time.Time) error {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil || n < 1 || n > maxRows {
		return fmt.Errorf("want a number of rows from 1 to %d", maxRows)
	}
	q.Limit = int(n)
	return nil
}

// setBefore refuses 0. A client that takes a missing `next` as 0 would get the newest rows again, and never end.
func setBefore(q *api.TriggerQuery, value string, _ time.Time) error {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n == 0 {
		return errors.New("want a row id from 1 up, the next of an earlier answer")
	}
	q.Before = n
	return nil
}
