package clock

import (
	"cmp"
	"time"
)

// Words for the state of the clock.
const (
	Good   = "good"
	Unsure = "unsure"
)

// Status says where wall time comes from and how far it is believed.
type Status struct {
	Source   string     `json:"source"`    // as configured: auto | system
	State    string     `json:"state"`     // good | unsure
	Reason   string     `json:"reason"`    // in words
	Service  string     `json:"service"`   // timesyncd | chrony | none
	BootID   string     `json:"boot_id"`   // the kernel's, or one that was drawn for this run
	BootedAt *time.Time `json:"booted_at"` // when the gateway was started, by a clock that was right; null: not known
	LastGood *time.Time `json:"last_good"` // the last time known to be right, or the date of the build; null: neither is known
	Steps    uint64     `json:"steps"`     // how often the clock was set since the start
	Held     uint64     `json:"held"`      // samples that wait for it; a sample counts once for each integration that it goes to
}

// Status returns how the clock is, but for what waits for it.
func (w *Wall) Status() Status {
	_, v := w.Look()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{
		Source: w.keys.Source, State: Good, Reason: v.reason, Service: cmp.Or(w.synch.Service, "none"), BootID: w.source.Boot,
		BootedAt: WallTime(w.trusted), LastGood: WallTime(w.floor), Steps: w.steps,
	}
	if !v.Good {
		s.State = Unsure
	}
	return s
}

// UnsureSince is the wall time, by the clock as it is now, since which the clock is unsure.
func (w *Wall) UnsureSince() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.booted.Add(w.since)
}

// WallTime prints in UTC with whole seconds; nil for the zero time.
func WallTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
