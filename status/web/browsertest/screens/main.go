// Command screens takes a picture of every page: each scene at a width of 390 and 1280 pixels, in the light and the
// dark scheme.
//
//	go run ./screens -out ../../../dist/screens
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"noi-agent/status/web/browsertest"
	"noi-agent/status/web/webtest"
)

func main() {
	out := flag.String("out", "screens", "the directory for the pictures")
	only := flag.String("only", "", "only pictures whose name contains this")
	flag.Parse()
	if err := run(*out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "screens:", err)
		os.Exit(1)
	}
}

func run(out, only string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	browser, end, err := browsertest.Browser(ctx)
	if err != nil {
		return err
	}
	defer end()
	if only == "" || strings.Contains("readme.png", only) {
		if err := readme(ctx, browser, filepath.Join(out, "readme.png")); err != nil {
			return err
		}
	}
	for _, scene := range webtest.Scenes() {
		if err := pictures(ctx, browser, scene, out, only); err != nil {
			return fmt.Errorf("%s: %w", scene.Name, err)
		}
	}
	return nil
}

func pictures(ctx context.Context, browser context.Context, scene *webtest.Scene, out, only string) error {
	base, stop, err := browsertest.Serve(ctx, scene)
	if err != nil {
		return err
	}
	defer stop()
	for _, at := range browsertest.PagesOf(scene) {
		var shots []shot
		for _, width := range []int64{390, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				name := fmt.Sprintf("%s-%s-%d-%s.png", scene.Name, at.Name, width, scheme)
				if strings.Contains(name, only) {
					shots = append(shots, shot{filepath.Join(out, name), width, scheme})
				}
			}
		}
		if err := looks(browser, base+at.Path, shots); err != nil {
			return err
		}
	}
	return nil
}

// shot is a picture to take: its width, and its scheme.
type shot struct {
	file   string
	width  int64
	scheme string
}

// looks takes pictures of a page.
func looks(browser context.Context, url string, shots []shot) error {
	if len(shots) == 0 {
		return nil
	}
	tab, end := chromedp.NewContext(browser)
	defer end()
	if err := chromedp.Run(tab, chromedp.Navigate(url), chromedp.WaitReady("main")); err != nil {
		return err
	}
	for _, s := range shots {
		if err := picture(tab, s.file, s.width, s.scheme); err != nil {
			return fmt.Errorf("%s: %w", s.file, err)
		}
	}
	return nil
}

// readme takes the picture of the first screen on a phone.
func readme(ctx, browser context.Context, file string) error {
	base, stop, err := browsertest.Serve(ctx, webtest.Well())
	if err != nil {
		return err
	}
	defer stop()
	tab, end := chromedp.NewContext(browser)
	defer end()
	var png []byte
	err = chromedp.Run(tab, chromedp.EmulateViewport(390, 844), page.BringToFront(), chromedp.Navigate(base),
		chromedp.WaitReady(".fresh.live"), chromedp.CaptureScreenshot(&png))
	if err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o644)
}

// picture takes a picture of the whole page at the time of the scene.
func picture(tab context.Context, file string, width int64, scheme string) error {
	var png []byte
	var height int64
	err := chromedp.Run(tab,
		chromedp.EmulateViewport(width, 844),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme",
			Value: scheme}}),
		chromedp.Evaluate(`document.documentElement.scrollHeight`, &height),
	)
	if err != nil {
		return err
	}
	err = chromedp.Run(tab,
		chromedp.EmulateViewport(width, min(max(height, 600), 4000)),
		page.BringToFront(), // the browser does not draw a tab in the background
		chromedp.CaptureScreenshot(&png),
	)
	if err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o644)
}
