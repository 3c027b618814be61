package publish

import (
	"context"
	"slices"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/worker"
	"noi-agent/store"
)

// round is what an integration with `publish_every` may send: the sweeps that were in the outbox when the round opened.
// A round opens at each regular moment, when a fault or an alarm appears or ends, when an outage ends, when a forwarder
// begins, and when the agent ends. The zero round is for an integration that never waits. The forwarder owns it.
type round struct {
	every, phase time.Duration
	bell         <-chan struct{}
	at           time.Duration // monotonic: the next regular moment
	next         uint64        // number of the first sweep that waits for the next round
}

// phase is the time by which a gateway sends later than the multiples of an interval. Each gateway has another one, so
// that the gateways of a fleet do not send at the same time.
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

// until returns the time until the next regular moment, by monotonic time. If the last moment passed with nothing to
// send, the next one is not now: all gateways sample at the same moments.
func (r *round) until(now time.Duration) time.Duration {
	return r.every - (now-r.phase+r.every)%r.every
}

// begin sets the first regular moment. Samples that an earlier run, an edit or a pause has left do not wait for it.
func (r *round) begin(now time.Duration, next uint64) {
	if r.every > 0 {
		r.at = now + r.until(now)
		r.open(next)
	}
}

// open allows the sweeps with a number below next to be sent.
func (r *round) open(next uint64) { r.next = next }

// passed reports whether a regular moment has passed since the last call.
func (r *round) passed(now time.Duration) bool {
	if r.every == 0 || now < r.at {
		return false
	}
	r.at = now + r.until(now)
	return true
}

// rang reports whether a fault or an alarm has changed since the last call.
func (r *round) rang() bool {
	select {
	case <-r.bell:
		return true
	default:
		return false
	}
}

// left returns the time until the next regular moment; 0 when there is none.
func (r *round) left(now time.Duration) time.Duration {
	if r.every == 0 {
		return 0
	}
	return max(r.at-now, time.Millisecond)
}

// due returns the pending deliveries that may be sent in this round.
func (r *round) due(pending []store.Delivery) []store.Delivery {
	if r.every == 0 {
		return pending
	}
	n := slices.IndexFunc(pending, func(d store.Delivery) bool { return d.Seq >= r.next })
	if n < 0 {
		return pending
	}
	return pending[:n]
}

// look opens a round at its time, or when an alarm has changed. The sample of this alarm is then already in the outbox.
func (f *Forwarder) look() {
	passed, rang := f.round.passed(f.clock.Elapsed()), f.round.rang()
	if passed || rang || worker.Over(f.draining) {
		f.round.open(f.store.Next())
	}
}

// collect waits until a round opens. A replay continues meanwhile, because a person waits for its end. Gaps wait like
// samples.
func (f *Forwarder) collect(ctx context.Context) bool {
	if pause, worked := f.replayWindow(ctx); worked {
		return f.pause(ctx, pause)
	}
	end := f.wait(ctx, wait{most: f.round.left(f.clock.Elapsed()), bell: f.round.bell, asked: f.replays.asked})
	if end == rung {
		f.round.open(f.store.Next())
	}
	return end != stopped
}

// nextPublication is the next regular moment, by the wall clock and in seconds from now; nil when there is none. Any
// goroutine may call it, because phase and interval of a round do not change.
func (f *Forwarder) nextPublication() (at *time.Time, in *float64) {
	if f.round.every == 0 || !f.cfg.Enabled {
		return nil, nil
	}
	left := f.round.until(f.clock.Elapsed())
	return clock.WallTime(f.clock.Now().Add(left).Round(time.Second)), seconds(left)
}
