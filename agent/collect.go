package agent

import (
	"context"
	"slices"
	"sync"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
)

// round is when an integration with `publish_every` speaks. It is open from the moment at which that has passed, a fault or an
// alarm came or went, or the agent ends, until nothing waits any more: a backlog is not sent in pieces. The zero round is that of an
// integration that never waits. The forwarder owns it.
type round struct {
	every, phase time.Duration
	bell         <-chan struct{}
	open         bool
}

// phase is by how much a gateway speaks later than the multiples of an interval: another one for each, so that a fleet does not speak
// all at once.
func phase(deviceID string, every time.Duration) time.Duration {
	return time.Duration(seedOf(deviceID) % uint64(every))
}

// newRound returns the rounds of an integration.
func newRound(deviceID string, every time.Duration, bell <-chan struct{}) round {
	if every == 0 {
		return round{}
	}
	return round{every: every, phase: phase(deviceID, every), bell: bell}
}

// until returns how long it is until the next regular moment, by monotonic time. It is not at once when the last one has passed with nothing to
// send: all gateways sample at the same moments.
func (r *round) until(now time.Duration) time.Duration {
	return r.every - (now-r.phase+r.every)%r.every
}

// listen takes note of the alarms that the next look at the outbox will find. Those that come later open a round of their own.
func (r *round) listen() {
	if !r.open {
		return
	}
	select {
	case <-r.bell:
	default:
	}
}

// over ends a round: nothing waits.
func (r *round) over() { r.open = false }

// opens reports whether what waits may go. What an earlier run has left has waited enough.
func (r *round) opens(pending []store.Delivery, run uint64) bool {
	left := func(d store.Delivery) bool { return d.Run != run }
	r.open = r.open || r.every == 0 || slices.ContainsFunc(pending, left)
	return r.open
}

// gather waits until a round opens. False: the agent ends without another publication.
func (f *forwarder) gather(ctx context.Context, draining <-chan struct{}) bool {
	r := &f.round
	timer := time.NewTimer(r.until(f.clock.elapsed()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.bell:
	case <-draining:
	case <-ctx.Done():
		return false
	}
	r.open = true
	return true
}

// nextPublication is the next regular moment by the wall clock; nil when there is none. Others than the forwarder may ask: phase and
// interval of a round stay as they are.
func (f *forwarder) nextPublication() *time.Time {
	if f.round.every == 0 || !f.cfg.Enabled {
		return nil
	}
	at := f.clock.now().Add(f.round.until(f.clock.elapsed())).Round(time.Second)
	return wallTime(at)
}

// bells are rung for integrations whose faults or alarms have changed, for forwarders that collect. They outlive a reload.
type bells struct {
	mu sync.Mutex
	by map[string]chan struct{}
}

// of returns the bell of an integration. It is rung once, however often.
func (b *bells) of(integration string) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by == nil {
		b.by = map[string]chan struct{}{}
	}
	if b.by[integration] == nil {
		b.by[integration] = make(chan struct{}, 1)
	}
	return b.by[integration]
}

// ring tells those that an urgent sweep goes to with a fault or an alarm. The outbox has it already.
func (b *bells) ring(sweep *objects.Sweep) {
	alarms := func(i int) bool { return sweep.Samples[i].Alarm }
	for _, route := range sweep.Routes {
		if !slices.ContainsFunc(route.Picked, alarms) {
			continue
		}
		select {
		case b.of(route.Integration) <- struct{}{}:
		default:
		}
	}
}
