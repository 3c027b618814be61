package agent_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// Setting the clock changes no age: the age of the last success stays right, in the status and in the sentence.
func TestTheAgeOfTheLastSuccessIsUnmovedByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.set(-years(10)) // the clock is set while the agent runs
		s := g.start("clock: {source: system}\n")
		if age := s.status().Integrations[0].LastSuccessAgeS; age != nil {
			t.Errorf("%d s since the last success, before the first", *age)
		}
		time.Sleep(time.Minute + 3*time.Second)
		g.catcher.refuses(&away)
		before := s.status()
		g.set(0)
		time.Sleep(5 * time.Second)
		after := s.status()
		s.stop()
		old, now := before.Integrations[0].LastSuccessAgeS, after.Integrations[0].LastSuccessAgeS
		if old == nil || now == nil || *now != *old+5 {
			t.Fatalf("age of the last success: %v before the clock was set, %v five seconds later", old, now)
		}
		if ago, ok := wording.SinceSuccess(&after, g.now()); !ok || ago != time.Duration(*now)*time.Second {
			t.Errorf("the last message was %v ago, want %d s", ago, *now)
		}
	})
}

// The same is true for the oldest waiting sample, for the values, and for the start of the gateway.
func TestAgesAreUnmovedByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.set(-years(10))
		g.catcher.refuses(&away)
		s := g.start("clock: {source: system}\n")
		defer s.stop()
		time.Sleep(10 * time.Second)
		ages := func() (all []int64) {
			in, rows := s.status().Integrations[0], s.agent.Objects().Objects
			if in.OldestAgeS == nil || in.NextAttemptInS == nil || *in.NextAttemptInS > 60 || len(rows) == 0 {
				t.Fatalf("no age in %+v, or none in %+v", in, rows)
			}
			return append(all, *in.OldestAgeS, rows[0].AgeS)
		}
		before := ages()
		booted := s.status().Clock.BootedAgeS
		g.set(0)
		if after := ages(); !slices.Equal(after, before) || after[0] < 5 || after[0] > 10 {
			t.Errorf("ages %v before the clock was set, %v after", before, after)
		}
		if now := s.status().Clock.BootedAgeS; booted == nil || now == nil || *now != *booted {
			t.Errorf("the gateway was started %v s ago, and after the clock was set %v s", booted, now)
		}
		rows, err := s.agent.Triggers(api.TriggerQuery{})
		if err != nil || len(rows.Triggers) == 0 {
			t.Fatal(rows, err)
		}
		if row := rows.Triggers[0]; row.AgeS != nil && *row.AgeS > 10 || row.NextAttemptInS == nil {
			t.Errorf("a row with an age of %v s", row.AgeS)
		}
	})
}
