package clock

import "time"

// Clock is the two times the agent knows. Wall time stamps samples and messages and may step; elapsed is
// monotonic since the start and runs every schedule, wait and age.
type Clock struct {
	Now     func() time.Time
	Elapsed func() time.Duration
	Wall    *Wall // judges whether Now is right
}

// SinceStart counts monotonic time from this call. A test that freezes the wall clock does not freeze this time.
func SinceStart(now func() time.Time) func() time.Duration {
	start := now()
	return func() time.Duration { return now().Sub(start) }
}
