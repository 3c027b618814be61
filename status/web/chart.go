package web

import (
	"math"
	"strconv"
	"strings"
	"time"

	"noi-agent/status/api"
)

// A chart is SVG without styles and texts. Its classes select colours in the stylesheet, so that the chart follows the
// light and the dark scheme. Its labels are HTML, because a text in a stretched SVG would be stretched too.

const (
	sparkColumns = 96  // of the small chart on the overview
	smallColumns = 24  // of the small chart in a row of the values
	chartColumns = 480 // of the chart on an object's page: one for each bucket of a day
	sparkHeight  = 40
	chartHeight  = 200
	phoneColumn  = 0.6 // width on a phone, in pixels, of one of chartColumns; a letter has about 8
)

// scale maps the numbers from low to high to places in a picture of this height.
type scale struct{ low, high, height float64 }

// y returns the distance of a number from the top of the picture. A greater number has a smaller distance.
func (s scale) y(f float32) float64 {
	if s.high <= s.low {
		return s.height / 2
	}
	return (s.high - float64(f)) / (s.high - s.low) * s.height
}

// rangeOf returns the lowest and the highest value of some curves; of their means only if band is false. ok is false if
// there is no value.
func rangeOf(curves [][]api.Column, band bool) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, curve := range curves {
		for _, c := range curve {
			if !band {
				c.Min, c.Max = c.Mean, c.Mean
			}
			low, high = min(low, float64(c.Min)), max(high, float64(c.Max))
		}
	}
	return low, high, low <= high
}

// spark draws the means of a history as a small chart, without a line across a gap. It returns "" if there is no mean.
func spark(h *api.History, columns int) markup {
	curves := h.Curves(columns)
	low, high, ok := rangeOf(curves, false)
	if !ok {
		return ""
	}
	s := scale{low, high, sparkHeight - 4}
	var d strings.Builder
	for _, curve := range curves {
		sparkLine(&d, curve, s)
	}
	return markup(`<svg viewBox="0 0 ` + strconv.Itoa(columns-1) +
		` 40" preserveAspectRatio="none" ` +
		`aria-hidden="true"><path d="` + d.String() + `"/></svg>`)
}

// sparkLine writes the path of one curve in relative coordinates. A level part of the curve is one step of the path,
// which keeps the page small.
func sparkLine(d *strings.Builder, curve []api.Column, s scale) {
	x, y := curve[0].At, int(math.Round(s.y(curve[0].Mean)))+2
	d.WriteString("M" + strconv.Itoa(x) + " " + strconv.Itoa(y) + "l0 0")
	for i, c := range curve[1:] {
		next := int(math.Round(s.y(c.Mean))) + 2
		if last := i == len(curve)-2; next == y && !last && int(math.Round(s.y(curve[i+2].Mean)))+2 == y {
			continue
		}
		d.WriteString(step(c.At-x) + step(next-y))
		x, y = c.At, next
	}
}

// step returns a relative coordinate with its separator. A minus sign separates numbers, so it needs no space before
// it.
func step(n int) string {
	if n < 0 {
		return strconv.Itoa(n)
	}
	return " " + strconv.Itoa(n)
}

// widened returns the range of some curves for a chart. The range has at least four steps of the last digit that is
// shown for the unit. Otherwise a chart would show noise.
func widened(curves [][]api.Column, unit string) (low, high float64) {
	low, high, _ = rangeOf(curves, true)
	places, known := placesOf(unit)
	if least := 4 * math.Pow(10, -float64(places)); known && high-low < least {
		middle := (low + high) / 2
		return middle - least/2, middle + least/2
	}
	return low, high
}

// ticks returns about five numbers at equal distances for the left edge of a chart. The first is low or less, the last
// is high or more. The distance is 1, 2, 2.5, 5 or 10 times a power of ten.
func ticks(low, high float64) []float64 {
	if high-low < 1e-9 {
		pad := max(math.Abs(low)*0.01, 0.5)
		low, high = low-pad, high+pad
	}
	const about = 4
	raw := (high - low) / about
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	size := 10 * power
	for _, nice := range []float64{1, 2, 2.5, 5} {
		if nice*power >= raw {
			size = nice * power
			break
		}
	}
	var list []float64
	for i := math.Floor(low / size); ; i++ {
		list = append(list, i*size)
		if i*size >= high {
			return list
		}
	}
}

// tickWords prints ticks, the highest first, with as many decimals as their distance needs.
func tickWords(list []float64) []string {
	places := 0
	if len(list) > 1 {
		size := list[1] - list[0]
		for p := 0; p < 6 && math.Abs(size*math.Pow(10, float64(p))-math.Round(size*math.Pow(10,
			float64(p)))) > 1e-6; p++ {
			places = p + 1
		}
	}
	words := make([]string, len(list))
	for i, t := range list {
		words[len(list)-1-i] = strconv.FormatFloat(t, 'f', places, 64)
	}
	return words
}

// chart is the chart of one object, with its labels.
type chart struct {
	SVG    markup    // the curves of the numbers; "": there are no numbers
	Levels []string  // labels of the left edge, from top to bottom, at equal distances
	Hours  []stretch // labels below the chart
	Bands  []band    // rows of states
}

// stretch is a part of the width with a label at its left edge.
type stretch struct {
	Columns int
	At      time.Time // the label; zero: none
}

// band is a row of states below a chart.
type band struct {
	Name  string
	Parts []part
}

// part is one state in a band, or a time without a state.
type part struct {
	Columns int
	Words   string
	Class   string
	Thin    bool // the words do not fit on a phone
}

// chartOf draws the history of an object. states is the history of the charge state of its controller; nil: none.
func chartOf(h, states *api.History, zone *time.Location) chart {
	c := chart{Hours: hoursOf(h, zone)}
	if curves := h.Curves(chartColumns); len(curves) > 0 {
		c.SVG, c.Levels = curvesSVG(h, curves, c.Hours)
	}
	if len(h.Runs) > 0 {
		c.Bands = append(c.Bands, bandOf(h))
	} else if states != nil && len(states.Runs) > 0 {
		c.Bands = append(c.Bands, bandOf(states))
	}
	return c
}

// curvesSVG draws the band from the lowest to the highest value, and the mean in it. Two curves are never connected,
// because there is a gap between them. It returns the picture and the labels of its left edge.
func curvesSVG(h *api.History, curves [][]api.Column, hours []stretch) (markup, []string) {
	levels := ticks(widened(curves, h.Unit))
	s := scale{levels[0], levels[len(levels)-1], chartHeight}
	var b strings.Builder
	b.WriteString(`<svg class="chart" viewBox="0 0 480 200" preserveAspectRatio="none" aria-hidden="true">` +
		`<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">` +
		`<path class="hatch" d="M0 6L6 0"/></pattern>`)
	for i := range h.Gaps {
		x := h.Place(h.Gaps[i].From, chartColumns)
		width := max(h.Place(h.Gaps[i].To, chartColumns)-x, 2)
		b.WriteString(`<rect fill="url(#hatch)" x="` + strconv.Itoa(x) + `" y="0" width="` + strconv.Itoa(width) +
			`" height="200"/>`)
	}
	b.WriteString(`<path class="grid" d="`)
	for _, level := range levels {
		b.WriteString("M0 " + one(s.y(float32(level))) + "H480")
	}
	x := 0
	for _, part := range hours {
		if x > 0 {
			b.WriteString("M" + strconv.Itoa(x) + " 0V200")
		}
		x += part.Columns
	}
	b.WriteString(`"/>`)
	for _, curve := range curves {
		b.WriteString(`<path class="range" d="` + outline(curve, s) + `"/><path class="mean" d="` + line(curve, s) +
			`"/>`)
	}
	b.WriteString(`</svg>`)
	return markup(b.String()), tickWords(levels)
}

// one prints a coordinate with at most one decimal.
func one(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }

// line returns the path of the means. A curve of one column becomes a short stroke.
func line(curve []api.Column, s scale) string {
	var d strings.Builder
	for i, c := range curve {
		letter := "L"
		if i == 0 {
			letter = "M"
		}
		d.WriteString(letter + strconv.Itoa(c.At) + " " + one(s.y(c.Mean)))
	}
	if len(curve) == 1 {
		d.WriteString("h1")
	}
	return d.String()
}

// outline returns the path around the band from the lowest to the highest value.
func outline(curve []api.Column, s scale) string {
	var d strings.Builder
	d.WriteString("M" + strconv.Itoa(curve[0].At) + " " + one(s.y(curve[0].Max)))
	for _, c := range curve[1:] {
		d.WriteString("L" + strconv.Itoa(c.At) + " " + one(s.y(c.Max)))
	}
	if len(curve) == 1 {
		d.WriteString("h1")
	}
	for i := len(curve) - 1; i >= 0; i-- {
		d.WriteString("L" + strconv.Itoa(curve[i].At) + " " + one(s.y(curve[i].Min)))
	}
	return d.String() + "Z"
}

// hoursOf divides the width of a chart at round local times: every ten minutes if the chart has one hour, every hour up
// to six hours, and every four hours otherwise. All hours have the same width, also on a day on which summer time
// begins or ends.
func hoursOf(h *api.History, zone *time.Location) []stretch {
	every := 4 * time.Hour
	switch span := h.To.Sub(h.From); {
	case span <= time.Hour:
		every = 10 * time.Minute
	case span <= 6*time.Hour:
		every = time.Hour
	}
	var list []stretch
	begin := time.Time{}
	x := 0
	for t := h.From.Truncate(10 * time.Minute).Add(10 * time.Minute); t.Before(h.To); t = t.Add(10 * time.Minute) {
		local := t.In(zone)
		if (local.Hour()*60+local.Minute())%int(every.Minutes()) != 0 {
			continue
		}
		if at := h.Place(t, chartColumns); at > x {
			list = append(list, stretch{at - x, begin})
			x, begin = at, t
		}
	}
	const narrow = 40 // columns: a label does not fit into less
	if chartColumns-x < narrow {
		begin = time.Time{}
	}
	return append(list, stretch{chartColumns - x, begin})
}

// bandOf returns the runs of a history as a row of states. The time between two runs is an empty part. The last run is
// drawn up to the right edge if it ended less than ten minutes ago.
func bandOf(h *api.History) band {
	b := band{Name: h.Object}
	x := 0
	for i := range h.Runs {
		r := &h.Runs[i]
		from, to := max(h.Place(r.From, chartColumns), x), h.Place(r.To, chartColumns)
		if i == len(h.Runs)-1 && h.To.Sub(r.To) < 10*time.Minute {
			to = chartColumns
		}
		if from > x {
			b.Parts = append(b.Parts, part{Columns: from - x, Class: "none"})
			x = from
		}
		if to <= x {
			continue
		}
		words := r.Text()
		p := part{Columns: to - x, Words: words, Class: "tint" + strconv.Itoa(tint(words))}
		switch {
		case words == "":
			p.Words, p.Class = "none", "tint0"
		case h.Kind == api.HistoryBits:
			p.Words, p.Class = "▲ "+words, "alarm"
		}
		p.Thin = float64(p.Columns)*phoneColumn < float64(len([]rune(p.Words)))*8+8
		b.Parts, x = append(b.Parts, p), to
	}
	if x < chartColumns {
		b.Parts = append(b.Parts, part{Columns: chartColumns - x, Class: "none"})
	}
	return b
}

// tint returns the number of a shade, from 0 to 3. The same word always has the same shade.
func tint(word string) int {
	n := 0
	for _, r := range word {
		n = (n*31 + int(r)) % 1000003
	}
	return n % 4
}
