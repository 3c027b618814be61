package publish

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"noi-agent/configs"
)

// Caps of the wait between two attempts. Faults of the network pass by themselves. Faults that an operator must correct
// take as long as a person takes.
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

// newBackoff returns the backoff of an integration. The seed is of the gateway and the integration, so each has other
// waits.
func newBackoff(deviceID string, in *configs.Integration) backoff {
	return backoff{rand: rand.New(rand.NewPCG(seedOf(deviceID), seedOf(in.ID)))}
}

// fail counts a failure and returns how long to wait now, never more than limit.
func (b *backoff) fail(limit time.Duration) time.Duration {
	return b.failAfter(limit, 0)
}

// failAfter is fail for a cloud that has asked for a least wait. It returns this wait plus jitter. The jitter is as
// long as the wait, up to limit. Without it a fleet that a cloud sends away for 30 s would come back within one second.
func (b *backoff) failAfter(limit, least time.Duration) time.Duration {
	ceiling := min(max(firstWait<<min(b.failures, maxDoublings), least), limit)
	b.failures++
	return least + b.jitter(ceiling)
}

// jitter returns any time up to most, never zero.
func (b *backoff) jitter(most time.Duration) time.Duration {
	return time.Duration(b.rand.Int64N(int64(most))) + time.Millisecond
}

// succeed forgets the failures and returns how many there were.
func (b *backoff) succeed() int {
	n := b.failures
	b.failures = 0
	return n
}

// seedOf gives each gateway a seed of its own, so that the gateways of a fleet do not send at the same time.
func seedOf(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return h.Sum64()
}
