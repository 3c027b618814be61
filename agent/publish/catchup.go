package publish

import (
	"time"

	"noi-agent/configs"
)

const (
	// lateAfter is the age from which a sample counts as backlog. The time for which samples are collected is added.
	// A modem needs less time to connect.
	lateAfter = time.Minute
	// Burst is a number of seconds. While a backlog is sent at a rate, one attempt takes the samples of so many
	// seconds. This is enough to fill requests. An alarm waits behind one burst at most.
	Burst = 10
)

// window is the highest useful number of deliveries for one attempt.
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

// late returns how many deliveries of a batch are backlog; 0 when the integration has no rate for a backlog.
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

// spread returns the wait after late samples of a backlog or a replay, less the time that it took to send them.
func (f *Forwarder) spread(late int, taken time.Duration) time.Duration {
	if late == 0 || f.cfg.CatchUp.Rate == 0 {
		return 0
	}
	return max(0, time.Duration(late)*time.Second/time.Duration(f.cfg.CatchUp.Rate)-taken)
}
