package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/status/wording"
)

// A clock that is set changes no age: the last success stays as long ago as it is, in the status and in the sentence.
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
