package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/web"
	"noi-agent/status/web/webtest"
)

// shelf has the set-aside messages of a scene. It records the calls.
type shelf struct {
	*webtest.Scene
	did string
}

func (s *shelf) List(f web.SetAsideFilter) ([]api.Trigger, error) {
	list, err := s.DeadLetters(f.Integration)
	return list.DeadLetters, err
}

func (s *shelf) Retry(_ context.Context, f web.SetAsideFilter, expect int) (api.Replay, error) {
	s.did += fmt.Sprintf("retry %v %d", f, expect)
	return api.Replay{Sent: 2, Rejected: 1}, nil
}

func (s *shelf) Drop(f web.SetAsideFilter, expect int) (int, error) {
	s.did += fmt.Sprintf("drop %v %d", f, expect)
	if expect != 3 {
		return 0, api.NewError(http.StatusConflict, "3 messages are set aside by this filter now, not 4", "")
	}
	return 3, nil
}

// send posts a form to an address.
func send(h http.Handler, path string, typed url.Values) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := post(typed)
	r.URL.Path = path
	h.ServeHTTP(w, r)
	return w
}

// Set-aside messages are sent again or dropped with the shown filter and number. Dropping needs a confirmation.
func TestSetAsideMessagesInBulk(t *testing.T) {
	s := &shelf{Scene: webtest.Troubled()}
	h := muxOf(web.Options{Source: s, SetAside: s, Zone: arizona(), Now: webtest.Moment})
	const here = "/system/set-aside"
	mustContain(t, ask(h, "/system").Body.String(), `href="/system/set-aside?integration=`+webtest.AWS+`">Show 3 set-aside messages`)
	got := ask(h, here+"?integration="+webtest.AWS+"&from=2022-06-26T00:00:00").Body.String()
	mustContain(t, got, "Retry 3</button>", "Drop 3…</button>", `name="from" value="2022-06-26T07:00:00Z"`,
		`name="expect" value="3"`, "InvalidParameter")
	if got := ask(h, here).Body.String(); strings.Contains(got, "Retry 3") {
		t.Error("messages of all integrations can be sent at once, but the agent accepts one integration")
	}
	w := send(h, here+"/retry", url.Values{"integration": {webtest.AWS}, "from": {"2022-06-26T07:00:00Z"}, "expect": {"3"}})
	if want := "retry {" + webtest.AWS + "  2022-06-26T07:00:00Z } 3"; s.did != want || w.Code != http.StatusSeeOther {
		t.Errorf("%d, did %q, want %q", w.Code, s.did, want)
	}
	mustContain(t, ask(h, w.Header().Get("Location")).Body.String(), "2 messages accepted, 1 set aside again.")
	s.did = ""
	mustContain(t, ask(h, here+"/drop?expect=3&object=T_*&integration="+webtest.AWS).Body.String(),
		"Drop 3 set-aside messages of main-solar?", `name="object" value="T_*"`, "never gets them")
	if s.did != "" {
		t.Errorf("a page without confirmation has done %q", s.did)
	}
	if w := send(h, here+"/drop", url.Values{"integration": {webtest.AWS}, "expect": {"4"}}); w.Code != http.StatusConflict {
		t.Errorf("the count has changed: %d", w.Code)
	}
	w = send(h, here+"/drop", url.Values{"integration": {webtest.AWS}, "expect": {"3"}})
	mustContain(t, ask(h, w.Header().Get("Location")).Body.String(), "3 messages dropped and counted.")
	for _, typed := range []url.Values{{}, {"integration": {webtest.AWS}}, {"expect": {"3"}}} {
		if w := send(h, here+"/drop", typed); w.Code != http.StatusBadRequest {
			t.Errorf("%v: %d", typed, w.Code)
		}
	}
}

// A login in between keeps the whole request.
func TestSetAsideKeepsTheRequestThroughTheLogin(t *testing.T) {
	s := &shelf{Scene: webtest.Troubled()}
	for _, p := range web.New(web.Options{Source: s, SetAside: s, Now: webtest.Moment}).Pages() {
		if p.Path != "/system/set-aside/drop" || p.Method != http.MethodPost {
			continue
		}
		w := httptest.NewRecorder()
		p.Locked(w, post(url.Values{"integration": {webtest.AWS}, "object": {"T_*"}, "expect": {"3"}}),
			api.NewError(http.StatusUnauthorized, "Log in to change things.", ""))
		mustContain(t, w.Body.String(), `name="admin_secret"`, `name="object" value="T_*"`, `name="expect" value="3"`)
		return
	}
	t.Fatal("the page is missing")
}

// The log is shown with the newest line first, by level and text.
func TestLogIsShownByLevelAndText(t *testing.T) {
	s := webtest.Troubled()
	h := muxOf(web.Options{Source: s, Logs: s.Journal(), Now: webtest.Moment})
	for path, want := range map[string]int{
		"/system/logs": 5, "/system/logs?level=warn": 4, "/system/logs?text=READY": 1, "/system/logs?level=error": 0, "/system": 4,
	} {
		w := ask(h, path)
		if n := strings.Count(w.Body.String(), `<li class="`); n != want || w.Code != http.StatusOK {
			t.Errorf("%s: %d with %d lines, want %d", path, w.Code, n, want)
		}
	}
	got := ask(h, "/system/logs?level=warn").Body.String()
	if strings.Index(got, "does not answer") > strings.Index(got, "set aside") {
		t.Error("the oldest line is first")
	}
	if w := ask(h, "/system/logs?level=loud"); w.Code != http.StatusBadRequest {
		t.Errorf("an unknown level: %d", w.Code)
	}
	if got := ask(muxOf(web.Options{Source: s}), "/system/logs"); got.Code != http.StatusOK {
		t.Errorf("without a log: %d", got.Code)
	}
}

// The pace of an integration comes from its counters at two views of the pages. It also says when nothing waits any
// more. A change of the clock does not make the pace wrong.
func TestOutboxHasAPace(t *testing.T) {
	s, now := webtest.Troubled(), webtest.Moment()
	h := muxOf(web.Options{Source: s, Now: func() time.Time { return now }})
	look := func(after time.Duration, backlog, sent uint64, want ...string) {
		t.Helper()
		now = now.Add(after)
		s.State.Integrations[0].Backlog, s.State.Integrations[0].Sent = backlog, sent
		mustContain(t, ask(h, "/system").Body.String(), want...)
	}
	look(0, 1204, 1000, "known after a minute", "the oldest is kept for at most 29 d more")
	look(time.Minute, 1264, 1000, "60 in, 0 out a minute", "the oldest is kept for at most 29 d more")
	look(time.Minute, 1124, 1200, "60 in, 100 out a minute", "empty in about 28 min")
	look(-time.Hour, 1000, 1400, "known after a minute")
	look(time.Minute, 400, 2060, "60 in, 660 out a minute", "empty in about 40 s")
	look(time.Minute, 0, 0, "known after a minute") // another store: its counters begin again
}

// The System page shows the last failed exchanges below their line, with the bytes of both sides, and below no other
// line.
func TestFailedExchangesStandUnderTheirLine(t *testing.T) {
	got := page(t, webtest.Troubled(), "/system")
	mustContain(t, got, "Last faults", "<td role=\"cell\" data-label=\"Unit\">2</td>",
		`no answer <span class="muted">timeout</span>`, "<code>02 04 00 12 00 21 90 24</code>", ">nothing</td>",
		"damaged reply", "00 00 …</code> <span class=\"muted\">71 bytes</span>",
		`refused <span class="muted">illegal data address (02)</span>`)
	if well := page(t, webtest.Well(), "/system"); strings.Contains(well, "Last faults") {
		t.Error("a line without a failed exchange shows a table")
	}
	scene := webtest.Troubled()
	scene.State.Lines = append(scene.State.Lines, api.Line{Name: "second", State: "ok"})
	if n := strings.Count(page(t, scene, "/system"), "<h4>Last faults"); n != 1 {
		t.Errorf("%d tables, want that of the first line", n)
	}
}

// The button for the set-aside messages leads to those of the integration that has them, where they can be sent again.
// With two such integrations it leads to the messages of both.
func TestTheButtonForSetAsideMessagesLeadsToTheirIntegration(t *testing.T) {
	button := func(scene *webtest.Scene) string {
		site := muxOf(web.Options{Source: scene, SetAside: &shelf{Scene: scene}})
		_, rest, _ := strings.Cut(ask(site, "/system").Body.String(), `<a class="button" href="/system/set-aside`)
		path, _, _ := strings.Cut(rest, `"`)
		return path
	}
	scene := webtest.Troubled()
	if got := button(scene); got != "?integration="+webtest.AWS {
		t.Errorf("one integration: %q", got)
	}
	scene.State.Integrations[1].Dead = 1
	if got := button(scene); got != "" {
		t.Errorf("two integrations: %q", got)
	}
}
