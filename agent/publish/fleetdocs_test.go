package publish

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "simulate 100,000 gateways and write docs/fleet.md and docs/fleet.svg anew: some minutes")

const (
	simWholeFleet = 100_000
	simInFlight   = 16 // in_flight by default
)

// simCapacity is the number of requests per second that a cloud with a limit accepts in the simulation: a fifth of the
// fleet.
func simCapacity(gateways int) int { return gateways / 5 }

// way is one policy as the document shows it.
type way struct {
	name     string
	colour   string
	inFlight int
	policy   func(id string) policy
}

func ways() []way {
	return []way{
		{"every 5 s, drain at once", "#c0392b", 1, func(string) policy { return &naive{} }},
		{"doubling to 60 s, no jitter", "#e69f00", 1, func(string) policy { return &naive{doubles: true} }},
		{"agent, as delivered", "#56b4e9", simInFlight, ours(0, 5*time.Minute)},
		{"agent, `pacing: 30s`", "#0072b2", simInFlight, ours(30*time.Second, 5*time.Minute)},
		{"agent, `pacing: 30s`, `spread: 15m`", "#009e73", simInFlight, ours(30*time.Second, 15*time.Minute)},
	}
}

// hour runs a fleet through an outage of an hour and the 20 minutes after it.
func (w way) hour(gateways, capacity int) *fleet {
	return simulate(fleetRun{gateways: gateways, full: 10, objects: 10, inFlight: w.inFlight, capacity: capacity, outage: time.Hour,
		tail: 20 * time.Minute, policy: w.policy})
}

// smallRun is the fleet of `make test`: 2,000 gateways, and an outage of ten minutes.
func (w way) smallRun(objects, inFlight int) *fleet {
	return simulate(fleetRun{gateways: 2000, full: 10, objects: objects, inFlight: inFlight, outage: 10 * time.Minute,
		tail: 7 * time.Minute, policy: w.policy})
}

// TestAFleetThatComesBackTogetherDoesNotOverrunTheCloud runs the code of the agent, and compares the result with
// docs/fleet.md.
func TestAFleetThatComesBackTogetherDoesNotOverrunTheCloud(t *testing.T) {
	all := ways()
	rude, paced := all[0].smallRun(10, 1), all[3].smallRun(10, simInFlight)
	if rude.peak() < 10*paced.peak() {
		t.Errorf("%d requests in the worst second, and %d by the naive policy; want a tenth at most", paced.peak(), rude.peak())
	}
	for _, f := range []*fleet{rude, paced} {
		if len(f.back) != len(f.gateways) {
			t.Errorf("%d of %d gateways have caught up", len(f.back), len(f.gateways))
		}
	}
	if late := paced.caught99(); late > 7*time.Minute { // backoff 1, spread 5, pacing 0.5, and sending
		t.Errorf("99 of 100 gateways had caught up after %v", late)
	}
	one, several := all[3].smallRun(50, 1), all[3].smallRun(50, simInFlight)
	if several.caught99() >= one.caught99() {
		t.Errorf("99 of 100 gateways had caught up after %v with several requests in flight, and after %v with one", several.caught99(),
			one.caught99())
	}
	small := fmt.Sprintf("In the small run of `make test` (2,000 gateways, ten minutes) the peaks are %d and %d requests a second.\n"+
		"With 50 objects and `pacing: 30s` the peak is %d with several requests in flight, and %d with `in_flight: 1`;\n"+
		"99 %% have caught up after %s and %s.", rude.peak(), paced.peak(), several.peak(), one.peak(), span(several.caught99()),
		span(one.caught99()))
	if *update {
		writeFleetDocs(t, small)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "fleet.md"))
	if err != nil || !strings.Contains(string(text), small) {
		t.Errorf("docs/fleet.md is not current: run tools/fleet.sh. Want in it: %s", small)
	}
}

// writeFleetDocs writes the figures between the marks of docs/fleet.md, and the plot beside the document.
func writeFleetDocs(t *testing.T, small string) {
	t.Helper()
	var table strings.Builder
	table.WriteString("| policy | peak, requests/s | 99 % caught up after | each minute, peak | with a limit: refused | 99 % after |\n|---|--:|--:|--:|--:|--:|\n")
	var curves []curve
	for _, w := range ways() {
		free, limited := w.hour(simWholeFleet, 0), w.hour(simWholeFleet, simCapacity(simWholeFleet))
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s | %s |\n", w.name, thousands(free.peak()), span(free.caught99()),
			thousands(free.everyday()), thousands(limited.refused), span(limited.caught99()))
		curves = append(curves, curve{w.name, w.colour, free.requests[free.up/time.Second:]})
		t.Logf("%s: done", w.name)
	}
	path := filepath.Join("..", "..", "docs", "fleet.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const open, end = "<!-- figures: tools/fleet.sh -->\n", "<!-- end of figures -->\n"
	before, rest, ok := strings.Cut(string(text), open)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the figures", path)
	}
	text = []byte(before + open + table.String() + "\n" + small + "\n" + end + after)
	for name, data := range map[string][]byte{"fleet.md": text, "fleet.svg": []byte(plot(curves))} {
		if err := os.WriteFile(filepath.Join("..", "..", "docs", name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// everyday returns the most requests in a second before the outage.
func (f *fleet) everyday() (most int) {
	for _, n := range f.requests[:simOutage/time.Second] {
		most = max(most, n)
	}
	return most
}

// thousands formats 1234567 as 1,234,567.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func span(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	s := d.Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(s.Minutes()), int(s.Seconds())%60)
}

type curve struct {
	name, colour string
	requests     []int
}

// Sizes of the plot, in its own units.
const (
	plotWidth, plotHeight = 760, 380
	plotLeft, plotTop     = 70, 20
	plotRight, plotBottom = 740, 330
	plotSeconds           = 420
	plotDecades           = 6 // 1 to a million requests a second
)

func plotX(second int) float64 {
	return plotLeft + float64(second)/plotSeconds*(plotRight-plotLeft)
}

func plotY(requests int) float64 {
	return plotBottom - math.Log10(float64(max(requests, 1)))/plotDecades*(plotBottom-plotTop)
}

// plot draws requests a second, on a logarithmic scale, over the seconds since the link is back.
func plot(curves []curve) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, plotHeight)
	for decade, n := 0, 1; decade <= plotDecades; decade, n = decade+1, n*10 {
		y := plotY(n)
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", plotLeft, y, plotRight, plotLeft-6, y+4, thousands(n))
	}
	for second := 0; second <= plotSeconds; second += 60 {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d:00</text>`+"\n", plotX(second), plotBottom+16, second/60)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">minutes since the link is back; requests a second at the cloud, %s gateways</text>`+"\n",
		(plotLeft+plotRight)/2, plotBottom+36, thousands(simWholeFleet))
	for i, c := range curves {
		b.WriteString(`<path fill="none" stroke-width="1.2" stroke="` + c.colour + `" d="`)
		for second, n := range c.requests[:plotSeconds+1] {
			command := "L"
			if second == 0 {
				command = "M"
			}
			fmt.Fprintf(&b, "%s%.1f %.1f", command, plotX(second), plotY(n))
		}
		b.WriteString(`"/>` + "\n")
		y := plotTop + 14 + 16*i
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="270" height="16" fill="#fff" fill-opacity="0.8"/><path d="M%d %dh20" stroke="%s" stroke-width="3"/><text x="%d" y="%d">%s</text>`+"\n",
			plotRight-275, y-12, plotRight-270, y-4, c.colour, plotRight-244, y, strings.ReplaceAll(c.name, "`", ""))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
