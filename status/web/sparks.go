package web

import (
	"strconv"
	"sync"
	"time"

	"noi-agent/status/api"
)

// daysFor is the time for which the small charts of the pages are kept. It is as long as a bucket of the history, so a
// newer chart would hardly look different. Ten controllers have 400 small charts.
const daysFor = 3 * time.Minute

// day is the small chart of a number over the last 24 h, or since the agent keeps its history.
type day struct {
	Line         markup // the chart; "": the history is empty or too short
	Lowest, Most string // lowest and highest value, with the decimals of the unit
	Over         string // the time that the chart covers: "24 h", "40 min"
	Building     bool   // the history is shorter than two hours
}

// days keeps the small charts for daysFor, so that many requests do not draw them again.
type days struct {
	mu    sync.Mutex
	since time.Time
	made  map[string]day // by "columns/line/unit id/object"; all are dropped daysFor after since
}

// dayOf returns the small chart of an object with this number of columns.
func (s *Site) dayOf(c *controller, object string, columns int) day {
	key, now := strconv.Itoa(columns)+"/"+c.Unit+"/"+object, s.o.Now()
	s.days.mu.Lock()
	defer s.days.mu.Unlock()
	if age := now.Sub(s.days.since); age < 0 || age >= daysFor || s.days.made == nil {
		s.days.since, s.days.made = now, map[string]day{}
	}
	d, made := s.days.made[key]
	if !made {
		if h, ok := s.o.Source.History(c.Line, c.UnitID, object, 24*time.Hour); ok {
			d = drawDay(&h, columns)
		}
		if !d.Building { // a short history changes too much with each sample
			s.days.made[key] = d
		}
	}
	return d
}

// leastKept is the shortest history that is drawn. It has three buckets.
const leastKept = 9 * time.Minute

// drawDay draws a history. A history that is shorter than its span is stretched over the whole width.
func drawDay(h *api.History, columns int) (d day) {
	if len(h.Buckets) == 0 {
		return d
	}
	low, high := h.Buckets[0].Min, h.Buckets[0].Max
	for i := range h.Buckets {
		low, high = min(low, h.Buckets[i].Min), max(high, h.Buckets[i].Max)
	}
	d.Lowest, d.Most = digits(float64(low), h.Unit), digits(float64(high), h.Unit)
	if kept := h.To.Sub(h.KeptSince); kept < h.To.Sub(h.From)-daysFor {
		h.From, d.Building = h.KeptSince, kept < 2*time.Hour
		if kept < leastKept {
			return d
		}
	}
	d.Over = age(int64(h.To.Sub(h.From).Seconds()))
	d.Line = spark(h, columns)
	return d
}
