package web

import (
	"strconv"
	"sync"
	"time"

	"noi-agent/status/api"
)

// daysFor is the time for which the small lines of the pages are kept. A bucket of the history is as long, so newer
// lines would hardly look different. Ten controllers have 400 lines.
const daysFor = 3 * time.Minute

// day is the history of a number in the last 24 h, or since the agent began to keep it.
type day struct {
	Line         markup // the small line; "": nothing is kept yet
	Lowest, Most string // with the digits of the unit
	Over         string // "24 h", "40 min": how long the line is
	Building     bool   // the history is too short for a line that says something
}

// days are the histories of all values. Each is made once for a while.
type days struct {
	mu    sync.Mutex
	since time.Time
	made  map[string]day // by "columns/line/unit id/object"
}

// dayOf returns the day of an object, drawn with so many columns.
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
		if !d.Building { // a history that is building up changes with each look
			s.days.made[key] = d
		}
	}
	return d
}

// leastKept is the shortest history that is drawn: three buckets.
const leastKept = 9 * time.Minute

// drawDay draws a history. One that is younger than its span is drawn over the time that it has.
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
