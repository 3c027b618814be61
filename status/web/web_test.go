package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"noi-agent/status/web"
	"noi-agent/status/web/webtest"
)

// arizona has no summer time, so the times on the pages are easy to check: seven hours behind UTC.
func arizona() *time.Location { return time.FixedZone("MST", -7*3600) }

// serve returns the pages of a scene behind one handler.
func serve(scene *webtest.Scene) http.Handler {
	site := web.New(web.Options{
		Source: scene, Families: scene.Family, Name: "main-solar-gw", Zone: arizona(), Now: webtest.Moment,
		Logs: scene.Journal(), SetAside: &shelf{Scene: scene}, LineFaults: scene.LineFaults,
	})
	mux := http.NewServeMux()
	for _, p := range site.Pages() {
		mux.HandleFunc(p.Method+" "+p.Path, p.Handler)
	}
	return mux
}

// ask returns the answer to a GET request.
func ask(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// page returns the text of an existing page.
func page(t *testing.T, scene *webtest.Scene, path string) string {
	t.Helper()
	w := ask(serve(scene), path)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("want %q in:\n%s", p, text)
		}
	}
}

// paths are the pages that every scene has.
func paths() []string {
	return []string{"/", "/values", "/integrations/aws", "/integrations/gcp", "/triggers", "/system", "/system/logs",
		"/system/set-aside", "/system/licences"}
}

// all are the pages of a scene with values and triggers.
func all() []string {
	return append(paths(), "/values/rs485/1/adc_vbterm", "/triggers/9982", "/triggers/9975", "/values?q=battery",
		"/triggers?success=false&integration="+webtest.AWS, "/triggers?before=9000")
}

// Every text of a cloud, a controller or a configuration is shown as text.
func TestPagesEscapeHostileStrings(t *testing.T) {
	const evil = `<script>alert(1)</script>"><img src=x onerror=alert(2)>' style='x{{.}}`
	scene := webtest.Troubled()
	scene.State, scene.Values = poison(t, scene.State, evil), poison(t, scene.Values, evil)
	for i := range scene.Log {
		scene.Log[i] = poison(t, scene.Log[i], evil)
	}
	seen := 0
	for _, path := range paths() {
		got := page(t, scene, path)
		seen += strings.Count(got, "&lt;script&gt;alert")
		mustBeInert(t, path, got)
	}
	if seen < 40 {
		t.Errorf("only %d hostile strings are on the pages: the test proves nothing", seen)
	}
	scene.LogError = errors.New(evil)
	mustBeInert(t, "unreadable", page(t, scene, "/triggers"))
	mustBeInert(t, "query", page(t, scene, "/values?q=%3Cscript%3Ealert(1)%3C/script%3E%22onfocus=x"))
	mustBeInert(t, "404", ask(serve(scene), "/values/x/1/%3Cscript%3Ealert(1)%3C%2Fscript%3E").Body.String())
}

func mustBeInert(t *testing.T, path, got string) {
	t.Helper()
	if part := regexp.MustCompile(`<script>|<img|<[^<>]*style=['"]|<[^<>]*"onfocus`).FindString(got); part != "" {
		t.Errorf("%s contains %s", path, part)
	}
}

// poison replaces every string in an answer by evil, except times.
func poison[T any](t *testing.T, v T, evil string) (out T) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var loose any
	if err := json.Unmarshal(raw, &loose); err != nil {
		t.Fatal(err)
	}
	raw, err = json.Marshal(replace(loose, evil))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func replace(v any, evil string) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if k != "interval" {
				v[k] = replace(v[k], evil)
			}
		}
	case []any:
		for i := range v {
			v[i] = replace(v[i], evil)
		}
	case string:
		if _, err := time.Parse(time.RFC3339, v); err != nil && v != "aws" && v != "gcp" {
			return evil
		}
	}
	return v
}

// A page must work when something is broken, because then it is most needed.
func TestPagesShowTheRestWhenTheTriggerLogCannotBeRead(t *testing.T) {
	scene := webtest.Unreadable()
	for _, path := range paths() {
		mustContain(t, page(t, scene, path), "main-solar-gw", "</html>")
	}
	mustContain(t, page(t, scene, "/triggers"), "This page is not complete", "trigger log cannot be read: the store is closed.")
	mustContain(t, page(t, scene, "/"), "12.12", "battery-shed")
	if w := ask(serve(scene), "/triggers/9982"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a trigger that cannot be read: %d", w.Code)
	}
}

// The pages load nothing from other sites, and have no inline scripts and styles: the policy of package status forbids both.
func TestPagesTakeNothingFromElsewhere(t *testing.T) {
	for _, scene := range webtest.Scenes() {
		for _, path := range paths() {
			got := page(t, scene, path)
			for _, m := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(got, -1) {
				if !strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "#") || strings.HasPrefix(m[1], "//") {
					t.Errorf("%s refers to %s", path, m[1])
				}
			}
			if inline := regexp.MustCompile(`<[^>]* (?:style|on[a-z]+)=|<style|<script>|<svg[^>]*style`).FindString(got); inline != "" {
				t.Errorf("%s has %s", path, inline)
			}
		}
	}
}

// Every page has its own title, one h1 and landmarks. It marks its tab.
func TestPagesHaveTheOutlineOfADocument(t *testing.T) {
	titles := map[string]string{}
	for _, path := range all() {
		got := page(t, webtest.Troubled(), path)
		if n := strings.Count(got, "<h1"); n != 1 {
			t.Errorf("%s has %d h1", path, n)
		}
		mustContain(t, got, `<html lang="en"`, "<main ", "<footer>", `<nav aria-label="Pages">`, `aria-current="page"`,
			`class="skip" href="#main"`)
		title := regexp.MustCompile(`<title>(.*?)</title>`).FindStringSubmatch(got)[1]
		key := strings.SplitN(path, "?", 2)[0]
		if other, known := titles[title]; known && other != key {
			t.Errorf("%s and %s have one title: %s", path, other, title)
		}
		titles[title] = key
		last := 1
		for _, m := range regexp.MustCompile(`<h([1-6])`).FindAllStringSubmatch(got, -1) {
			level := int(m[1][0] - '0')
			if level > last+1 {
				t.Errorf("%s skips from h%d to h%d", path, last, level)
			}
			last = level
		}
	}
}

// A misspelt filter must be an error, not an empty filter.
func TestPagesRefuseUnknownParameters(t *testing.T) {
	h := serve(webtest.Well())
	for _, path := range []string{
		"/?x=1", "/values?qq=1", "/triggers?succes=false", "/triggers?success=maybe", "/triggers?before=0",
		"/triggers?before=x", "/triggers?success=true&success=false", "/system?a=b", "/integrations/aws?x=1", "/triggers?%zz",
	} {
		if w := ask(h, path); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "<h1>") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, path := range []string{
		"/values/rs485/1/no_such", "/values/rs485/x/adc_vbterm", "/values/nope/1/adc_vbterm", "/triggers/99999", "/triggers/x",
		"/triggers/0", "/triggers/9000",
	} {
		if w := ask(h, path); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "<h1>") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// A download has the rows of the filter, from the newest on.
func TestTriggersAreDownloadedAsFiltered(t *testing.T) {
	mustContain(t, page(t, webtest.Troubled(), "/triggers?success=false&before=9970"),
		`href="/api/v1/triggers.csv?success=false"`, `href="/api/v1/triggers.jsonl?success=false"`)
	mustContain(t, page(t, webtest.Well(), "/triggers"), `href="/api/v1/triggers.csv"`)
}

// A browser may keep a file for ever, because other content has another name.
func TestAssetsMayBeKept(t *testing.T) {
	got, h := page(t, webtest.Well(), "/"), serve(webtest.Well())
	found := regexp.MustCompile(`"(/assets/[a-z]+-[0-9a-f]{12}\.[a-z]+)"`).FindAllStringSubmatch(got, -1)
	if len(found) != 3 {
		t.Fatalf("assets on the page: %q", found)
	}
	for _, m := range found {
		w := ask(h, m[1])
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d %q", m[1], w.Code, w.Header().Get("Cache-Control"))
		}
		if strings.Contains(w.Body.String(), "@import") || strings.Contains(w.Body.String(), "url(") {
			t.Errorf("%s loads another file", m[1])
		}
	}
}

// The size limits: a page with all its files has at most 64 KB, and the script 12 KB, without compression. The values
// are those of ten controllers.
func TestPagesAreSmall(t *testing.T) {
	h := serve(webtest.Large(1000))
	var files int
	for _, m := range regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(page(t, webtest.Well(), "/"), -1) {
		n := ask(h, m[1]).Body.Len()
		files += n
		if strings.HasSuffix(m[1], ".js") && n > 12_000 {
			t.Errorf("the script has %d bytes", n)
		}
	}
	for _, path := range all() {
		if n := ask(h, path).Body.Len() + files; n > 64_000 {
			t.Errorf("%s has %d bytes with its files", path, n)
		} else {
			t.Logf("%6d bytes %s", n, path)
		}
	}
}

func ExampleSite() {
	scene := webtest.Well()
	site := web.New(web.Options{Source: scene, Now: webtest.Moment})
	fmt.Println(site.Pages()[0].Path)
	// Output: /{$}
}
