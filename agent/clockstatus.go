package agent

import (
	"cmp"
	"fmt"
	"time"
)

// Words for the state of the clock.
const (
	clockGood   = "good"
	clockUnsure = "unsure"
)

// ClockStatus says where wall time comes from and how far it is believed.
type ClockStatus struct {
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

// status returns how the clock is, but for what waits for it.
func (w *wallClock) status() ClockStatus {
	_, v := w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := ClockStatus{
		Source: w.keys.Source, State: clockGood, Reason: v.reason, Service: cmp.Or(w.synch.Service, "none"), BootID: w.source.Boot,
		BootedAt: wallTime(w.trusted), LastGood: wallTime(w.floor), Steps: w.steps,
	}
	if !v.good {
		s.State = clockUnsure
	}
	return s
}

// clockStatus adds what waits, and the problem when there is one.
func (a *Agent) clockStatus(integrations []IntegrationStatus) (ClockStatus, []Problem) {
	s := a.clock.wall.status()
	for _, in := range integrations {
		if in.State == integrationClock {
			s.Held += in.Backlog
		}
	}
	if s.State == clockGood {
		return s, nil
	}
	detail := fmt.Sprintf("the clock says %s: %s; %d samples wait to be sent, each at most %v",
		a.clock.now().UTC().Format(time.RFC3339), s.Reason, s.Held, a.clock.wall.maxWait())
	if s.LastGood != nil {
		detail += "; the last good time is " + s.LastGood.Format(time.RFC3339)
	}
	return s, []Problem{clockUnset.of("agent", a.clock.wall.unsureSince(), detail)}
}

// unsureSince is the wall time, by the clock as it is now, since which the clock is unsure.
func (w *wallClock) unsureSince() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.booted.Add(w.since)
}

func (m metrics) clock(c *ClockStatus) {
	const good = "1 while the wall clock is right, or looks plausible."
	m.with("source", c.Source, "service", c.Service).gauge("clock_good", good, truth(c.State == clockGood))
	m.counter("clock_steps_total", "How often the wall clock was set since the start.", c.Steps)
	m.gauge("clock_held_samples", "Samples that wait for the clock, once for each integration.", float64(c.Held))
	m.moment("clock_last_good_timestamp_seconds", "The last time known to be right.", c.LastGood)
}
