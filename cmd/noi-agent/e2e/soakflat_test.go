package e2e

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// point has the memory and other needs of the daemon at one moment.
type point struct {
	at     time.Duration // since the start of the world
	values []float64     // in the order of needs
}

// need is a figure that must not grow.
type need struct {
	name, unit string
	slack      float64 // allowed growth from the warm-up to the end of a run, by the fitted line
	most       float64 // highest allowed value
}

// needs are the measured figures. The slack of the memory is the noise of the garbage collector. A descriptor or
// goroutine that leaks with each turn, reload or edit exceeds the slack within minutes.
func needs() []need {
	return []need{
		{"resident memory", "MiB", 5, 100}, {"file descriptors", "", 5, 60}, {"goroutines", "", 5, 120},
		{"store's file", "KiB", 1024, 6 << 10}, // the file grows in steps
	}
}

// settled is the least length of a run whose last two thirds are after the warm-up. The memory grew for some minutes
// in earlier runs, until the end of the first long outage. A shorter run may grow by three times the slack.
const settled = 10 * time.Minute

var residentMemory = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// measure reads the figures from the kernel and the daemon.
func (w *soakWorld) measure() point {
	w.t.Helper()
	proc := fmt.Sprintf("/proc/%d/", w.daemon.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		w.t.Fatal(err)
	}
	files, err := os.ReadDir(proc + "fd")
	if err != nil {
		w.t.Fatal(err)
	}
	store, err := os.Stat(filepath.Join(w.disk.dir, "noi.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	memory, _ := strconv.ParseFloat(string(residentMemory.FindSubmatch(status)[1]), 64)
	goroutines := 0.0
	for line := range strings.Lines(string(w.get("/metrics"))) {
		if text, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			goroutines, _ = strconv.ParseFloat(strings.TrimSpace(text), 64)
		}
	}
	return point{time.Since(w.begun), []float64{memory / 1024, float64(len(files)), goroutines, float64(store.Size()) / 1024}}
}

// judgeFlat fits a line through each need after the warm-up, which is a third of the run, and checks its rise.
func (w *soakWorld) judgeFlat(length time.Duration) {
	w.t.Helper()
	warm := slices.IndexFunc(w.points, func(p point) bool { return p.at > length/3 })
	if warm < 0 {
		w.t.Fatalf("seed %d: nothing was measured after the warm-up", w.seed)
	}
	var panels strings.Builder
	for i, n := range needs() {
		fit := theilSen(w.points[warm:], i)
		w.t.Logf("seed %d: %s: %.1f %s after the warm-up, %.1f at the end", w.seed, n.name, fit.from, n.unit, fit.to)
		slack := n.slack
		if length < settled {
			slack *= 3
		}
		if rise := fit.to - fit.from; rise > slack {
			w.t.Errorf("seed %d: %s grew by %.1f %s in %v", w.seed, n.name, rise, n.unit, fit.until-fit.since)
		}
		if most := peak(w.points, i); most > n.most {
			w.t.Errorf("seed %d: %s were %.1f %s, the limit is %.1f", w.seed, n.name, most, n.unit, n.most)
		}
		panels.WriteString(panel(i, n, w.points, fit))
	}
	out := os.Getenv("NOI_SOAK_OUT")
	if out == "" {
		return
	}
	plot := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+
		"\n"+`<rect width="100%%" height="100%%" fill="#fff"/>`+"\n%s</svg>\n", plotWidth, panelHeight*len(needs()), panels.String())
	if err := os.WriteFile(filepath.Join(out, "soak.svg"), []byte(plot), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// line is a fitted line between two moments.
type line struct {
	since, until time.Duration
	from, to     float64
}

// theilSen fits the line whose slope is the median of the slopes between any two points, so bursts do not change it.
func theilSen(points []point, value int) line {
	var slopes, heights []float64
	for i, a := range points {
		for _, b := range points[i+1:] {
			slopes = append(slopes, (b.values[value]-a.values[value])/(b.at-a.at).Seconds())
		}
	}
	slope := middle(slopes)
	for _, p := range points {
		heights = append(heights, p.values[value]-slope*p.at.Seconds())
	}
	l := line{since: points[0].at, until: points[len(points)-1].at}
	l.from, l.to = middle(heights)+slope*l.since.Seconds(), middle(heights)+slope*l.until.Seconds()
	return l
}

func middle(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// peak returns the highest value of a need.
func peak(points []point, i int) float64 {
	return slices.MaxFunc(points, func(a, b point) int { return cmp.Compare(a.values[i], b.values[i]) }).values[i]
}

// Sizes of the plot, in its own units.
const (
	plotWidth, panelHeight = 760, 150
	plotLeft, plotRight    = 60, 740
	plotTop, plotBottom    = 30, 120
)

// panel draws one need over time, and the line through it.
func panel(i int, n need, points []point, fit line) string {
	most := math.Max(1, peak(points, i)*1.1)
	whole := points[len(points)-1].at.Seconds()
	x := func(at time.Duration) float64 { return plotLeft + at.Seconds()/whole*(plotRight-plotLeft) }
	y := func(value float64) float64 {
		return float64(i*panelHeight) + plotBottom - value/most*(plotBottom-plotTop)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<text x="%d" y="%.1f">%s %s</text>`+"\n", plotLeft, y(most)-8, n.name, n.unit)
	for _, value := range []float64{0, most / 2, most} {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
			plotLeft, y(value), plotRight, plotLeft-6, y(value)+4, value)
	}
	b.WriteString(`<polyline fill="none" stroke="#0072b2" points="`)
	for _, p := range points {
		fmt.Fprintf(&b, "%.1f,%.1f ", x(p.at), y(p.values[i]))
	}
	fmt.Fprintf(&b, `"/>`+"\n"+`<path d="M%.1f %.1fL%.1f %.1f" stroke="#c0392b" stroke-width="2"/>`+"\n", x(fit.since), y(fit.from),
		x(fit.until), y(fit.to))
	fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%.0f s</text>`+"\n", plotRight, y(0)+16, whole)
	return b.String()
}
