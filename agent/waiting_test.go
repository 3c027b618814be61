package agent_test

import (
	"context"
	"testing"
	"time"

	"noi-agent/sinks"
)

// A guess stays one, also in a message that was rejected first; and what waits for a clock that is never right holds no
// dead letter up.
func TestADeadLetterOfAnEstimatedTimeIsMarkedWhenItIsSentAgain(t *testing.T) {
	in(t, func(g *gateway) {
		g.set(-years(30))
		rejected := sinks.Failed(sinks.Reject, "InvalidParameter", "no such thing")
		g.catcher.refuses(&rejected)
		s := g.start("clock: {max_wait: 10m}\n")
		defer s.stop()
		time.Sleep(10*time.Minute + 25*time.Second) // those of the first 25 s have waited long enough
		g.of("Et_float", 0)
		in := s.status().Integrations[0]
		g.catcher.refuses(nil)
		begun := time.Now()
		ctx, cancel := context.WithTimeout(g.t.Context(), 5*time.Minute)
		defer cancel()
		err := s.agent.RetryDeadLetters(ctx, in.ID, nil, func(any) error { return nil })
		if took := time.Since(begun); err != nil || in.Dead == 0 || s.status().Integrations[0].Dead != 0 || took > 5*time.Second {
			t.Errorf("%d dead letters, %v after %v", in.Dead, err, took) // the next sample has waited long enough in eight seconds
		}
		for _, c := range g.of("Et_float", -1) {
			if c.clock != "estimated" {
				t.Errorf("sent again as %+v", c)
			}
		}
	})
}

// A gap of a time that was known is reported though samples wait for the clock now.
func TestSamplesThatWaitForTheClockHoldNoGapUp(t *testing.T) {
	in(t, func(g *gateway) {
		g.gaps = true
		silent := silenced(g.slave)
		s := g.start("")
		time.Sleep(25 * time.Second)
		silent.Store(true)
		time.Sleep(40 * time.Second)
		g.catcher.refuses(&away)
		silent.Store(false)
		time.Sleep(30 * time.Second)
		s.stop()
		g.of("", 0) // a gap's message has no object of its own

		g.reboot("boot-2")
		g.set(-years(30))
		s = g.start("")
		defer s.stop()
		time.Sleep(20 * time.Second) // from now on something waits at any time
		g.catcher.refuses(nil)
		time.Sleep(10 * time.Minute)
		if in := s.status().Integrations[0]; in.State != "waiting_for_clock" {
			t.Errorf("it is %s", in.State)
		}
		g.of("", 3)
	})
}
