package clock

import "time"

// Clock has the two times of the agent. Now returns wall time, which stamps samples and messages, and may step. Elapsed
// returns the monotonic time since the start, which every schedule, wait and age uses.
type Clock struct {
	Now     func() time.Time
	Elapsed func() time.Duration
	Wall    *Wall // judges whether Now is right
}

// SinceStart returns a function that returns the monotonic time since this call.
func SinceStart(now func() time.Time) func() time.Duration {
	start := now()
	return func() time.Duration { return now().Sub(start) }
}
