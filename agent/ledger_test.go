package agent

import (
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"

	"noi-agent/agent/poll"

	"github.com/google/go-cmp/cmp"
)

func takenAt(at time.Time, booted time.Time, unsure bool, object string) *poll.Sweep {
	return &poll.Sweep{
		Source: objects.Source{Line: "a", UnitID: 1}, Samples: []objects.Sample{{Object: object, SampledAt: at}},
		Every: []time.Duration{time.Minute}, BootedAt: booted, Unsure: unsure,
	}
}

func TestMissingMomentsTakeNumbers(t *testing.T) {
	l := newLedger(7, map[store.Accounted]store.Account{})
	for range 2 {
		l.number(takenAt(started, started, false, "Et_float"))
	}
	next := takenAt(started, started, false, "Et_float")
	next.Gaps = []objects.Gap{{Object: "Et_float", From: started, To: started, Count: 5, Reason: objects.GapBus}}
	next.Due = []time.Duration{time.Minute}
	at := store.Instant{Run: 7, At: started}
	want := []store.Span{{
		Gap:    objects.Gap{Unit: "a/1", Object: "Et_float", Run: 7, From: started, To: started, First: 3, Last: 7, Count: 5, Reason: objects.GapBus},
		Begins: at, Ends: at,
	}}
	if diff := cmp.Diff(want, l.number(next)); diff != "" || next.Samples[0].Seq != 8 {
		t.Errorf("the sample after the gap is number %d, gaps (-want +got):\n%s", next.Samples[0].Seq, diff)
	}
}

// accounted is the state of one object in the store at the begin of run 2.
func accounted(object string, until time.Time, every time.Duration) map[store.Accounted]store.Account {
	return map[store.Accounted]store.Account{
		{Unit: "a/1", Object: object}: {Until: store.Instant{Run: 1, At: until, Uptime: time.Hour}, Every: every},
	}
}

// TestTheTimeWithoutAnAgentIsAGap: the gap goes from the last sample to the first one. It counts by the old log
// interval, is reported once, and only for an object that was sampled before.
func TestTheTimeWithoutAnAgentIsAGap(t *testing.T) {
	last := time.Date(2022, 6, 28, 8, 20, 30, 0, time.UTC)
	l := newLedger(2, accounted("Et_float", last, 5*time.Minute))
	at := last.Add(time.Hour)
	want := []store.Span{{
		Gap:    objects.Gap{Unit: "a/1", Object: "Et_float", Reason: objects.GapAgent},
		Begins: store.Instant{Run: 1, At: last, Uptime: time.Hour},
		Ends:   store.Instant{Run: 2, At: at, Uptime: time.Minute, Unsure: true}, Every: 5 * time.Minute,
	}}
	if diff := cmp.Diff(want, l.number(takenAt(at, at.Add(-time.Minute), true, "Et_float"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if spans := l.number(takenAt(at.Add(time.Minute), at, false, "Et_float")); len(spans) != 0 {
		t.Errorf("reported twice: %+v", spans)
	}
	if spans := l.number(takenAt(at, at.Add(-time.Minute), false, "EV_float")); len(spans) != 0 {
		t.Errorf("a gap of an object that was not sampled before: %+v", spans)
	}
}

// A controller that answers late after a power cut does not hide the time without an agent.
func TestTheTimeWithoutAnAgentIsToldThoughTheBusIsSilentAtFirst(t *testing.T) {
	last := time.Date(2022, 6, 28, 8, 20, 30, 0, time.UTC)
	l := newLedger(2, accounted("Et_float", last, time.Minute))
	begun := last.Add(time.Hour)
	first := takenAt(begun.Add(5*time.Minute), begun.Add(-time.Minute), false, "Et_float")
	first.Gaps = []objects.Gap{{Object: "Et_float", From: begun, To: begun.Add(5 * time.Minute), Count: 4, Reason: objects.GapBus}}
	first.Due = []time.Duration{time.Minute}
	spans := l.number(first)
	if len(spans) != 2 || first.Samples[0].Seq != 5 {
		t.Fatalf("sample %d, gaps %+v", first.Samples[0].Seq, spans)
	}
	if sp := spans[0]; sp.Gap.Reason != objects.GapAgent || !sp.Ends.At.Equal(begun.Add(time.Minute)) {
		t.Errorf("%+v", sp)
	}
}

// TestASweepAccountsForItsSamplesAndForGapsThatNothingFollows.
func TestASweepAccountsForItsSamplesAndForGapsThatNothingFollows(t *testing.T) {
	l := newLedger(2, nil)
	sweep := takenAt(started, started.Add(-time.Minute), false, "Et_float")
	sweep.Gaps = []objects.Gap{{Object: "Et_float", To: started.Add(-time.Second)}, {Object: "EV_float", To: started}}
	sweep.Due = []time.Duration{time.Minute, time.Hour}
	samples, gaps := l.accounts(sweep)
	at := store.Instant{Run: 2, At: started, Uptime: time.Minute}
	want := map[store.Accounted]store.Account{{Unit: "a/1", Object: "Et_float"}: {Until: at, Every: time.Minute}}
	wantGaps := map[store.Accounted]store.Account{{Unit: "a/1", Object: "EV_float"}: {Until: at, Every: time.Hour}}
	if diff := cmp.Diff(want, samples) + cmp.Diff(wantGaps, gaps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestASensorThatWasNeverThereIsNotMissed.
func TestASensorThatWasNeverThereIsNotMissed(t *testing.T) {
	l := newLedger(2, accounted("T_batt", started.Add(-time.Hour), time.Minute))
	sweep := &poll.Sweep{Source: objects.Source{Line: "a", UnitID: 1}}
	for _, object := range []string{"T_rts", "T_batt"} {
		sweep.Blanks = append(sweep.Blanks, poll.Blank{Object: object, At: started, Every: time.Minute})
	}
	if spans := l.number(sweep); len(spans) != 1 || spans[0].Gap.Object != "T_batt" {
		t.Errorf("gaps %+v, want the one of T_batt", spans)
	}
	samples, _ := l.accounts(sweep)
	want := map[store.Accounted]store.Account{
		{Unit: "a/1", Object: "T_batt"}: {Until: store.Instant{Run: 2, At: started}, Every: time.Minute},
	}
	for key, a := range samples {
		a.Until.Uptime = 0 // no sweep of this test has a boot
		samples[key] = a
	}
	if diff := cmp.Diff(want, samples); diff != "" {
		t.Error(diff)
	}
}

// started is 20 s past a full minute.
var started = time.Date(2022, 6, 28, 8, 20, 20, 0, time.UTC)
