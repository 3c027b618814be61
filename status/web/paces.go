package web

import (
	"slices"
	"sync"
	"time"

	"noi-agent/status/api"
)

const (
	// paceOver is the longest time over which the pace of an integration is measured. Most objects are logged every
	// minute or more often. Ten minutes also reduce the effect of objects that are logged every hour.
	paceOver = 10 * time.Minute
	// paceFrom is the shortest time over which the pace is measured. In a shorter time the pace is not known.
	paceFrom = 30 * time.Second
	// paceStep is the shortest time between two readings of the counters.
	paceStep = 5 * time.Second
)

// paces has readings of the counters of the integrations. Each request for a page makes a reading.
type paces struct {
	mu       sync.Mutex
	readings []reading // the oldest first, none older than paceOver
}

// reading has the values of the counters at one time.
type reading struct {
	at           time.Time
	integrations map[string]flow // by id
}

// flow has the counters of an integration: the messages that wait, and the messages that were sent or rejected.
type flow struct{ backlog, out float64 }

// pace is the rate of the messages of an integration.
type pace struct {
	Known   bool          // the readings cover at least paceFrom
	In, Out float64       // new messages and finished messages, in messages a minute
	Empty   time.Duration // until no message waits; 0: at this pace never
}

// note adds a reading of the counters. now is wall time. If the wall clock was set back, the measurement starts again.
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

// of returns the pace of an integration, from the oldest to the newest reading that have it.
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
