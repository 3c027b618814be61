package agent

import (
	"math/rand/v2"
	"time"
)

// Caps of the wait between two attempts (DESIGN §10): faults of the network pass by themselves,
// those that wait for the operator take as long as a person takes.
const (
	firstWait    = time.Second
	capNetwork   = 60 * time.Second
	capOperator  = 5 * time.Minute
	maxDoublings = 16 // beyond any cap, and far from overflow
)

// backoff waits with full jitter: any time up to a limit that doubles with each failure. Full jitter
// keeps a fleet that lost its cloud together from coming back together.
type backoff struct {
	rand     *rand.Rand
	failures int
}

// fail counts a failure and returns how long to wait now, never more than limit.
func (b *backoff) fail(limit time.Duration) time.Duration {
	ceiling := min(firstWait<<min(b.failures, maxDoublings), limit)
	b.failures++
	return time.Duration(b.rand.Int64N(int64(ceiling))) + time.Millisecond
}

// succeed forgets the failures and returns how many there were.
func (b *backoff) succeed() int {
	n := b.failures
	b.failures = 0
	return n
}
