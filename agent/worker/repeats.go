package worker

import (
	"log/slog"
	"time"
)

// repeatEvery is how often a failure that goes on is logged again.
const repeatEvery = 30 * time.Second

// Repeats logs a failure that repeats: the first one at once, then one line in 30 s, and the recovery with the number
// of failures. A failure that comes and goes is logged once in 30 s too, with its recovery; counters count the others,
// because the log of a noisy line must not wear out the flash. One goroutine owns a Repeats.
type Repeats struct {
	failures int           // in a row
	since    time.Duration // monotonic time of the first of them
	last     time.Duration // monotonic time of the last log line
	ever     bool          // there was a log line
	logged   bool          // these failures have a log line
}

// Failed notes a failure at a monotonic time.
func (r *Repeats) Failed(log *slog.Logger, elapsed time.Duration, message string, err error) {
	r.failures++
	if r.failures == 1 {
		r.since = elapsed
	}
	if r.ever && elapsed-r.last < repeatEvery {
		return
	}
	r.last, r.ever, r.logged = elapsed, true, true
	log.Warn(message, "error", err, "failures", r.failures)
}

// Recovered notes a success at a monotonic time.
func (r *Repeats) Recovered(log *slog.Logger, elapsed time.Duration, message string) {
	if r.failures == 0 {
		return
	}
	if r.logged {
		log.Info(message, "after_failures", r.failures, "in", (elapsed - r.since).Round(time.Millisecond))
	}
	r.failures, r.logged = 0, false
}
