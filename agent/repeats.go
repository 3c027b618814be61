package agent

import (
	"log/slog"
	"time"
)

// repeatEvery is how often a failure that goes on is logged again.
const repeatEvery = 30 * time.Second

// repeats logs a failure that repeats: the first at once, then one line per 30 s, and at the end
// "recovered after N failures in D". One that comes and goes is logged once per 30 s too, with its end, and the rest of them
// is left to the counters: a noisy line must not wear out the flash by its log. One goroutine owns it.
type repeats struct {
	failures int
	since    time.Duration
	logged   time.Duration
	ever     bool // something was logged, at logged
	told     bool // of this failure
}

func (r *repeats) failed(log *slog.Logger, elapsed time.Duration, message string, err error) {
	r.failures++
	if r.failures == 1 {
		r.since = elapsed
	}
	if r.ever && elapsed-r.logged < repeatEvery {
		return
	}
	r.logged, r.ever, r.told = elapsed, true, true
	log.Warn(message, "error", err, "failures", r.failures)
}

func (r *repeats) recovered(log *slog.Logger, elapsed time.Duration, message string) {
	if r.failures == 0 {
		return
	}
	if r.told {
		log.Info(message, "after_failures", r.failures, "in", (elapsed - r.since).Round(time.Millisecond))
	}
	r.failures, r.told = 0, false
}
