package web_test

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"noi-agent/status/api"
	"noi-agent/status/web"
	"noi-agent/status/web/webtest"
)

// Each part of the filter is in the address, selects rows, is shown in its field, and can be removed.
func TestTriggerFilterIsInTheAddress(t *testing.T) {
	rows, scene := regexp.MustCompile(`<tr role="row" data-key="(\d+)"`), webtest.Troubled()
	for query, want := range map[string]struct {
		rows  int
		field string
		chip  string
	}{
		"object=charge_*": {32, `name="object" value="charge_*"`, "charge_*"},
		"state=refused":   {27, "<option selected>refused</option>", "refused"},
		"from=2022-06-28T01:20:00&to=2022-06-28T01:20:10": {1, `value="2022-06-28T01:20:00" data-at="2022-06-28T08:20:00Z"`,
			"from <time"}, // arizona: seven hours behind
		"from=2022-06-28T08%3A20%3A00Z&to=2022-06-28T08%3A20%3A10Z": {1, `value="2022-06-28T01:20:10"`, "until <time"},
		"object=nothing&success=true":                               {0, `<option value="true" selected>`, "delivered"},
		"gaps=true":                                                 {1, `<option value="true" selected>gaps only`, "gaps only"},
	} {
		got := page(t, scene, "/triggers?"+query)
		if n := len(rows.FindAllString(got, -1)); n != want.rows {
			t.Errorf("%s: %d rows, want %d", query, n, want.rows)
		}
		mustContain(t, got, want.field, want.chip)
	}
	got := page(t, scene, "/triggers?object=adc_vbterm&state=refused&before=9980")
	mustContain(t, got, `<a class="chip" href="/triggers?state=refused">`, `<a class="chip" href="/triggers?object=adc_vbterm">`)
}

// A download has times with their offset, whatever zone was typed.
func TestTriggerDownloadHasInstants(t *testing.T) {
	got := page(t, webtest.Troubled(), "/triggers?from=2022-06-28T01:00:00&object=T_*")
	got = got[:strings.Index(got, "</main>")]
	mustContain(t, got, `No trigger matches`)
	got = page(t, webtest.Troubled(), "/triggers?from=2022-06-28T01:10:00")
	mustContain(t, got, `href="/api/v1/triggers.csv?from=2022-06-28T08%3A10%3A00Z"`)
}

// A filter that cannot be used is shown again with everything that was typed and the error, so that a person can
// correct it.
func TestAWrongFilterCanBeCorrected(t *testing.T) {
	wrongly := muxOf(web.Options{Source: unknownObject{webtest.Troubled()}, Zone: arizona(), Now: webtest.Moment})
	for query, want := range map[string]string{
		"object=adc_vbtrm":   "No object &#34;adc_vbtrm&#34;.",
		"from=yesterday":     "From: want a time as",
		"success=perhaps":    "Success: want true or false",
		"before=newest":      "Before: want a row id",
		"state=no&object=Q*": "State: want one of",
	} {
		w := ask(wrongly, "/triggers?"+query)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", query, w.Code)
		}
		got := w.Body.String()
		mustContain(t, got, "<title>Error: Triggers", "This filter cannot be used", want, `<details class="filter" open>`)
		if strings.Contains(got, "No trigger matches") || strings.Contains(got, "triggers.csv") || strings.Contains(got, "data-live") ||
			strings.Contains(got, ">Newest<") {
			t.Errorf("%s: the page also has an answer to the filter", query)
		}
	}
	w := ask(wrongly, "/triggers?object=adc_vbtrm&success=true")
	mustContain(t, w.Body.String(), `name="object" value="adc_vbtrm"`, `<option value="true" selected>`)
}

// unknownObject is a log that knows no object adc_vbtrm.
type unknownObject struct{ *webtest.Scene }

func (s unknownObject) Triggers(q api.TriggerQuery) (api.Triggers, error) {
	if q.Object == "adc_vbtrm" {
		return api.Triggers{}, api.NewError(http.StatusBadRequest, `no object "adc_vbtrm"`, "")
	}
	return s.Scene.Triggers(q)
}

// The files with all rows that match stand above the rows: on a phone the end of the rows is far away.
func TestDownloadsStandAboveTheRows(t *testing.T) {
	got := page(t, webtest.Troubled(), "/triggers?success=false")
	file, row := strings.Index(got, "triggers.csv?success=false"), strings.Index(got, "<table")
	if file < 0 || row < file {
		t.Errorf("the link to the file is at %d, the rows at %d", file, row)
	}
}

// If few of many rows match, a page may be empty without being the last one.
func TestTriggersLookFurtherBack(t *testing.T) {
	scene := webtest.Well()
	got := pageOf(t, emptyPage{scene}, "/triggers?object=T_*")
	mustContain(t, got, "There are older rows", `href="/triggers?before=7000&amp;object=T_%2A">Look further back</a>`)
}

// emptyPage is a log whose newest rows do not match.
type emptyPage struct{ *webtest.Scene }

func (emptyPage) Triggers(api.TriggerQuery) (api.Triggers, error) {
	next := uint64(7000)
	return api.Triggers{Triggers: []api.Trigger{}, Next: &next}, nil
}

// pageOf returns a page of a source.
func pageOf(t *testing.T, source web.Source, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	muxOf(web.Options{Source: source, Zone: arizona(), Now: webtest.Moment}).ServeHTTP(w,
		httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d", path, w.Code)
	}
	return w.Body.String()
}

// muxOf serves a site without a guard.
func muxOf(o web.Options) *http.ServeMux {
	mux := http.NewServeMux()
	for _, p := range web.New(o).Pages() {
		mux.HandleFunc(p.Method+" "+p.Path, p.Handler)
	}
	return mux
}

// The page of a message shows why the message waits, what to do, and links to the messages before and after it.
func TestFailedTriggerSaysWhatToDo(t *testing.T) {
	got := html.UnescapeString(page(t, webtest.Troubled(), "/triggers/9980"))
	mustContain(t, got, "Not delivered: refused, 4 tries.", "AuthorizationError", "What to do", "prints the policy",
		"Publish again is not possible. It is not delivered yet", `href="/triggers/9981"`, `href="/triggers/9979"`,
		`href="/triggers?object=adc_vbterm"`, "data-copy hidden")
	if strings.Contains(got, "/publish") {
		t.Error("the page offers to publish a waiting message again")
	}
}

// publisher returns the result of a cloud.
type publisher struct {
	*webtest.Scene
	result api.Replay
	err    error
	asked  []uint64
}

func (p *publisher) PublishTrigger(_ context.Context, id uint64) (api.Replay, error) {
	p.asked = append(p.asked, id)
	return p.result, p.err
}

// Publishing again asks for a confirmation first. Then the page shows the result.
func TestTriggerIsPublishedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		result api.Replay
		err    error
		status int
		said   string
	}{
		"accepted": {api.Replay{State: "done", Sent: 1}, nil, http.StatusSeeOther, ""},
		"rejected": {api.Replay{State: "done", Rejected: 1, Error: "InvalidParameter: too long"}, nil, http.StatusConflict, "too long"},
		"refused": {api.Replay{}, api.NewError(http.StatusServiceUnavailable, "the cloud did not take it within 30s", ""),
			http.StatusServiceUnavailable, "did not take it"},
	} {
		p := &publisher{Scene: webtest.Well(), result: c.result, err: c.err}
		mux := muxOf(web.Options{Source: p, Now: webtest.Moment})
		ask := ask(mux, "/triggers/9982/publish")
		mustContain(t, ask.Body.String(), "a second time", `<form method="post"`)
		if len(p.asked) > 0 {
			t.Fatalf("%s: a GET has published", name)
		}
		w := httptest.NewRecorder()
		r := post(url.Values{})
		r.URL.Path = "/triggers/9982/publish"
		mux.ServeHTTP(w, r)
		if w.Code != c.status || len(p.asked) != 1 || p.asked[0] != 9982 {
			t.Errorf("%s: status %d, asked %v", name, w.Code, p.asked)
		}
		mustContain(t, w.Body.String(), c.said)
		if to := w.Header().Get("Location"); c.status == http.StatusSeeOther {
			mustContain(t, page(t, p.Scene, to), "published again")
		}
	}
}
