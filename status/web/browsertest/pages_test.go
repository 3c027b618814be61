package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"noi-agent/status/web/webtest"
)

// open returns a browser. Without Chromium the test is skipped, and in CI it fails.
func open(t *testing.T, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	browser, end, err := Browser(ctx, flags...)
	if errors.Is(err, ErrNoBrowser) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return browser
}

// start returns a browser and the address of a scene.
func start(t *testing.T, scene *webtest.Scene, flags ...chromedp.ExecAllocatorOption) (context.Context, string) {
	t.Helper()
	browser := open(t, flags...)
	base, stop, err := Serve(t.Context(), scene)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return browser, base
}

// faults returns the faults in the layout of the open page.
const faults = `(() => {
  const out = [], root = document.documentElement;
  if (root.scrollWidth > innerWidth) out.push('scrolls sideways: ' + root.scrollWidth + ' > ' + innerWidth);
  const seen = (e) => e.getClientRects().length && getComputedStyle(e).visibility !== 'hidden' && !e.closest('.sr,.skip,thead');
  const lum = (c) => { const v = c.map((x) => (x /= 255) <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4); return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const rgb = (s) => s.match(/[\d.]+/g).map(Number);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !seen(e) || e.closest('noscript')) continue;
    const style = getComputedStyle(e), words = walk.currentNode.data.trim().slice(0, 20);
    const box = e.getBoundingClientRect();
    const card = e.closest('.card,.note-box,.problem'), around = card && !e.closest('.wide,.strip,pre,svg') && card.getBoundingClientRect();
    if (around && box.right > around.right + 1) out.push('sticks out of its card: ' + words);
    if (words.length > 4 && box.width < 24 && box.height > 100) out.push('a word in ' + box.width + ' px: ' + words);
    if (parseFloat(style.fontSize) < 12) out.push(style.fontSize + ': ' + words);
    const a = lum(rgb(style.color)), b = lum(ground(e)), contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) out.push('contrast ' + contrast.toFixed(1) + ': ' + words);
  }
  for (const e of document.querySelectorAll('button,.button,.chip,nav a,summary,input:not([type=hidden],[type=checkbox]),select')) {
    const r = e.getBoundingClientRect();
    if (seen(e) && r.height < 43.9) out.push('control of ' + r.height + ' px: ' + (e.textContent || e.name).trim().slice(0, 20));
  }
  const find = document.querySelector('.search button'), text = document.querySelector('.search input');
  if (find && innerWidth >= 390 && find.getBoundingClientRect().top > text.getBoundingClientRect().bottom) out.push('the button is not beside its field');
  if (innerWidth >= 390 && document.querySelector('.top nav').offsetHeight > 60) out.push('the tabs take two rows');
  for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) out.push('tab order');
  return out.slice(0, 8);
})()`

// Every page fits a small phone, a phone and a desktop, in the light and the dark scheme.
func TestLayout(t *testing.T) {
	for _, scene := range []*webtest.Scene{webtest.Troubled(), webtest.Fresh()} {
		browser, base := start(t, scene)
		for _, at := range PagesOf(scene) {
			must(t, browser, chromedp.Navigate(base+at.Path), chromedp.WaitReady("main"))
			for _, width := range []int64{320, 390, 1280} {
				for _, scheme := range []string{"light", "dark"} {
					var found []string
					must(t, browser, chromedp.EmulateViewport(width, 844),
						emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
						chromedp.Evaluate(faults, &found))
					for _, f := range found {
						t.Errorf("%s %s at %d px, %s: %s", scene.Name, at.Name, width, scheme, f)
					}
				}
			}
		}
	}
}

// A reader who has set the text to double size sees everything, and scrolls only down.
func TestLayoutWithTextOfDoubleSize(t *testing.T) {
	scene := webtest.Troubled()
	browser, base := start(t, scene)
	for _, at := range PagesOf(scene) {
		var found []string
		must(t, browser, chromedp.EmulateViewport(390, 844), chromedp.Navigate(base+at.Path), chromedp.WaitReady("main"),
			chromedp.Evaluate(`document.documentElement.style.fontSize = '200%'; `+faults, &found))
		for _, f := range found {
			if f != "the tabs take two rows" && f != "the button is not beside its field" { // here they may
				t.Errorf("%s: %s", at.Name, f)
			}
		}
	}
}

func must(t *testing.T, browser context.Context, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(browser, actions...); err != nil {
		t.Fatal(err)
	}
}

// Without a script the page is complete, and times have the gateway's offset.
func TestPagesWorkWithoutScript(t *testing.T) {
	scene := webtest.Troubled()
	browser, base := start(t, scene)
	must(t, browser, emulation.SetScriptExecutionDisabled(true))
	for path, want := range map[string]string{
		"/": "battery-shed", "/values": "Battery terminal voltage", "/triggers": "AuthorizationError",
		"/values/rs485/1/adc_vbterm": "+00:00", "/system": "Line statistics",
	} {
		var html string
		must(t, browser, chromedp.Navigate(base+path), chromedp.OuterHTML("html", &html))
		if !strings.Contains(html, want) {
			t.Errorf("%s without a script lacks %q", path, want)
		}
	}
}

// The script updates the page, and shows times in the reader's format.
func TestPageBecomesLive(t *testing.T) {
	browser, base := start(t, webtest.Well())
	var words, at string
	must(t, browser, emulation.SetTimezoneOverride("America/Chicago"), chromedp.Navigate(base+"/triggers"),
		chromedp.WaitReady(".fresh.live"), chromedp.Text("#fresh .words", &words), chromedp.Text("tbody time", &at))
	if words != "Live" || at != "6/28/22 03:20:37" {
		t.Errorf("freshness %q, time %q", words, at)
	}
}

// A request under a foreign host name that resolves to this machine is refused.
func TestForeignNameIsRefused(t *testing.T) {
	browser, base := start(t, webtest.Well(), chromedp.Flag("host-resolver-rules", "MAP evil.example 127.0.0.1"))
	var html string
	url := strings.Replace(base, "127.0.0.1", "evil.example", 1)
	must(t, browser, chromedp.Navigate(url+"/"), chromedp.OuterHTML("html", &html))
	if strings.Contains(html, "battery-shed") || !strings.Contains(html, "evil.example") {
		t.Errorf("the answer under the name evil.example: %s", fmt.Sprintf("%.300s", html))
	}
}
