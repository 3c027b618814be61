package agent

import (
	"log/slog"
	"time"
)

// repeatEvery is how often a failure that goes on is logged again.
const repeatEvery = 30 * time.Second

// repeats logs a failure that repeats: the first at once, then one line per 30 s, and at the end
// "recovered after N failures in D". One goroutine owns it.
type repeats struct {
	failures int
	since    time.Duration
	logged   time.Duration
}

func (r *repeats) failed(log *slog.Logger, elapsed time.Duration, message string, err error) {
	r.failures++
	if r.failures == 1 {
		r.since = elapsed
	} else if elapsed-r.logged < repeatEvery {
		return
	}
	r.logged = elapsed
	log.Warn(message, "error", err, "failures", r.failures)
}

func (r *repeats) recovered(log *slog.Logger, elapsed time.Duration, message string) {
	if r.failures == 0 {
		return
	}
	log.Info(message, "after_failures", r.failures, "in", (elapsed - r.since).Round(time.Millisecond))
	r.failures = 0
}
