package worker

import "time"

// Recently is how long a trouble is shown after it was seen for the last time.
const Recently = 10 * time.Minute

// Trouble is a fault that comes and goes, and is counted elsewhere. The zero Trouble was never seen.
type Trouble struct {
	N     uint64        // the count at the last look
	Since time.Time     // wall time of the first fault after a pause of Recently
	Begun time.Duration // the same, monotonic
	Last  time.Duration // monotonic time of the last fault
}

// Seen notes the count as it is now, at a monotonic and a wall time.
func (t *Trouble) Seen(n uint64, now time.Duration, wall time.Time) {
	if n == t.N {
		return
	}
	if !t.Live(now) {
		t.Since, t.Begun = wall, now
	}
	t.N, t.Last = n, now
}

// Live reports whether the trouble was seen within Recently.
func (t Trouble) Live(now time.Duration) bool { return t.N > 0 && now-t.Last < Recently }
