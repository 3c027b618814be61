package agent

import (
	"testing"
	"time"

	"noi-agent/objects"
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

func TestRoundEndsWhenNothingWaits(t *testing.T) {
	r := newRound("x", time.Minute, nil)
	waits := []store.Delivery{{Run: 3}}
	if r.opens(waits, 3) {
		t.Error("open from the start")
	}
	r.open = true
	if !r.opens(waits, 3) {
		t.Error("it closed by itself")
	}
	r.over()
	if r.opens(waits, 3) {
		t.Error("it stays open when nothing waits")
	}
}

func TestWhatAnEarlierRunLeftHasWaitedEnough(t *testing.T) {
	r := newRound("x", time.Minute, nil)
	if !r.opens([]store.Delivery{{Run: 3}, {Run: 2}}, 3) {
		t.Error("it waits on")
	}
	var never round
	never.over()
	if !never.opens([]store.Delivery{{Run: 3}}, 3) {
		t.Error("an integration that collects nothing waits")
	}
}

func TestBellIsForIntegrationsThatHaveTheAlarm(t *testing.T) {
	var b bells
	sweep := objects.Sweep{
		Samples: []objects.Sample{{Object: "adc_ia", Value: objects.Number(1)}, {Object: "array_fault", Value: objects.Bits(nil), Alarm: true}},
		Routes:  []objects.Route{{Integration: "x", Picked: []int{0, 1}}, {Integration: "y", Picked: []int{0}}},
	}
	b.ring(&sweep)
	b.ring(&sweep) // does not wait for who does not listen
	if len(b.of("x")) != 1 || len(b.of("y")) != 0 {
		t.Errorf("x rung %d times, y %d times", len(b.of("x")), len(b.of("y")))
	}
	r := newRound("d", time.Minute, b.of("x"))
	if r.listen(); len(b.of("x")) != 1 {
		t.Error("a closed round has taken the bell's word")
	}
	r.open = true
	if r.listen(); len(b.of("x")) != 0 {
		t.Error("an open round leaves the bell for one more")
	}
}
