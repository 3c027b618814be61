package status_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
)

// gapsWorld notes up to when gaps are acknowledged.
type gapsWorld struct {
	until []time.Time
	err   error
}

func (w *gapsWorld) AcknowledgeGaps(until time.Time) (api.Acknowledged, error) {
	w.until = append(w.until, until)
	return api.Acknowledged{Acknowledged: 3}, w.err
}

// TestGapsAreAcknowledgedByWhoMayChangeThings up to a time, or all.
func TestGapsAreAcknowledgedByWhoMayChangeThings(t *testing.T) {
	w := &gapsWorld{}
	o := options(quiet())
	now := time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)
	o.Now = func() time.Time { return now }
	o.Socket, o.Gaps = shortDir(t)+"/agent.sock", w
	s := status.New(o)
	serve(t, s)
	const path = "http://agent/api/v1/gaps/acknowledge"
	for _, c := range []struct {
		url, body string
		fails     error
		code      int
		want      string // in the answer
		until     time.Time
	}{
		{path, `{}`, nil, http.StatusOK, `{"acknowledged":3}`, time.Time{}},
		{path, `{"until":""}`, nil, http.StatusOK, `{"acknowledged":3}`, time.Time{}},
		{path, `{"until":"2022-06-27T01:12:00Z"}`, nil, http.StatusOK, `{"acknowledged":3}`, time.Date(2022, 6, 27, 1, 12, 0, 0, time.UTC)},
		{path, `{"until":"24h"}`, nil, http.StatusOK, `{"acknowledged":3}`, now.Add(-24 * time.Hour)},
		{path, `{"until":"yesterday"}`, nil, http.StatusBadRequest, "until: want a time as 2022-06-28T08:20:29Z", time.Time{}},
		{path, `{"til":"24h"}`, nil, http.StatusBadRequest, "til", time.Time{}},
		{path, ``, nil, http.StatusBadRequest, "or {} for all", time.Time{}},
		{path, `{}`, errors.New("store is full"), http.StatusInternalServerError, "store is full", time.Time{}},
		{"http://" + s.Addr() + "/api/v1/gaps/acknowledge", `{}`, nil, http.StatusUnauthorized, "noi-agent gaps ack", time.Time{}},
	} {
		w.until, w.err = nil, c.fails
		socket := o.Socket
		if !strings.HasPrefix(c.url, path) {
			socket = ""
		}
		a := post(t, client(socket), c.url, c.body)
		if a.code != c.code || c.code == http.StatusOK && (len(w.until) != 1 || !w.until[0].Equal(c.until)) {
			t.Errorf("%s %s: %d, until %v: %s", c.url, c.body, a.code, w.until, a.body)
		}
		if c.code == http.StatusBadRequest && len(w.until) > 0 {
			t.Errorf("%s: gaps are acknowledged all the same", c.body)
		}
		mustContain(t, a.body, c.want)
	}
}
