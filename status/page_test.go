package status_test

import (
	"encoding/json"
	"errors"
	"flag"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/status"
	"noi-agent/status/api"
)

var update = flag.Bool("update", false, "renew the golden files")

// site is a gateway where some things work and some do not.
func site(t *testing.T) *world {
	t.Helper()
	return &world{
		status:   decoded[api.Status](t, mustRead(t, "testdata", "status.json")),
		objects:  decoded[api.Objects](t, mustRead(t, "testdata", "objects.json")),
		triggers: decoded[api.Triggers](t, mustRead(t, "testdata", "triggers.json")),
	}
}

// arizona has no summer time, so that the page's times are plain to check: seven hours behind UTC.
func arizona() *time.Location { return time.FixedZone("MST", -7*3600) }

// page returns the page of w at path.
func page(t *testing.T, w *world, path string) string {
	t.Helper()
	o := options(w)
	o.Location = arizona()
	s := status.New(o)
	serve(t, s)
	a := get(t, "http://"+s.Addr()+path)
	if a.code != http.StatusOK || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s: %s", a.code, a.header.Get("Content-Type"), a.body)
	}
	return a.body
}

func TestPageGolden(t *testing.T) {
	got := page(t, site(t), "/")
	golden := filepath.Join("testdata", "golden", "page.html")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(mustRead(t, golden)), got); diff != "" {
		t.Errorf("the page changed (-golden +now); -update renews it:\n%s", diff)
	}
}

func TestPageShowsWhatATechnicianLooksFor(t *testing.T) {
	got := page(t, site(t), "/")
	mustContain(t, got,
		"5300520006504b5957343920", "1.0.10", "12 d 4 h",
		"Check the adapter and its cable", "no such file or directory", // what is wrong, and what to do
		"battery-shed", "2 h 18 min ago", "never",
		"12.117188 V", "ABSORPTION", "RTS open, High temperature current limit", ">none<",
		"2022-06-28 01:20:30 MST", // the gateway's own time
		"4924413186354113", "AuthorizationError: User: arn:aws:iam", "14 attempts",
		`<a href="/?before=902#triggers">Older</a>`, `http-equiv="refresh" content="10"`)
	mustContain(t, got, // what is set aside, missing and kept
		`<span class="state warn">3 dead letters</span> since 2022-06-27 16:15:04 MST`, "<code>noi-agent deadletters list</code>",
		"next publication 2022-06-28 01:30:11 MST",
		"today 1.2 MB sent, 43.2 kB received", "this month 30.5 MB sent, 1.2 GB received", "today 812 B sent, 64.0 kB received", "; 548 B up a sample",
		"<code>noi.db.damaged-0001</code><br><code>noi.db.damaged-0002</code>", "12.4 MB a day",
		"<dt>buffer.max_size</dt><dd>256.0 MiB</dd>", "<dt>buffer.max_age</dt><dd>720h</dd>", "<dt>buffer.when_full</dt><dd>drop_oldest</dd>",
		"<dt>buffer.commit_every</dt><dd>1s</dd>", "<dt>buffer.retain_after_ack</dt><dd>0s</dd>", "<dt>triggers.keep</dt><dd>1\u202f000</dd>", "<dt>triggers.flush_every</dt><dd>1m30s</dd>",
		"2022-06-27 23:02:11 MST – 2022-06-28 01:20:11 MST", "138", "no valid reply from the controller (bus)",
		"the agent did not run", "the line was too busy (overrun)", "the stored record is damaged (damaged): they were in a part",
		"until 2022-06-14 21:10:29 MST", "a_new_word", "noi-agent triggers --gaps --integration FFjU28MMaL3W9B9hhhhH",
		`<a href="/api/v1/triggers?gaps=true&amp;integration=FFjU28MMaL3W9B9hhhhH">`)
	for word, n := range map[string]int{"the_sixth": 0, "dead letters</span>": 1, "next publication": 1, "Older ones": 1} { // the other integration has none of it
		if strings.Count(got, word) != n {
			t.Errorf("%q is %d times on the page, want %d", word, strings.Count(got, word), n)
		}
	}
	columns := regexp.MustCompile(`<section id="triggers">[\s\S]*?<tr>(.*?)</tr>`).FindStringSubmatch(got)
	if columns == nil {
		t.Fatal("no trigger table")
	}
	names := regexp.MustCompile(`>([^<]+)</th>`).FindAllStringSubmatch(columns[1], -1)
	var list []string
	for _, n := range names {
		list = append(list, n[1])
	}
	want := []string{"Success", "Completed At", "Published Data", "Integration Data", "Topic/Arn"}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	if strings.Index(got, `id="problems"`) > strings.Index(got, `id="lines"`) {
		t.Error("problems do not come first")
	}
	if strings.Contains(got, "0001-01-01") {
		t.Error("the zero time is shown as a date")
	}
}

func TestPageTurnsToOlderRows(t *testing.T) {
	w := site(t)
	got := page(t, w, "/?before=77")
	if q, n := w.lastAsked(); n != 1 || q.Before != 77 || q.Limit != 50 || q.Integration != "" || q.Success != nil {
		t.Errorf("asked %d times, last %+v", n, q)
	}
	mustContain(t, got, `<a href="/#triggers">Newest</a>`, `/?before=902#triggers`)

	w.triggers = api.Triggers{}
	if got := page(t, w, "/"); strings.Contains(got, ">Older<") || !strings.Contains(got, "Nothing was published yet.") {
		t.Error("the last page offers older rows")
	}
	for _, bad := range []string{"?before=0", "?before=x", "?befor=7", "?limit=5"} {
		if a := get(t, start(t, w)+"/"+bad); a.code != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, a.code)
		}
	}
}

func TestPageOfANewGatewayIsCalm(t *testing.T) {
	mustContain(t, page(t, quiet(), "/"), "No problem is known.", "No line is configured.",
		"No integration is configured", "Nothing was read yet.", "Nothing was published yet.")
}

// What is not there has no heading.
func TestPageLeavesOutWhatIsNotThere(t *testing.T) {
	w := quiet()
	w.status = decoded[api.Status](t, []byte(`{"integrations":[{"id":"FFjU28MMaL3W9B9hhhhH","dead_letters":0,"gaps":[],"uplink":{"today_sent":0}}],
		"store":{"start":"clean","salvaged":0,"corrupt":0,"written_bytes":812,"written_mb_per_day":null,"kept_aside":[],"settings":{"keep":1000}}}`))
	got := page(t, w, "/")
	mustContain(t, got, `<span class="state good">clean</span> as it was left`, "<dd>812 B since the start</dd>", "today 0 B sent, 0 B received")
	for _, word := range []string{"Gaps", "#gaps", "ead letter", "next publication", "Salvaged", "Damaged records", "Kept aside", "a day"} {
		if strings.Contains(got, word) {
			t.Errorf("%q without a cause", word)
		}
	}
	for _, word := range []string{`id="store"`, "#store", `id="gaps"`} {
		if strings.Contains(page(t, quiet(), "/"), word) {
			t.Errorf("%q of an agent that says nothing of it", word)
		}
	}
}

// The day is said once where begin and end share it.
func TestPageSaysTheTimesOfAGap(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`"2022-06-28T08:20:29Z"`, `"2022-06-28T09:00:00Z"`, "2022-06-28 01:20:29 – 02:00:00 MST"},
		{`"2022-06-28T06:02:11Z"`, `"2022-06-28T08:20:11Z"`, "2022-06-27 23:02:11 MST – 2022-06-28 01:20:11 MST"},
		{`"2022-06-28T06:02:11Z"`, "null", "from 2022-06-27 23:02:11 MST"},
		{"null", `"2022-06-28T08:20:11Z"`, "until 2022-06-28 01:20:11 MST"},
		{"null", "null", "not known"},
	} {
		w := quiet()
		w.status = decoded[api.Status](t, []byte(`{"integrations":[{"id":"x","gaps":[{"from":`+c.from+`,"to":`+c.to+`}]}]}`))
		mustContain(t, page(t, w, "/"), `<td data-label="From – to">`+c.want+`</td>`)
	}
}

// Whatever a cloud, a controller or a configuration says is text.
func TestPageEscapesHostileStrings(t *testing.T) {
	const evil = `<script>alert(1)</script>"><img src=x onerror=alert(2)>' style='x{{.}}`
	w := site(t)
	w.status, w.objects, w.triggers = poison(t, w.status, evil), poison(t, w.objects, evil), poison(t, w.triggers, evil)
	w.triggersErr = nil
	got := page(t, w, "/")
	if n := strings.Count(got, "&lt;script&gt;"); n < 20 {
		t.Errorf("only %d hostile strings are on the page: the test shows nothing", n)
	}
	for _, part := range []string{"<script", "<img", `script>">`, "style='"} {
		if strings.Contains(got, part) {
			t.Errorf("the page contains %s", part)
		}
	}
	w.triggersErr = errors.New(evil)
	if got := page(t, w, "/"); strings.Contains(got, "<script") {
		t.Error("the trigger log's error is not escaped")
	}
}

// A cloud's error and a gap's reason, where the words around them are the agent's own.
func TestPageEscapesReasonsAndErrors(t *testing.T) {
	const evil = `<script>alert(1)</script>\"><img src=x onerror=alert(2)>&x=`
	w := quiet()
	w.status = decoded[api.Status](t, []byte(`{"integrations":[{"id":"`+evil+`","last_error":"`+evil+`","dead_letters":1,
		"gaps":[`+strings.Repeat(`{"object":"`+evil+`","unit":"`+evil+`","reason":"damaged: `+evil+`"},`, 5)+`{"reason":"bus"}]}],
		"problems":[{"code":"dead_letters","subject":"`+evil+`","detail":"`+evil+`"}],
		"store":{"start":"`+evil+`","kept_aside":["`+evil+`"],"settings":{"max_age":"`+evil+`","when_full":"`+evil+`"}}}`))
	got := page(t, w, "/")
	mustContain(t, got, "(damaged): &lt;script&gt;", `<p class="detail">&lt;script&gt;`, `<br><span class="detail">&lt;script&gt;`,
		"<code>&lt;script&gt;", "<dd>&lt;script&gt;", "integration=%3cscript%3e", "%26x%3d")
	for _, part := range []string{"<script", "<img", `">&x`} {
		if strings.Contains(got, part) {
			t.Errorf("the page contains %s", part)
		}
	}
}

// WCAG 2.2 §1.4.3 wants 4.5 for text.
func TestStyleHasContrastByDayAndNight(t *testing.T) {
	schemes := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllSubmatch(mustRead(t, "web", "style.css"), -1)
	if len(schemes) != 2 {
		t.Fatalf("%d schemes, want light and dark", len(schemes))
	}
	for _, scheme := range schemes {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]+);`).FindAllSubmatch(scheme[1], -1) {
			colour[string(m[1])] = luminance(t, string(m[2]))
		}
		pairs := [][2]string{{"ink", "paper"}, {"soft", "paper"}, {"link", "paper"}, {"good", "paper"}, {"warn", "paper"}, {"bad", "paper"}, {"on-bad", "bad"}}
		for _, p := range pairs {
			a, known1 := colour[p[0]]
			b, known2 := colour[p[1]]
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); !known1 || !known2 || contrast < 4.5 {
				t.Errorf("%s on %s: contrast %.1f in %s", p[0], p[1], contrast, scheme[1])
			}
		}
	}
}

// luminance is WCAG's relative luminance of "abc" or "aabbcc".
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if c := float64(n) / 255; c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}

// poison replaces every string in an answer by evil, but for times.
func poison[T any](t *testing.T, v T, evil string) T {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	raw, err = json.Marshal(replace(decoded[any](t, raw), evil))
	if err != nil {
		t.Fatal(err)
	}
	return decoded[T](t, raw)
}

func replace(v any, evil string) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = replace(v[k], evil)
		}
	case []any:
		for i := range v {
			v[i] = replace(v[i], evil)
		}
	case string:
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			return evil
		}
	}
	return v
}

// A page is wanted most when something is broken.
func TestPageShowsTheRestWhenAPartCannotBeRead(t *testing.T) {
	w := site(t)
	w.triggersErr = errors.New("store is closed")
	mustContain(t, page(t, w, "/"), "This page is not complete", "trigger log: store is closed", "12.117188 V", "battery-shed")
}

func TestPageTakesNothingFromElsewhere(t *testing.T) {
	got := page(t, site(t), "/")
	for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(got, -1) {
		if !strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "#") {
			t.Errorf("the page refers to %s", m[1])
		}
	}
	for _, inline := range []string{"<style", "style=", "<script", " on"} {
		if regexp.MustCompile(`<[^>]*`+inline+`[a-z]*=`).MatchString(got) || inline != " on" && strings.Contains(got, inline) {
			t.Errorf("the page has %s, which its own policy forbids", inline)
		}
	}
	a := get(t, start(t, site(t))+"/style.css")
	if a.header.Get("Content-Type") != "text/css; charset=utf-8" || strings.Contains(a.body, "url(") || strings.Contains(a.body, "@import") {
		t.Errorf("stylesheet: %s, or it loads something", a.header.Get("Content-Type"))
	}
}
