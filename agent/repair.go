package agent

import (
	"context"
	"strings"
	"time"

	"noi-agent/sinks"
	"noi-agent/store"
)

// outgoing is a delivery with the time it is published with.
type outgoing struct {
	store.Delivery
	mended    time.Time // Sample.SampledAt where that is not as it was taken; zero: it is
	estimated bool      // nobody will ever know when exactly it was taken
}

// mark adds the attribute of an estimated time, whatever attributes the integration asks for.
func (o *outgoing) mark(attributes []sinks.Attribute) []sinks.Attribute {
	if o.estimated {
		attributes = append(attributes, sinks.Attribute{Name: "clock", Value: "estimated"})
	}
	return attributes
}

// at sets the time.
func (o *outgoing) at(t time.Time) {
	if !t.Equal(o.Sample.SampledAt) {
		o.Sample.SampledAt, o.mended = t, t
	}
}

// mend gives deliveries their time and returns those that may go now, up to the first that has to wait for the clock: order is kept.
// hold is how long that one waits yet.
func (f *forwarder) mend(pending []store.Delivery) (ready []outgoing, hold time.Duration) {
	booted, _ := f.clock.wall.look()
	_, up := f.clock.wall.read()
	ready = make([]outgoing, 0, len(pending))
	for _, d := range pending {
		o := outgoing{Delivery: d}
		switch s := d.Stamp; {
		case !s.Unsure:
		case s.SameBoot && f.clock.wall.unsettled() && up-s.Uptime < probeUnsure: // the moment of the boot is about to be known better
			return ready, probeUnsure - (up - s.Uptime)
		case !s.Booted.IsZero() && s.Uptime >= 0:
			o.at(s.Booted.Add(s.Uptime))
		case s.SameBoot && s.Uptime >= 0 && up-s.Uptime < f.clock.wall.maxWait():
			return ready, f.clock.wall.maxWait() - (up - s.Uptime)
		default:
			o.estimated = true
			o.at(f.estimate(&d, booted))
		}
		ready = append(ready, o)
	}
	return ready, 0
}

// estimate is the best that can be said of when a sample was taken whose clock was never known to be right: by the clock as it is now
// within the boot, else as it was then, and where that cannot be, so long after the last good time as the gateway had been up.
// That is never too late by more than the gateway was off, and never before what was already known to be over.
func (f *forwarder) estimate(d *store.Delivery, booted time.Time) time.Time {
	guesses := []time.Time{d.Sample.SampledAt}
	if d.Stamp.SameBoot && d.Stamp.Uptime >= 0 {
		guesses = []time.Time{booted.Add(d.Stamp.Uptime), d.Sample.SampledAt}
	}
	for _, t := range guesses {
		if !t.Before(d.Stamp.Floor) && !f.clock.wall.beyond(t) {
			return t
		}
	}
	return d.Stamp.Floor.Add(max(0, d.Stamp.Uptime))
}

// hold waits for the clock, until the sample at the front has waited long enough. What needs no clock goes meanwhile: of a clock
// that is never right, samples wait always.
func (f *forwarder) hold(ctx context.Context, most time.Duration, turned <-chan struct{}) bool {
	if worked, goesOn := f.meanwhile(ctx); worked {
		return goesOn
	}
	f.mu.Lock()
	if f.view.state != integrationClock {
		f.view.since = f.clock.now()
	}
	f.view.state = integrationClock
	f.mu.Unlock()
	end := f.wait(ctx, wait{most: most, turned: turned, asked: f.replays.asked})
	return end != draining && end != stopped
}

// blamed is the state of an integration whose last attempt failed. A certificate that is not valid yet, by a
// clock that is not known to be right, says something of the clock and not of the cloud.
func (f *forwarder) blamed(state string, r sinks.Result) string {
	const notYet = "certificate has expired or is not yet valid" // crypto/x509
	_, v := f.clock.wall.look()
	if !v.good && (r.Code == sinks.CodeClock || strings.Contains(r.Text, notYet)) {
		return integrationClock
	}
	return state
}
