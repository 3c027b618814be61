package agent

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/sinks"
	"noi-agent/store/storetest"
)

// TestLostAnswersCarryNoRequestOftenForNothing sends a backlog to Pub/Sub. The answers are lost at random, or the
// link is a modem that needs 10 ms for a message and breaks every few seconds. A lost request is sent again as a
// whole: with a thousand messages in each, the modem carried 2.83 and 8.50 messages for each sample.
func TestLostAnswersCarryNoRequestOftenForNothing(t *testing.T) {
	samples := storetest.Simulated(8_000, 24_000)
	random := func(share float64) func(*rand.Rand, []sinks.Message) fate {
		return func(rnd *rand.Rand, _ []sinks.Message) fate { return fate{lost: rnd.Float64() < share} }
	}
	const each = 10 * time.Millisecond
	breaks := func(holds time.Duration) func(*rand.Rand, []sinks.Message) fate {
		return func(rnd *rand.Rand, m []sinks.Message) fate {
			takes := float64(len(m)) * each.Seconds()
			return fate{lost: rnd.Float64() > math.Exp(-takes/holds.Seconds())}
		}
	}
	for _, tt := range []struct {
		name string
		each time.Duration // time of a message on the link
		fate func(*rand.Rand, []sinks.Message) fate
		most float64 // messages for each sample
	}{
		{"10 % lost", 0, random(0.1), 1.3},
		{"30 % lost", 0, random(0.3), 1.8},
		{"50 % lost", 0, random(0.5), 2.6},
		{"holds for 10 s", each, breaks(10 * time.Second), 2.3},
		{"holds for 5 s", each, breaks(5 * time.Second), 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, begin := newFar(100*time.Millisecond), time.Now()
				c.window, c.shape.Several, c.each, c.fate = 1000, false, tt.each, tt.fate
				drainFar(t, c, samples, 4, "")
				sent := float64(len(c.arrivals())) / float64(samples)
				t.Logf("%.2f messages for each sample, %d requests, %v", sent, c.requests, time.Since(begin))
				if sent > tt.most {
					t.Errorf("%.2f messages went out for each sample, want %.2f at most", sent, tt.most)
				}
			})
		})
	}
}
