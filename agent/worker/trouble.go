package worker

import "time"

// Recently is the time for which a trouble is shown after its last fault.
const Recently = 10 * time.Minute

// Trouble is a fault that comes and goes, and that another part of the program counts. The zero Trouble has no fault.
type Trouble struct {
	N     uint64        // the count at the last look
	Since time.Time     // wall time of the first fault after a pause of Recently
	Begun time.Duration // the same, monotonic
	Last  time.Duration // monotonic time of the last fault
}

// Seen notes the present count of faults. now is monotonic time, wall the wall time.
func (t *Trouble) Seen(n uint64, now time.Duration, wall time.Time) {
	if n == t.N {
		return
	}
	if !t.Live(now) {
		t.Since, t.Begun = wall, now
	}
	t.N, t.Last = n, now
}

// Live reports whether the last fault was less than Recently ago.
func (t Trouble) Live(now time.Duration) bool { return t.N > 0 && now-t.Last < Recently }
