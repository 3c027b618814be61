package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/web"
	"noi-agent/status/web/webtest"
)

// historian counts the requests for a history, because these take most of the time on a gateway.
type historian struct {
	*webtest.Scene
	asked int
}

func (h *historian) History(line string, unit int, object string, span time.Duration) (api.History, bool) {
	h.asked++
	return h.Scene.History(line, unit, object, span)
}

// Ten controllers have 520 values. The page has the values of one controller, and a search shows a part of its
// results. A page reads only histories that it shows, and each at most once within a step of the history.
func TestValuesAreThoseOfOneController(t *testing.T) {
	h := &historian{Scene: webtest.Large(10)}
	mux := muxOf(web.Options{Source: h, Families: h.Family, Now: webtest.Moment})
	for path, want := range map[string]struct{ rows, histories int }{
		"/values": {60, 60}, "/values?unit=rs485/7": {60, 60}, "/values?q=e": {40, 40}, "/values?q=charge_state": {10, 0}, "/": {0, 10},
	} {
		h.asked = 0
		w := ask(mux, path)
		if n := strings.Count(w.Body.String(), `role="rowheader"><a href="/values/`); w.Code != http.StatusOK || n > want.rows || want.rows > 0 && n == 0 {
			t.Errorf("%s: %d with %d rows", path, w.Code, n)
		}
		if h.asked > want.histories {
			t.Errorf("%s has read %d histories", path, h.asked)
		}
		h.asked = 0
		if ask(mux, path); h.asked > 0 {
			t.Errorf("%s has read %d histories again", path, h.asked)
		}
	}
	mustContain(t, ask(mux, "/values?q=e").Body.String(), "more values not shown")
	mustContain(t, ask(mux, "/values?unit=rs485/7").Body.String(), `<a href="/values?unit=rs485%2F7" aria-current="page">`, ">workshop</h2>")
	if w := ask(mux, "/values?unit=rs485/77"); w.Code != http.StatusNotFound {
		t.Errorf("a missing controller: %d", w.Code)
	}
}

// The page of all values begins with the objects of the overview.
func TestValuesBeginWithWhatMatters(t *testing.T) {
	got := page(t, webtest.Well(), "/values")
	for _, name := range []string{"adc_vbterm", "charge_state", "adc_ia"} {
		if at := strings.Index(got, `cell">`+name+"<"); at < 0 || at > strings.Index(got, `cell">load_state<`) {
			t.Errorf("%s is at %d, after load_state", name, at)
		}
	}
}

// A problem lists the problems that it includes.
func TestFoldedProblemsAreNamed(t *testing.T) {
	got := page(t, webtest.Unplugged(), "/")
	mustContain(t, got, "The serial adapter of rs485 was not found", "2 other problems will end with this one",
		"<li>water-pump does not answer</li>")
	if n := strings.Count(got, `<details class="problem`); n != 1 {
		t.Errorf("%d problems are shown, want the one that includes the others", n)
	}
}

// The overview says when a history is younger than a day, and draws it over its own time.
func TestOverviewSaysThatHistoryIsBuildingUp(t *testing.T) {
	for kept, want := range map[time.Duration]string{
		4 * time.Minute: "history is building up", 40 * time.Minute: "in the last 40 min</span>", 24 * time.Hour: "in the last 24 h</span>",
	} {
		scene := webtest.Well()
		scene.Kept = kept
		mustContain(t, page(t, scene, "/"), want)
	}
}

// A line that works does not count as faultless while a controller on it has a problem.
func TestLineWithAProblemDoesNotJustWork(t *testing.T) {
	for _, path := range []string{"/", "/system"} {
		mustContain(t, page(t, webtest.Troubled(), path), "works, with problems")
		mustContain(t, page(t, webtest.Unplugged(), path), "cannot be used")
		alarm := webtest.Well()
		alarm.State.Problems = []api.Problem{api.SlaveAlarm.Of("rs485/1", webtest.Moment(), "overcurrent")}
		mustContain(t, page(t, alarm, path), "answers, with problems")
		silent := webtest.Well()
		silent.State.Problems = []api.Problem{api.LineSilent.Of("rs485", webtest.Moment(), "timeout")}
		if got := page(t, silent, path); strings.Contains(got, "works, with problems") || !strings.Contains(got, "No answer") {
			t.Errorf("%s: a line without an answer works", path)
		}
		if strings.Contains(page(t, webtest.Well(), path), "with problems") {
			t.Errorf("%s: a line without a problem has some", path)
		}
	}
}

// A meaning begins with a capital letter. A unit and a name are shown unchanged.
func TestMeaningsBeginWithACapital(t *testing.T) {
	got := page(t, webtest.Troubled(), "/values")
	mustContain(t, got, ">Battery terminal voltage</a>", ">kWh charge, total</a>")
}

// The chart of an object with a short history begins where the history begins, and says this. A history of a few
// minutes gives no chart.
func TestObjectPageSaysThatHistoryIsBuildingUp(t *testing.T) {
	scene := webtest.Well()
	for kept, want := range map[time.Duration]struct{ says, chart bool }{
		4 * time.Minute: {true, false}, 40 * time.Minute: {true, true}, 24 * time.Hour: {false, true},
	} {
		scene.Kept = kept
		got := page(t, scene, "/values/rs485/1/adc_vbterm")
		if says, chart := strings.Contains(got, "History is building up: it begins at"), strings.Contains(got, "<svg"); says != want.says || chart != want.chart {
			t.Errorf("kept for %s: says so %v, chart %v", kept, says, chart)
		}
		if soon := strings.Contains(got, "The chart begins in a few minutes."); soon == want.chart {
			t.Errorf("kept for %s: promises a chart %v", kept, soon)
		}
		first := regexp.MustCompile(`class="mean" d="M(\d+) `).FindStringSubmatch(got)
		if want.chart && (first == nil || len(first[1]) > 2) { // a bucket of 40 min is 36 columns
			t.Errorf("kept for %s: the line begins at column %v, want the first bucket", kept, first)
		}
	}
}
