package browsertest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"noi-agent/status/web/webtest"
)

// gate is a proxy between browser and agent. It counts streams of events, can refuse them, and can change their events.
type gate struct {
	*httptest.Server
	proxy   *httputil.ReverseProxy
	mu      sync.Mutex
	streams int    // open now
	refuses bool   // streams get 503
	pages   int    // number of requested pages
	version string // the agent's version in the streams; "": the real one
}

// newGate starts a gate for the agent at an address.
func newGate(t *testing.T, base string) *gate {
	t.Helper()
	to, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{proxy: &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.CloseClientConnections)
	return g
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/api/v1/events" {
		g.mu.Lock()
		if r.URL.Path == "/" {
			g.pages++
		}
		g.mu.Unlock()
		g.proxy.ServeHTTP(w, r)
		return
	}
	g.mu.Lock()
	version := g.version
	if g.refuses {
		g.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	g.streams++
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.streams--
		g.mu.Unlock()
	}()
	if version == "" {
		g.proxy.ServeHTTP(w, r)
		return
	}
	hello, _ := json.Marshal(map[string]string{"version": version})
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = w.Write([]byte("event: hello\ndata: " + string(hello) + "\n\n"))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// set changes the gate.
func (g *gate) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

func (g *gate) open() (streams, pages int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.streams, g.pages
}

// hide makes the page believe that it is in a hidden tab, or that it is visible again.
func (w *walker) hide(hidden bool) {
	w.t.Helper()
	script := `Object.defineProperty(document, 'hidden', {get: () => ` + map[bool]string{true: "true", false: "false"}[hidden] +
		`, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))`
	must(w.t, w.tab, chromedp.Evaluate(script, nil))
}

// await waits until a condition is true.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}

const becomesLive = `document.querySelector('.fresh.live') !== null`

// A page in a hidden tab has no stream of events. It is updated when it becomes visible again.
func TestHiddenPageHasNoStream(t *testing.T) {
	browser, base := start(t, webtest.Well())
	g := newGate(t, base)
	w := &walker{t, browser, g.URL}
	w.goes("/")
	w.until("a live page", becomesLive)
	if n, _ := g.open(); n != 1 {
		t.Fatalf("%d streams of a visible page, want 1", n)
	}
	w.hide(true)
	w.sees("Paused")
	await(t, "the end of the stream", func() bool { n, _ := g.open(); return n == 0 })
	w.hide(false)
	w.until("a live page", becomesLive)
}

// If a stream is not possible, the page is fetched again regularly and says so.
func TestPageIsPolledWhereAStreamIsRefused(t *testing.T) {
	browser, base := start(t, webtest.Well())
	g := newGate(t, base)
	g.set(func() { g.refuses = true })
	w := &walker{t, browser, g.URL}
	w.goes("/")
	w.sees("Updating every 10 s")
	_, before := g.open()
	await(t, "the page to be fetched again", func() bool { _, now := g.open(); return now > before })
	w.sees("Updating every 10 s")
	g.set(func() { g.refuses = false })
	w.until("a live page", becomesLive)
}

// An agent with another version has other pages. The page says this, and the reader decides when to reload.
func TestPageOfAnotherVersionOffersToReload(t *testing.T) {
	browser, base := start(t, webtest.Well())
	g := newGate(t, base)
	g.set(func() { g.version = "9.9.9" })
	w := &walker{t, browser, g.URL}
	w.goes("/")
	w.sees("The agent was updated: reload")
	g.set(func() { g.version = "" })
	must(t, browser, chromedp.Click("#fresh a"))
	w.until("a live page", becomesLive)
}

// On a phone rows of the trigger table look like blocks. For a screen reader they are still rows and columns.
func TestTriggerTableIsATableForScreenReaders(t *testing.T) {
	browser, base := start(t, webtest.Troubled())
	roles := map[string]int{}
	must(t, browser, chromedp.EmulateViewport(390, 844), chromedp.Navigate(base+"/triggers"), chromedp.WaitReady("main"),
		chromedp.ActionFunc(func(ctx context.Context) error {
			nodes, err := accessibility.GetFullAXTree().Do(ctx)
			for _, n := range nodes {
				if n.Ignored || n.Role == nil {
					continue
				}
				var role string
				if err := json.Unmarshal(n.Role.Value, &role); err != nil {
					return err
				}
				roles[role]++
			}
			return err
		}))
	for role, want := range map[string]int{"table": 1, "columnheader": 5, "row": 33, "cell": 32 * 5, "main": 1, "navigation": 1, "banner": 1,
		"contentinfo": 1, "status": 1} {
		if roles[role] != want {
			t.Errorf("%d of role %s, want %d; all: %v", roles[role], role, want, roles)
		}
	}
}

// The browser's own audit finds no fault in any form: labels, names, ids and autocomplete.
func TestFormsPassTheAudit(t *testing.T) {
	scene := webtest.Troubled()
	browser, base := start(t, scene)
	for _, path := range []string{"/values", "/triggers", "/login", "/system/logs", "/system/set-aside"} {
		must(t, browser, chromedp.Navigate(base+path), chromedp.WaitReady("main"))
		audit(t, browser)
	}
}

// audit makes the browser check the forms of the open page.
func audit(t *testing.T, tab context.Context) {
	t.Helper()
	var at string
	var issues []*audits.GenericIssueDetails
	must(t, tab, chromedp.Location(&at), chromedp.ActionFunc(func(ctx context.Context) (err error) {
		issues, err = audits.CheckFormsIssues().Do(ctx)
		return err
	}))
	for _, i := range issues {
		t.Errorf("%s: %s %s", at, i.ErrorType, i.ViolatingNodeAttribute)
	}
}

// The Tab key goes through a page in the order of the document, first to the link that skips the header.
func TestTabFollowsTheDocument(t *testing.T) {
	browser, base := start(t, webtest.Troubled())
	for _, path := range []string{"/", "/triggers", "/system/set-aside"} {
		must(t, browser, chromedp.Navigate(base+path), chromedp.WaitReady("main"))
		var places []int
		var first string
		for i := range 15 {
			var place int
			must(t, browser, chromedp.KeyEvent(kb.Tab),
				chromedp.Evaluate(`[...document.querySelectorAll('*')].indexOf(document.activeElement)`, &place))
			if places = append(places, place); i == 0 {
				must(t, browser, chromedp.Evaluate(`document.activeElement.textContent`, &first))
			}
		}
		if !slices.IsSorted(places) || places[0] == places[len(places)-1] || !strings.HasPrefix(first, "Skip") {
			t.Errorf("%s: the Tab key goes to elements %v, first to %q", path, places, first)
		}
	}
}

// The pointer and the arrow keys show the chart's values, and in a gap the reason for it.
func TestChartIsRead(t *testing.T) {
	browser, base := start(t, webtest.Troubled())
	w := &walker{t, browser, base}
	w.goes("/values/rs485/1/adc_vbterm")
	must(t, browser, chromedp.Focus(".field-of"), chromedp.KeyEvent(kb.ArrowLeft))
	w.until("the mean of the last bucket", `/^\d\d:\d\d  1[0-9.]+ V \(/.test(document.querySelector('.read-out').textContent)`)
	must(t, browser, chromedp.Evaluate(`(() => {
		const p = document.querySelector('.field-of'), r = p.getBoundingClientRect();
		p.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: r.left + r.width * 18.5 / 24}));
	})()`, nil))
	w.until("the reason of the gap", `/^\d\d:\d\d  no reading/.test(document.querySelector('.read-out').textContent)`)
}
