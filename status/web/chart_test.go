package web_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/web"
	"noi-agent/status/web/webtest"
)

// The chart's line stops at a gap, and the gap is hatched.
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
		spark := regexp.MustCompile(`aria-hidden="true"><path d="([^"]*)"`).FindStringSubmatch(overview)
		if spark == nil || strings.Count(spark[1], "M") != c.lines {
			t.Errorf("%s: small line %v, want %d parts", c.scene.Name, spark, c.lines)
		}
	}
}

// Bands and hours fill the width exactly: 480 columns, with the names of the states.
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

// A chart shows the reason of a gap in the sentence above it, at the hatched part, and in the table. A line with
// faults all day does not fill the page with gaps.
func TestChartExplainsItsGaps(t *testing.T) {
	const path = "/values/rs485/1/adc_vbterm"
	why := "no valid reply from the controller: no answer"
	got := page(t, webtest.Troubled(), path)
	mustContain(t, got, "</time>: "+why+".</p>", `<span class="key gap">no reading</span>`, "</time>: "+why+"</td>",
		`/api/v1/objects/rs485/1/adc_vbterm/history?hours=24"`)
	if well := page(t, webtest.Well(), path); strings.Contains(well, "no reading") {
		t.Error("a chart without a gap explains one")
	}
	h := &flapping{webtest.Troubled()}
	got = ask(muxOf(web.Options{Source: h, Families: h.Family, Now: webtest.Moment}), path).Body.String()
	mustContain(t, got, "97 older gaps: see the table.", "the controller had no value")
	if n := strings.Count(got, "no reading until"); n != 24 {
		t.Errorf("the table has %d gaps, want the newest 24", n)
	}
}

// flapping has a hundred gaps in its history.
type flapping struct{ *webtest.Scene }

func (f *flapping) History(line string, unit int, object string, span time.Duration) (api.History, bool) {
	h, ok := f.Scene.History(line, unit, object, span)
	h.Gaps = nil
	for i := range 100 {
		from := h.From.Add(time.Duration(i) * 12 * time.Minute)
		h.Gaps = append(h.Gaps, api.HistoryGap{From: from, To: from.Add(time.Minute), Reason: api.GapNoValue})
	}
	return h, ok
}
