package status_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
)

// gapsWorld records the time up to which gaps are acknowledged.
type gapsWorld struct {
	until []time.Time
	err   error
}

func (w *gapsWorld) AcknowledgeGaps(until time.Time) (api.Acknowledged, error) {
	w.until = append(w.until, until)
	return api.Acknowledged{Acknowledged: 3}, w.err
}

// TestGapsAreAcknowledgedByWhoMayChangeThings: a person who may make changes acknowledges gaps up to a time, or all
// gaps.
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
		want      string // part of the answer
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
			t.Errorf("%s: gaps were acknowledged, want none", c.body)
		}
		mustContain(t, a.body, c.want)
	}
}

// TestThePageAcknowledgesTheGapsThatItShows: newer gaps stay.
func TestThePageAcknowledgesTheGapsThatItShows(t *testing.T) {
	w := &gapsWorld{}
	now := time.Date(2022, 6, 28, 8, 20, 29, 502e6, time.UTC)
	g := newGate(t, func(o *status.Options) {
		world := quiet()
		world.status.Integrations = []api.Integration{{ID: "x", Name: "main-solar", Type: "aws", Gaps: []api.Gap{{Object: "adc_vb", Reason: "bus"}}, NewGaps: 1}}
		o.Reporter, o.TriggerLog, o.Health, o.Gaps, o.Now = world, world, world, w, func() time.Time { return now }
	})
	mustContain(t, get(t, g.url+"/system").body, `name="until" value="2022-06-28T08:20:29.502Z"`, "Acknowledge these gaps")
	const path = "/system/gaps/acknowledge"
	form := url.Values{"until": {"2022-06-28T08:20:29.502Z"}}
	a := g.sendForm(t, path, form, nil)
	mustContain(t, a.body, `name="until" value="2022-06-28T08:20:29.502Z"`, `name="admin_secret"`)
	if a.code != http.StatusUnauthorized || len(w.until) != 0 {
		t.Errorf("without a login: %d, %v", a.code, w.until)
	}
	form.Set("admin_secret", g.token)
	if a := g.sendForm(t, path, form, nil); a.code != http.StatusSeeOther || len(w.until) != 1 || !w.until[0].Equal(now) {
		t.Errorf("%d, %v: %s", a.code, w.until, a.body)
	}
	form.Set("until", "")
	if a := g.sendForm(t, path, form, nil); a.code != http.StatusBadRequest || len(w.until) != 1 {
		t.Errorf("a form without its time: %d, %v", a.code, w.until)
	}
}
