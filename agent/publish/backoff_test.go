package publish

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestBackoffStaysUnderItsCapAndSpreads(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b := backoff{rand: rand.New(rand.NewPCG(seed, 1))}
	longest := time.Duration(0)
	for i := range 2000 {
		ceiling := min(firstWait<<min(i, 20), capNetwork)
		d := b.fail(capNetwork)
		if d <= 0 || d > ceiling+time.Millisecond {
			t.Fatalf("failure %d waits %v, cap %v", i, d, ceiling)
		}
		longest = max(longest, d)
	}
	if longest < capNetwork/2 {
		t.Errorf("the longest of 2,000 waits is %v, want full jitter up to %v", longest, capNetwork)
	}
	if n := b.succeed(); n != 2000 {
		t.Errorf("%d failures counted", n)
	}
	if d := b.fail(capNetwork); d > firstWait+time.Millisecond {
		t.Errorf("after a success the first wait is %v", d)
	}
}
