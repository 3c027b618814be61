// Package browsertest tests the pages in a browser. It is a separate module, so that nothing of the browser's driver
// is linked into the agent.
package browsertest

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/chromedp/chromedp"

	"noi-agent/status"
	"noi-agent/status/web/webtest"
)

// ErrNoBrowser is returned where Chromium is not installed.
var ErrNoBrowser = errors.New("chromium is not installed: apt-get install chromium")

// Browser starts a headless Chromium. Each chromedp.NewContext of the returned one is a tab. end ends it.
func Browser(
	ctx context.Context, flags ...chromedp.ExecAllocatorOption,
) (browser context.Context, end func(), err error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, ErrNoBrowser
	}
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(path), chromedp.NoSandbox, // the tests run as root in containers
		chromedp.DisableGPU,
		chromedp.Flag("lang", "en-US"), chromedp.WSURLReadTimeout(time.Minute))
	allocator, cancel := chromedp.NewExecAllocator(ctx, append(options, flags...)...)
	browser, close := chromedp.NewContext(allocator)
	if err := chromedp.Run(browser); err != nil {
		cancel()
		return nil, nil, err
	}
	return browser, func() { close(); cancel() }, nil
}

// Serve serves a scene on loopback. stop ends it.
func Serve(ctx context.Context, scene *webtest.Scene) (base string, stop func(), err error) {
	s := status.New(status.Options{
		Reporter: scene, TriggerLog: scene, Health: scene, DeadLetters: scene, Families: scene.Family,
		Hostname: "main-solar-gw", Logs: scene.Journal(), Integrations: webtest.Book{Scene: scene},
		LineFaults: scene.LineFaults,
		Listen:     "127.0.0.1:0", Location: time.UTC, Now: webtest.Moment,
	})
	if err := s.Listen(); err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(ctx)
	}()
	return "http://" + s.Addr(), func() { cancel(); <-done }, nil
}

// Page is an address of a scene.
type Page struct{ Name, Path string }

// PagesOf lists the pages that a scene has.
func PagesOf(scene *webtest.Scene) []Page {
	list := []Page{
		{"overview", "/"}, {"values", "/values"}, {"integrations", "/integrations/aws"}, {"triggers", "/triggers"},
		{"system", "/system"}, {"logs", "/system/logs"}, {"licences", "/system/licences"},
		{"form", "/integrations/gcp/new"},
	}
	if len(scene.Values.Objects) > 0 {
		list = append(list, Page{"object", "/values/rs485/1/adc_vbterm"})
	}
	if len(scene.Log) > 0 && scene.LogError == nil {
		list = append(list, Page{"trigger", "/triggers/9982"}, Page{"filtered", "/triggers?object=adc_*&success=true"},
			Page{"edit", "/integrations/" + webtest.AWS + "/edit"},
			Page{"setup", "/integrations/" + webtest.AWS + "/setup"},
			Page{"aside", "/system/set-aside?integration=" + webtest.AWS})
	}
	return list
}
