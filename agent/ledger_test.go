package agent

import (
	"testing"
	"time"

	"noi-agent/objects"

	"github.com/google/go-cmp/cmp"
)

func takenAt(at time.Time, booted time.Time, unsure bool, object string) *taken {
	return &taken{
		source: objects.Source{Line: "a", UnitID: 1}, samples: []objects.Sample{{Object: object, SampledAt: at}},
		every: []time.Duration{time.Minute}, bootedAt: booted, unsure: unsure,
	}
}

func TestMissingMomentsTakeNumbers(t *testing.T) {
	l := newLedger(7, time.Time{})
	for range 2 {
		l.number(takenAt(wall, wall, false, "Et_float"))
	}
	next := takenAt(wall, wall, false, "Et_float")
	next.gaps = []objects.Gap{{Object: "Et_float", Count: 5, Reason: objects.GapBus}}
	gaps := l.number(next)
	want := []objects.Gap{{Unit: "a/1", Object: "Et_float", Run: 7, First: 3, Last: 7, Count: 5, Reason: objects.GapBus}}
	if diff := cmp.Diff(want, gaps); diff != "" || next.samples[0].Seq != 8 {
		t.Errorf("the sample after it is number %d, gaps (-want +got):\n%s", next.samples[0].Seq, diff)
	}
}

func TestTheTimeWithoutAnAgentIsAGap(t *testing.T) {
	down := time.Date(2022, 6, 28, 8, 20, 30, 0, time.UTC)
	for _, c := range []struct {
		at      time.Duration // of the first sample, after down
		missing uint64
	}{
		{20 * time.Second, 0}, {40 * time.Second, 0}, {100 * time.Second, 1}, {time.Hour, 59}, {-time.Hour, 0},
	} {
		l := newLedger(2, down)
		at := down.Add(c.at)
		gaps := l.number(takenAt(at, at.Add(-time.Minute), false, "Et_float"))
		if c.missing == 0 {
			if len(gaps) != 0 {
				t.Errorf("first sample after %v: gaps %+v", c.at, gaps)
			}
			continue
		}
		want := []objects.Gap{{Unit: "a/1", Object: "Et_float", From: down, To: at, Count: c.missing, Reason: objects.GapAgent}}
		if diff := cmp.Diff(want, gaps); diff != "" {
			t.Errorf("first sample after %v (-want +got):\n%s", c.at, diff)
		}
		if gaps := l.number(takenAt(at.Add(time.Minute), at, false, "Et_float")); len(gaps) != 0 {
			t.Errorf("told twice: %+v", gaps)
		}
	}
}

func TestTheTimeWithoutAnAgentIsToldWhenTheClockIsRight(t *testing.T) {
	down := time.Date(2022, 6, 28, 8, 20, 30, 0, time.UTC)
	l := newLedger(2, down)
	wrong := time.Unix(100, 0) // ten seconds after the boot, as the clock says
	if gaps := l.number(takenAt(wrong, wrong.Add(-10*time.Second), true, "Et_float")); len(gaps) != 0 {
		t.Errorf("nobody knows the time, and yet: %+v", gaps)
	}
	booted := down.Add(time.Hour)
	gaps := l.number(takenAt(booted.Add(90*time.Second), booted, false, "EV_float"))
	if len(gaps) != 2 || !gaps[0].To.Equal(booted.Add(10*time.Second)) || gaps[0].Count != 59 || gaps[1].Object != "EV_float" {
		t.Errorf("gaps %+v", gaps)
	}
}

// TestNoGapVanishesWhileTheClockIsWrong holds far more gaps back than stay single, with a clock that is set in between and is still wrong.
func TestNoGapVanishesWhileTheClockIsWrong(t *testing.T) {
	l := newLedger(7, time.Time{})
	const rounds, objectsHeld = 3 * maxHeld, 3
	reasons := []string{objects.GapBus, objects.GapOverrun}
	wrong := time.Unix(100, 0).UTC() // the boot, as the clock says
	for n := range rounds {
		if n == rounds/2 {
			wrong = wrong.Add(24 * time.Hour)
		}
		at := wrong.Add(time.Duration(n+1) * time.Minute)
		next := takenAt(at, wrong, true, "Et_float")
		object := []string{"Et_float", "EV_float", "T_amb"}[n%objectsHeld]
		next.gaps = []objects.Gap{{Object: object, From: at.Add(-time.Minute), To: at, Count: 2, Reason: reasons[n/objectsHeld%2]}}
		if gaps := l.number(next); len(gaps) != 0 {
			t.Fatalf("nobody knows the time, and yet: %+v", gaps)
		}
	}
	gaps := l.number(takenAt(wall, wall, false, "Et_float"))
	if len(gaps) != maxHeld+objectsHeld*len(reasons) {
		t.Errorf("%d gaps", len(gaps))
	}
	count, end := uint64(0), time.Time{}
	for _, g := range gaps {
		count += g.Count
		if g.To.After(end) {
			end = g.To
		}
		if g.Run != 7 || g.First == 0 || g.Last < g.First+g.Count-1 || !g.From.Before(g.To) || g.From.Before(wall) {
			t.Errorf("%+v", g)
		}
	}
	if want := wall.Add(rounds * time.Minute); count != 2*rounds || !end.Equal(want) {
		t.Errorf("%d samples missing until %v, not %d until %v", count, end, 2*rounds, want)
	}
	if more := l.rest(); len(more) != 0 || len(l.fold) != 0 {
		t.Errorf("told twice: %+v", more)
	}
}

// What is folded into one goes on for as long as its last piece does.
func TestAFoldedGapEndsWithItsLastPiece(t *testing.T) {
	for _, ongoing := range []bool{true, false} {
		l := newLedger(7, time.Time{})
		for n := range maxHeld + 2 {
			at := wall.Add(time.Duration(n) * time.Minute)
			next := takenAt(at, wall, true, "Et_float")
			next.gaps = []objects.Gap{{Object: "Et_float", From: at.Add(-time.Minute), To: at, Count: 1, Reason: objects.GapBus, Ongoing: ongoing == (n == maxHeld+1)}}
			l.number(next)
		}
		gaps := l.rest()
		if last := gaps[len(gaps)-1]; len(gaps) != maxHeld+1 || last.Count != 2 || last.Ongoing != ongoing {
			t.Errorf("%d gaps, the last %+v, want one that goes on: %v", len(gaps), last, ongoing)
		}
	}
}

// A controller that needs a while after a power cut does not hide that there was no agent before.
func TestTheTimeWithoutAnAgentIsToldThoughTheBusIsSilentAtFirst(t *testing.T) {
	down := time.Date(2022, 6, 28, 8, 20, 30, 0, time.UTC)
	l := newLedger(2, down)
	begun := down.Add(time.Hour)
	first := takenAt(begun.Add(5*time.Minute), begun.Add(-time.Minute), false, "Et_float")
	first.gaps = []objects.Gap{{Object: "Et_float", From: begun, To: begun.Add(5 * time.Minute), Count: 4, Reason: objects.GapBus}}
	first.due = []time.Duration{time.Minute}
	gaps := l.number(first)
	if len(gaps) != 2 || first.samples[0].Seq != 5 {
		t.Fatalf("sample %d, gaps %+v", first.samples[0].Seq, gaps)
	}
	want := objects.Gap{Unit: "a/1", Object: "Et_float", From: down, To: begun.Add(time.Minute), Count: 60, Reason: objects.GapAgent}
	if diff := cmp.Diff(want, gaps[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if gaps := l.number(takenAt(begun.Add(6*time.Minute), begun, false, "Et_float")); len(gaps) != 0 {
		t.Errorf("told twice: %+v", gaps)
	}
}
