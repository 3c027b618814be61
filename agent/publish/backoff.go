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

// backoff waits with full jitter: a random time up to a limit that doubles with each failure. Without jitter, all
// gateways that lost their cloud at the same time would connect again at the same time.
type backoff struct {
	rand     *rand.Rand
	failures int
}

// newBackoff returns the backoff of an integration. The seed comes from the gateway and the integration, so that each
// has different waits.
func newBackoff(deviceID string, in *configs.Integration) backoff {
	return backoff{rand: rand.New(rand.NewPCG(seedOf(deviceID), seedOf(in.ID)))}
}

// fail counts a failure and returns how long to wait now, never more than limit.
func (b *backoff) fail(limit time.Duration) time.Duration {
	return b.failAfter(limit, 0)
}

// failAfter is fail for a cloud that has asked for a least wait. It returns this wait plus jitter. The jitter is as
// long as the wait, up to limit. Without the jitter, a fleet that a cloud has asked to wait for 30 s would come back
// within one second.
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

// seedOf gives each gateway another seed, so that the gateways of a fleet do not send at the same time.
func seedOf(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return h.Sum64()
}
