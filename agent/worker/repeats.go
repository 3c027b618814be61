package worker

import (
	"log/slog"
	"time"
)

// repeatEvery is the shortest time between two log lines about failures.
const repeatEvery = 30 * time.Second

// Repeats logs a failure that repeats. The first failure is logged at once. Further failures are logged at most once in
// repeatEvery, so that the log of a bad line does not wear out the flash. A recovery is logged with the number of
// failures if one of them was logged. The zero Repeats is ready for use. One goroutine owns a Repeats.
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
