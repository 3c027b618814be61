package publish

import (
	"time"

	"noi-agent/configs"
)

const (
	// lateAfter is from which age on a sample counts as backlog, beside the time for which it was collected: longer
	// than a modem needs to dial.
	lateAfter = time.Minute
	// Burst is how many seconds' worth of samples one attempt takes while a backlog is sent at a rate: enough to fill
	// requests, and an alarm waits no longer behind it.
	Burst = 10
)

// window is how many deliveries are worth asking for at once.
func (f *Forwarder) window() int {
	if f.cfg.Envelope == configs.EnvelopeBatch {
		return BatchWindow
	}
	return f.circuit.window(f.atRate(f.sink.Window()))
}

// atRate returns how many of n samples one attempt may have.
func (f *Forwarder) atRate(n int) int {
	if rate := f.cfg.CatchUp.Rate; rate > 0 {
		return min(n, Burst*rate)
	}
	return n
}

// late returns how many of a batch are backlog; 0 when the integration has no rate for that.
func (f *Forwarder) late(batch []outgoing) (n int) {
	if f.cfg.CatchUp.Rate == 0 {
		return 0
	}
	now := f.clock.Now()
	for i := range batch {
		if now.Sub(batch[i].Sample.SampledAt) > lateAfter+f.cfg.PublishEvery {
			n++
		}
	}
	return n
}

// spread returns how long to wait after so many samples of a backlog or a replay, sending them having taken some of it.
func (f *Forwarder) spread(late int, taken time.Duration) time.Duration {
	if late == 0 || f.cfg.CatchUp.Rate == 0 {
		return 0
	}
	return max(0, time.Duration(late)*time.Second/time.Duration(f.cfg.CatchUp.Rate)-taken)
}
