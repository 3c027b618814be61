package web

import (
	"slices"
	"sync"
	"time"

	"noi-agent/status/api"
)

const (
	// paceOver is over how long the pace of an integration is measured: a minute has all objects that are logged each
	// minute, and ten of them even out what comes hourly.
	paceOver = 10 * time.Minute
	// paceFrom is the shortest time that says something.
	paceFrom = 30 * time.Second
	// paceStep is the time between two readings of the counters at least.
	paceStep = 5 * time.Second
)

// paces are readings of the counters of the integrations, made when a page is asked for.
type paces struct {
	mu       sync.Mutex
	readings []reading // the oldest first, over paceOver
}

// reading has the values of the counters at a moment.
type reading struct {
	at           time.Time
	integrations map[string]flow
}

// flow has the counters of an integration.
type flow struct{ backlog, out float64 }

// pace is the rate at which messages come and go.
type pace struct {
	Known   bool // pages were asked for long enough
	In, Out float64
	Empty   time.Duration // until nothing waits; 0: not at this pace
}

// note reads the counters at a moment of the wall clock. After a clock that goes back the measurement starts again.
func (p *paces) note(now time.Time, s *api.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.readings); n > 0 {
		switch age := now.Sub(p.readings[n-1].at); {
		case age < 0 || age > paceOver:
			p.readings = nil
		case age < paceStep:
			return
		}
	}
	r := reading{now, map[string]flow{}}
	for i := range s.Integrations {
		in := &s.Integrations[i]
		r.integrations[in.ID] = flow{float64(in.Backlog), float64(in.Sent + in.Failed)}
	}
	p.readings = append(p.readings, r)
	p.readings = slices.DeleteFunc(p.readings, func(r reading) bool { return now.Sub(r.at) > paceOver })
}

// of returns the pace of an integration in messages a minute, from all readings.
func (p *paces) of(id string) pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.readings) == 0 {
		return pace{}
	}
	last := p.readings[len(p.readings)-1]
	first := last
	for _, r := range slices.Backward(p.readings) {
		if _, there := r.integrations[id]; !there {
			break
		}
		first = r
	}
	minutes := last.at.Sub(first.at).Minutes()
	a, b := first.integrations[id], last.integrations[id]
	if minutes < paceFrom.Minutes() || b.out < a.out {
		return pace{}
	}
	out := (b.out - a.out) / minutes
	in := max(out+(b.backlog-a.backlog)/minutes, 0)
	known := pace{Known: true, In: in, Out: out}
	if shrinks := out - in; b.backlog > 0 && shrinks > 0 {
		known.Empty = time.Duration(b.backlog / shrinks * float64(time.Minute))
	}
	return known
}
