package agent

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/sinks"
)

// TestALinkThatBreaksCarriesNoRequestOftenForNothing: Pub/Sub, a backlog, and a modem that needs 10 ms for a message and
// breaks every few seconds. What is lost with a request goes again as a whole: with a thousand messages in each it was
// 2.83 and 8.50 messages for each sample.
func TestALinkThatBreaksCarriesNoRequestOftenForNothing(t *testing.T) {
	const each, samples = 10 * time.Millisecond, 24_000
	for holds, most := range map[time.Duration]float64{10 * time.Second: 2.3, 5 * time.Second: 3} {
		t.Run(fmt.Sprint(holds), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, begin := newFar(100*time.Millisecond), time.Now()
				c.window, c.shape.Several, c.each = 1000, false, each
				c.fate = func(rnd *rand.Rand, m []sinks.Message) fate {
					takes := float64(len(m)) * each.Seconds()
					return fate{lost: rnd.Float64() > math.Exp(-takes/holds.Seconds())}
				}
				drainFar(t, c, samples, 4, "")
				sent := float64(len(c.arrivals())) / samples
				t.Logf("%.2f messages for each sample, %d requests, %v", sent, c.requests, time.Since(begin))
				if sent > most {
					t.Errorf("%.2f messages went out for each sample, want %.2f at most", sent, most)
				}
			})
		})
	}
}
