package clock

import (
	"cmp"
	"time"

	"noi-agent/status/api"
)

// The states of the clock in the status.
const (
	Good   = "good"
	Unsure = "unsure"
)

// Status returns the state of the clock, without the number of samples that wait for it.
func (w *Wall) Status() api.Clock {
	_, v := w.Look()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := api.Clock{
		Source: w.keys.Source, State: Good, Reason: v.reason, Service: cmp.Or(w.synch.Service, "none"),
		BootID:   w.source.Boot,
		BootedAt: WallTime(w.trusted), LastGood: WallTime(w.floor), Steps: w.steps,
	}
	if s.BootedAt != nil {
		age := int64(w.source.Uptime().Seconds())
		s.BootedAgeS = &age
	}
	if !v.Good {
		s.State = Unsure
	}
	return s
}

// UnsureSince returns the wall time, by the present clock, since which the clock is unsure.
func (w *Wall) UnsureSince() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.booted.Add(w.since)
}

// WallTime returns a time in UTC with whole seconds; nil for the zero time.
func WallTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
