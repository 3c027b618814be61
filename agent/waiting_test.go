package agent_test

import (
	"context"
	"testing"
	"time"

	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

// An estimated time stays an estimate, even in a message that was first rejected. A dead letter does not wait for
// samples that wait for a clock which is never right.
func TestADeadLetterOfAnEstimatedTimeIsMarkedWhenItIsSentAgain(t *testing.T) {
	in(t, func(g *gateway) {
		g.set(-years(30))
		rejected := sinks.Failed(sinks.Reject, "InvalidParameter", "no such thing")
		g.catcher.refuses(&rejected)
		s := g.start("clock: {max_wait: 10m}\n")
		defer s.stop()
		time.Sleep(10*time.Minute + 25*time.Second) // the samples of the first 25 s have waited long enough
		g.of("Et_float", 0)
		in := s.status().Integrations[0]
		g.catcher.refuses(nil)
		begun := time.Now()
		ctx, cancel := context.WithTimeout(g.t.Context(), 5*time.Minute)
		defer cancel()
		err := s.agent.RetryDeadLetters(ctx, in.ID, nil, func(any) error { return nil })
		if took := time.Since(begun); err != nil || in.Dead == 0 || s.status().Integrations[0].Dead != 0 || took > 5*time.Second {
			// the next sample has waited long enough in eight seconds
			t.Errorf("%d dead letters, %v after %v", in.Dead, err, took)
		}
		for _, c := range g.of("Et_float", -1) {
			if c.clock != "estimated" {
				t.Errorf("sent again as %+v", c)
			}
		}
	})
}

// A gap with a known time is reported although samples wait for the clock now.
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
		time.Sleep(20 * time.Second) // from now on there is always a waiting sample
		g.catcher.refuses(nil)
		time.Sleep(10 * time.Minute)
		if in := s.status().Integrations[0]; in.State != "waiting_for_clock" {
			t.Errorf("the state is %s", in.State)
		}
		g.of("", 3)
	})
}

// An estimated time stays an estimate in a replay too, and when the row of that replay is published again.
func TestAReplayOfAnEstimatedTimeIsMarkedEachTime(t *testing.T) {
	in(t, func(g *gateway) {
		g.set(-years(30))
		s := g.start("clock: {max_wait: 10s}\nbuffer: {retain_after_ack: 24h}\n")
		defer s.stop()
		time.Sleep(25 * time.Second)
		if err := <-s.replay(store.Range{}).done; err != nil {
			g.t.Fatal(err)
		}
		row := rowsOf(g.t, s, api.TriggerQuery{Object: "Et_float", Limit: 1})[0]
		if !row.Replayed {
			g.t.Fatalf("the newest row is %+v", row)
		}
		before := len(g.of("Et_float", -1))
		if _, err := s.agent.PublishTrigger(g.t.Context(), row.ID); err != nil {
			g.t.Fatal(err)
		}
		for _, c := range g.of("Et_float", before+1) {
			if c.clock != "estimated" {
				g.t.Errorf("published as %+v", c)
			}
		}
	})
}
