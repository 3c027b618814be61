package web_test

import (
	"regexp"
	"strings"
	"testing"

	"noi-agent/status/web/webtest"
)

// A gap breaks the line and is hatched; it is never bridged.
func TestChartBreaksAtAGap(t *testing.T) {
	for _, c := range []struct {
		scene          *webtest.Scene
		lines, hatched int
	}{{webtest.Well(), 1, 0}, {webtest.Troubled(), 2, 1}} {
		got := page(t, c.scene, "/values/rs485/1/adc_vbterm")
		if n := strings.Count(got, `class="mean"`); n != c.lines {
			t.Errorf("%s: %d lines, want %d", c.scene.Name, n, c.lines)
		}
		if n := strings.Count(got, `fill="url(#hatch)"`); n != c.hatched {
			t.Errorf("%s: %d hatched parts, want %d", c.scene.Name, n, c.hatched)
		}
		overview := page(t, c.scene, "/")
		spark := regexp.MustCompile(`class="spark"[^>]*><path d="([^"]*)"`).FindStringSubmatch(overview)
		if spark == nil || strings.Count(spark[1], "M") != c.lines {
			t.Errorf("%s: small line %v, want %d parts", c.scene.Name, spark, c.lines)
		}
	}
}

// Bands and hours fill the width exactly: 480 columns, with states by name.
func TestChartStripsFillTheWidth(t *testing.T) {
	for _, path := range []string{"", "?range=6h", "?range=1h"} {
		got := page(t, webtest.Well(), "/values/rs485/1/adc_vbterm"+path)
		for _, strip := range regexp.MustCompile(`<tr class="(?:band|hours)">.*?</tr>`).FindAllString(got, -1) {
			sum := 0
			for _, m := range regexp.MustCompile(`colspan="(\d+)"`).FindAllStringSubmatch(strip, -1) {
				n := 0
				for _, d := range m[1] {
					n = n*10 + int(d-'0')
				}
				sum += n
			}
			if sum != 480 {
				t.Errorf("%s: %d columns in %s", path, sum, strip)
			}
		}
	}
	mustContain(t, page(t, webtest.Well(), "/values/rs485/1/adc_vbterm"), ">BULK</td>", "Show as a table", "Lowest <strong>")
	mustContain(t, page(t, webtest.Troubled(), "/values/rs485/1/array_fault"), "▲ rts_was_valid_now_disconnected")
}
