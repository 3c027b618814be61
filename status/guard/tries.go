package guard

import "time"

// After mostWrong wrong tries within tryWindow, of all clients together, the next tries must wait. A code has 40 bits
// and is valid for five minutes. With five tries a minute, the probability of a right guess is 1 in 40,000 million.
const (
	mostWrong = 5
	tryWindow = time.Minute
)

// tries remembers the last wrong tries.
type tries struct{ wrong []time.Duration } // when, oldest first; at most mostWrong

// wait returns how long the next try has to wait at now; 0: not at all.
func (t *tries) wait(now time.Duration) time.Duration {
	if len(t.wrong) < mostWrong {
		return 0
	}
	return max(0, t.wrong[0]+tryWindow-now)
}

// miss records a wrong try.
func (t *tries) miss(now time.Duration) {
	if len(t.wrong) == mostWrong {
		t.wrong = t.wrong[1:]
	}
	t.wrong = append(t.wrong, now)
}
