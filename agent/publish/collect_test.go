package publish

import (
	"testing"
	"time"

	"noi-agent/store"
)

func TestRoundsAreOnTheGatewaysOwnPhase(t *testing.T) {
	const every = 10 * time.Minute
	seen := map[time.Duration]bool{}
	for _, id := range []string{"5300520006504b5957343920", "5300520006504b5957343921", "5300520006504b5957343922"} {
		p := phase(id, every)
		if p < 0 || p >= every || seen[p] {
			t.Errorf("the phase of %s is %v", id, p)
		}
		seen[p] = true
		for _, now := range []time.Duration{1, p, p + 1, p + every - 1, p + every, 100 * time.Hour} {
			r := newRound(id, every, nil)
			if wait := r.until(now); wait <= 0 || wait > every || (now+wait-p)%every != 0 {
				t.Errorf("after %v the next round of phase %v is in %v", now, p, wait)
			}
		}
	}
}

func TestRoundTakesWhatWasThereWhenItOpened(t *testing.T) {
	waits := []store.Delivery{{Seq: 3}, {Seq: 4}, {Seq: 4}, {Seq: 5}}
	r := newRound("x", time.Minute, nil)
	r.begin(time.Hour, 5)
	if n := len(r.due(waits)); n != 3 {
		t.Errorf("%d may be sent, want the 3 that waited at the begin", n)
	}
	r.open(6)
	if n := len(r.due(waits)); n != 4 {
		t.Errorf("%d may be sent, want all", n)
	}
	var never round
	never.begin(time.Hour, 5)
	if n := len(never.due(waits)); n != 4 || never.left(time.Hour) != 0 || never.passed(2*time.Hour) {
		t.Errorf("an integration without collection waits: %d may be sent", n)
	}
}

func TestRegularMomentPassesOnce(t *testing.T) {
	r := newRound("x", time.Minute, nil)
	r.begin(time.Hour, 1)
	at := time.Hour + r.left(time.Hour)
	if r.passed(at - 1) {
		t.Error("the moment has passed too early")
	}
	if !r.passed(at) || r.passed(at) || r.passed(at+time.Minute-1) {
		t.Error("the moment does not pass exactly once")
	}
	if !r.passed(at+10*time.Minute) || r.passed(at+10*time.Minute) || r.left(at+10*time.Minute) != time.Minute {
		t.Error("the moment does not pass exactly once if it is checked late")
	}
}
