package agent

import "time"

// clock is the two times the agent knows. Wall time stamps samples and messages and may step; elapsed is
// monotonic since the start and runs every schedule, wait and age.
type clock struct {
	now     func() time.Time
	elapsed func() time.Duration
	wall    *wallClock // how far now is to be believed
}

// sinceStart counts monotonic time from this call, on a source that a frozen wall clock does not touch.
func sinceStart(now func() time.Time) func() time.Duration {
	start := now()
	return func() time.Duration { return now().Sub(start) }
}
