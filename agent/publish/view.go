package publish

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/worker"
	"noi-agent/sinks"
)

// Words for the state of an integration in the status.
const (
	integrationIdle     = "idle"     // nothing was sent yet
	IntegrationOK       = "ok"       // the last attempt was accepted
	integrationRetrying = "retrying" // a failure of the network or the cloud, which ends without an operator
	integrationWaiting  = "waiting"  // the operator must do something
	integrationPaused   = "paused"
	IntegrationClock    = "waiting_for_clock" // the gateway's clock is not known to be right
)

// view keeps what the status shows of an integration. It logs the changes too. The forwarder's goroutine changes it,
// and any goroutine may read it.
type view struct {
	clock  clock.Clock
	log    *slog.Logger
	repeat worker.Repeats

	mu    sync.Mutex
	shown shown
}

// shown is the data for the status, except the store's counters.
type shown struct {
	state       string
	since       time.Time     // wall time since which the state holds
	begun       time.Duration // the same, monotonic
	lastSuccess time.Time     // wall time; zero: never in this run
	succeeded   time.Duration // the same, monotonic
	lastError   string        // of the last attempt; empty when all of it was accepted
	next        time.Duration // monotonic: the next attempt after a failure; 0: none is waited for

	refuses      string         // the kinds of samples that the topic refuses, in words; empty: none
	refusesSince time.Time      // wall time
	skewedSince  time.Time      // wall time since which the cloud shows that the clock is wrong; zero: it does not
	drops        worker.Trouble // samples deleted unsent
}

// nextIn notes for the status when the next attempt after a failure is made; 0: no such attempt is waited for.
func (v *view) nextIn(pause time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shown.next = 0; pause > 0 {
		v.shown.next = v.clock.Elapsed() + pause
	}
}

// failed notes a failed attempt. Some of its messages may be accepted.
func (v *view) failed(state string, r sinks.Result, accepted int, at time.Time) {
	v.repeat.Failed(v.log, v.clock.Elapsed(), "publishing failed", r)
	v.mu.Lock()
	defer v.mu.Unlock()
	if accepted > 0 {
		v.shown.lastSuccess, v.shown.succeeded = at, v.clock.Elapsed()
	}
	v.turnLocked(state, at)
	v.shown.lastError = r.Error()
}

// succeeded notes an answer of the cloud. rejected is the result of a message that the cloud does not accept; zero: it
// accepted all.
func (v *view) succeeded(accepted int, at time.Time, rejected sinks.Result) {
	v.repeat.Recovered(v.log, v.clock.Elapsed(), "publishing recovered")
	v.mu.Lock()
	defer v.mu.Unlock()
	if accepted > 0 {
		v.shown.lastSuccess, v.shown.succeeded = at, v.clock.Elapsed()
	}
	v.turnLocked(IntegrationOK, at)
	v.shown.lastError = rejected.Error()
}

// turn notes the state, and the time since which it lasts.
func (v *view) turn(state string, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.turnLocked(state, at)
}

func (v *view) turnLocked(state string, at time.Time) {
	if v.shown.state != state {
		v.shown.since, v.shown.begun = at, v.clock.Elapsed()
	}
	v.shown.state = state
}

// now returns what the status shows.
func (v *view) now() shown {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shown
}

// noteDrops notes how many samples of the integration were deleted unsent, in all runs, and returns this count for the
// status.
func (v *view) noteDrops(n uint64) worker.Trouble {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shown.drops.Seen(n, v.clock.Elapsed(), v.clock.Now())
	return v.shown.drops
}

// noteSkew notes whether the answer of a cloud that accepts messages shows that the gateway's clock differs from the
// cloud's.
func (v *view) noteSkew(results []sinks.Result, at time.Time) {
	skewed := slices.ContainsFunc(results, func(r sinks.Result) bool { return r.Skewed })
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case !skewed:
		v.shown.skewedSince = time.Time{}
	case v.shown.skewedSince.IsZero():
		v.shown.skewedSince = at
	}
}

// noteRefusals notes the kinds of samples that the topic refuses, as the sink knows after the last attempt.
func (v *view) noteRefusals(words string, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case words != "" && v.shown.refuses == "":
		v.shown.refusesSince = at
		v.log.Warn("samples are set aside", "error", words)
	case words == "" && v.shown.refuses != "":
		v.log.Info("the topic takes all kinds of samples again")
	}
	v.shown.refuses = words
}

// fault returns the last error for the status: the error of the last attempt, or the kinds of samples that the topic
// refuses.
func (s *shown) fault() string { return cmp.Or(s.lastError, s.refuses) }
