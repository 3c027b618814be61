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
)

var update = flag.Bool("update", false, "renew the golden files")

// site is a gateway where some things work and some do not.
func site(t *testing.T) *world {
	t.Helper()
	return &world{
		status:   json.RawMessage(mustRead(t, "testdata", "status.json")),
		objects:  json.RawMessage(mustRead(t, "testdata", "objects.json")),
		triggers: json.RawMessage(mustRead(t, "testdata", "triggers.json")),
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

	for _, next := range []string{"null", "0"} {
		w.triggers = json.RawMessage(`{"triggers":[],"next":` + next + `}`)
		if got := page(t, w, "/"); strings.Contains(got, ">Older<") || !strings.Contains(got, "Nothing was published yet.") {
			t.Errorf("next %s: the last page offers older rows", next)
		}
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

// WCAG 2.2 §1.4.3 wants 4.5 for text.
func TestStyleHasContrastByDayAndNight(t *testing.T) {
	schemes := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllSubmatch(mustRead(t, "style.css"), -1)
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

// poison replaces every string in a JSON value by evil.
func poison(t *testing.T, v any, evil string) any {
	t.Helper()
	raw, ok := v.(json.RawMessage)
	if !ok {
		t.Fatalf("%T", v)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	return replace(tree, evil)
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
		return evil
	}
	return v
}

// A page is wanted most when something is broken.
func TestPageShowsTheRestWhenAPartCannotBeRead(t *testing.T) {
	w := site(t)
	w.triggersErr = errors.New("store is closed")
	mustContain(t, page(t, w, "/"), "This page is not complete", "trigger log: store is closed", "12.117188 V", "battery-shed")

	w = site(t)
	w.objects = map[string]any{"objects": make(chan int)}
	mustContain(t, page(t, w, "/"), "latest values: json:", "battery-shed", "4924413186354113")

	w = site(t)
	w.status = json.RawMessage(`{"device_id":"5300520006504b5957343920","uptime_s":"long","version":"1.0.10"}`)
	mustContain(t, page(t, w, "/"), "status: json:", "1.0.10", "12.117188 V")
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
