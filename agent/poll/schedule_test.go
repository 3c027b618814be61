package poll

import (
	"slices"
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

func polledEvery(intervals ...time.Duration) []configs.Polled {
	out := make([]configs.Polled, len(intervals))
	for i, d := range intervals {
		out[i] = configs.Polled{Object: objects.Object{Name: string(rune('a' + i))}, Interval: d}
	}
	return out
}

// wall is 20 s past a full minute.
var wall = time.Date(2022, 6, 28, 8, 20, 20, 0, time.UTC)

func TestEverythingIsDueAtStartAndThenAtMultiplesOfTheInterval(t *testing.T) {
	for _, elapsed := range []time.Duration{0, time.Nanosecond, 7 * time.Second} {
		s := newSchedule(polledEvery(time.Minute, 5*time.Minute), elapsed, wall)
		if due := s.due(elapsed + 1); len(due) != 2 {
			t.Fatalf("due at start: %v", due)
		}
		s.done(0, elapsed+time.Second, elapsed+time.Second, 0)
		s.done(1, elapsed+time.Second, elapsed+time.Second, 0)
		at, ok := s.next()
		if want := elapsed + 40*time.Second; !ok || at != want {
			t.Errorf("next at %v, want %v: the full minute", at, want)
		}
		if due := s.due(elapsed + 40*time.Second); len(due) != 1 || due[0] != 0 {
			t.Errorf("due at the full minute: %v", due)
		}
		if due := s.due(elapsed + 40*time.Second - 1); len(due) != 0 {
			t.Errorf("due a moment before: %v", due)
		}
	}
}

func TestOverrunIsSkippedAndCountedNeverQueued(t *testing.T) {
	s := newSchedule(polledEvery(time.Second), time.Second, wall)
	s.items[0].read = true
	s.done(0, 1500*time.Millisecond, 1500*time.Millisecond, 0)
	// the next regular moments are at 2, 3, 4 … s; the line was busy until 5.2 s
	s.done(0, 5200*time.Millisecond, 5200*time.Millisecond, 0)
	if s.skipped() != 3 {
		t.Errorf("%d skipped, want those at 3, 4 and 5 s", s.skipped())
	}
	if at, _ := s.next(); at != 6*time.Second {
		t.Errorf("next at %v, want 6 s", at)
	}
}

// TestAMomentDuringASweepIsDueAtItsEnd: after a sweep that is longer than the log interval, or ends late, the next
// one follows at once. A failed read does not follow at once: it has its own wait.
func TestAMomentDuringASweepIsDueAtItsEnd(t *testing.T) {
	for _, c := range []struct {
		begun, ended time.Duration // the regular moments are at 2, 3, 4 … s
		read         bool
		due          time.Duration
		owed         uint64
	}{
		{2000 * time.Millisecond, 2500 * time.Millisecond, true, 3 * time.Second, 1},
		{2900 * time.Millisecond, 3100 * time.Millisecond, true, 3 * time.Second, 2}, // at once
		{2100 * time.Millisecond, 5200 * time.Millisecond, true, 5 * time.Second, 4}, // the others are skipped
		{2900 * time.Millisecond, 3100 * time.Millisecond, false, 4 * time.Second, 2},
		{2000 * time.Millisecond, 3000 * time.Millisecond, true, 3 * time.Second, 2},
	} {
		s := newSchedule(polledEvery(time.Second), time.Second, wall)
		s.items[0].read = c.read
		if s.done(0, c.begun, c.ended, 0); s.items[0].at() != c.due || s.items[0].owed != c.owed {
			t.Errorf("%+v: due at %v, %d owed", c, s.items[0].at(), s.items[0].owed)
		}
		if s.done(0, c.ended, c.ended+100*time.Millisecond, 0); s.items[0].owed > c.owed || s.items[0].at() <= c.ended {
			t.Errorf("%+v: after the next sweep due at %v, %d owed", c, s.items[0].at(), s.items[0].owed)
		}
	}
}

// TestWhatWasDueTogetherStaysTogether: a regular moment comes during a change of the schedule.
func TestWhatWasDueTogetherStaysTogether(t *testing.T) {
	elapsed := 2*time.Second - 5*time.Millisecond
	p := &Poller{clock: clock.Clock{Elapsed: func() time.Duration { elapsed += time.Millisecond; return elapsed }}}
	s := &slave{plan: newSchedule(polledEvery(slices.Repeat([]time.Duration{time.Second}, 20)...), time.Second, wall),
		replies: newReplies(), planner: modbus.NewPlanner(modbus.Settings{}, 0, nil)}
	w := &work{begun: time.Second, batch: s.newDueSet(s.plan.due(time.Second))}
	for i := range w.batch.read {
		w.batch.read[i] = true
	}
	p.finish(t.Context(), s, w, nil)
	for _, at := range []time.Duration{2 * time.Second, 3 * time.Second} {
		if due := s.plan.due(at); len(due) != 20 {
			t.Errorf("at %v %d of 20 are due", at, len(due))
		}
	}
}

func TestFailedReadIsTriedAgainBeforeALongIntervalEnds(t *testing.T) {
	s := newSchedule(polledEvery(time.Hour, time.Second), 10*time.Second, wall)
	s.done(0, 11*time.Second, 11*time.Second, retryAfter)
	s.done(1, 10500*time.Millisecond, 10500*time.Millisecond, retryAfter)
	if at := s.items[0].at(); at != 21*time.Second {
		t.Errorf("the hourly object is due at %v, want 21 s", at)
	}
	if at := s.items[1].at(); at != 11*time.Second {
		t.Errorf("the object with an interval of 1 s is due at %v, want its next moment at 11 s", at)
	}
	s.done(0, 21*time.Second, 21*time.Second, 0)
	if at := s.items[0].at(); at != 10*time.Second+39*time.Minute+40*time.Second {
		t.Errorf("after the retry the hourly object is due at %v, want the full hour", at)
	}
}

func TestWhatALineMissedIsCountedAndDueOnceItIsBack(t *testing.T) {
	s := newSchedule(polledEvery(time.Second, time.Hour), time.Second, wall)
	s.done(0, 1100*time.Millisecond, 1100*time.Millisecond, 0)
	s.done(1, 1100*time.Millisecond, 1100*time.Millisecond, 0)
	if missed := s.passOver(5500*time.Millisecond, objects.GapLine); missed != 4 {
		t.Errorf("%d missed, want those at 2, 3, 4 and 5 s", missed)
	}
	if due := s.due(5500 * time.Millisecond); len(due) != 1 || due[0] != 0 {
		t.Errorf("due at once: %v, want the object that missed its moments", due)
	}
	s.done(0, 5600*time.Millisecond, 5600*time.Millisecond, 0)
	if at, _ := s.next(); at != 6*time.Second || s.skipped() != 0 {
		t.Errorf("next at %v with %d skipped, want 6 s and none", at, s.skipped())
	}
}

func TestPhaseIsRightBefore1970Too(t *testing.T) {
	if d := untilMultiple(time.Unix(-10, 0), time.Minute); d != 10*time.Second {
		t.Errorf("ten seconds before 1970 the next full minute is in %v", d)
	}
}

// TestASlowStartMissesNothing: the first reply comes after the first regular moment, and counts as its sample. The
// start itself is not a regular moment.
func TestASlowStartMissesNothing(t *testing.T) {
	// times from a regular moment to the start
	for begin, missing := range map[time.Duration]uint64{8 * time.Second: 0, 0: 1} {
		wall := time.Date(2022, 6, 28, 8, 20, 0, 0, time.UTC).Add(begin)
		s := newSchedule([]configs.Polled{{Object: objects.Object{Name: "x"}, Interval: 10 * time.Second}}, time.Minute, wall)
		s.beginAt(time.Minute, time.Minute, time.Minute, "why")
		answered := time.Minute + 11*time.Second - begin
		s.done(0, answered, answered, 0)
		if gap, ok := s.items[0].gap(wall.Add(answered-time.Minute), answered, 0); gap.Count != missing || ok != (missing > 0) {
			t.Errorf("begun %v after a regular moment: %+v, want %d missing", begin, gap, missing)
		}
	}
}

// TestAReloadLosesNoMoment: if the poller before a reload has not read a due object, the next poller counts this moment
// as missing.
func TestAReloadLosesNoMoment(t *testing.T) {
	polled := polledEvery(10 * time.Second)
	before := newSchedule(polled, time.Minute, wall) // at a full multiple: the next moment is 10 s later
	before.done(0, time.Minute, time.Minute, 0)
	before.items[0].delivered(time.Minute, 0)
	begun := 70*time.Second + 5*time.Millisecond // the moment at 70 s was not read
	after := newSchedule(polled, begun, wall.Add(begun-time.Minute))
	after.beginAt(begun, begun, begun, "why")
	after.takeUp(before, begun)
	if it := after.items[0]; it.owed != 1 || it.last != time.Minute {
		t.Errorf("%d owed since %v, want 1 since 1m0s", it.owed, it.last)
	}
	after.takeUp(nil, begun)
	if it := after.items[0]; it.owed != 1 {
		t.Errorf("%d owed without an earlier schedule", it.owed)
	}
}

// TestTheEndCountsWhatPassedWhileTheSlaveWasGivenTime: a read fails, and the poller ends before the next read.
func TestTheEndCountsWhatPassedWhileTheSlaveWasGivenTime(t *testing.T) {
	begun := time.Minute
	s := newSchedule(polledEvery(time.Second), begun, wall)
	s.beginAt(begun, begun, begun, "why") // begun is a regular moment
	it := &s.items[0]
	it.blame(objects.GapBus, 1)
	s.done(0, begun, begun+1500*time.Millisecond, retrySoon)
	end := begun + 4200*time.Millisecond
	gap, after, ok := it.atEnd(end, wall.Add(end-begun), end)
	if !ok || gap.Count != 5 { // the begin, and those after 1, 2, 3 and 4 s
		t.Errorf("%+v, want 5 missing", gap)
	}
	if at, want := after.next, begun+5*time.Second; at != want {
		t.Errorf("the next moment is at %v, want %v: a reload would count others twice", at, want)
	}
}

// TestAReplyThatIsHandedOnLateEndsNoLaterGap: a reply waits for the identification of its controller, and two moments
// pass in the meantime. They do not belong to the gap before the reply, but to the next gap.
func TestAReplyThatIsHandedOnLateEndsNoLaterGap(t *testing.T) {
	s := newSchedule(polledEvery(10*time.Second), time.Minute, wall) // the first moment is at 70 s
	it := &s.items[0]
	s.passOver(95*time.Second, "silent") // 70, 80 and 90 s
	read, moments := 96*time.Second, it.moments
	s.done(0, read, read, 0)
	s.passOver(115*time.Second, "silent") // 100 and 110 s
	if gap, ok := it.gap(wall, read, it.later(moments)); !ok || gap.Count != 2 {
		t.Errorf("%d missing before the reply, want those at 70 and 80 s", gap.Count)
	}
	it.delivered(read, it.later(moments))
	s.done(0, 120*time.Second, 120*time.Second, 0)
	gap, ok := it.gap(wall, 120*time.Second, it.later(it.moments))
	if !ok || gap.Count != 2 || gap.Reason != "silent" {
		t.Errorf("%d missing for %q before the next reply, want those at 100 and 110 s", gap.Count, gap.Reason)
	}
}

// TestANewPhaseForgetsNoMoment: three moments pass without a sample while a service sets the clock. The schedule then
// changes to the phase of the right clock.
func TestANewPhaseForgetsNoMoment(t *testing.T) {
	s := newSchedule(polledEvery(10*time.Second), time.Minute, wall) // the first moment is at 70 s
	it := &s.items[0]
	// 70, 80 and 90 s have passed; the next moment of the new phase is at 103 s
	s.rephase(95*time.Second, wall.Add(32*time.Second))
	if it.at() > 95*time.Second || it.next != 103*time.Second {
		t.Errorf("due at %v, and then at %v; want at once, and at 1m43s", it.at(), it.next)
	}
	s.passOver(125*time.Second, "silent") // 103, 113 and 123 s
	if gap, _, ok := it.atEnd(125*time.Second, wall, 125*time.Second); !ok || gap.Count != 6 {
		t.Errorf("%d missing at the end, want those at 70, 80, 90, 103, 113 and 123 s", gap.Count)
	}
}

// polledOf returns the objects of a schedule.
func polledOf(s *schedule) (polled []configs.Polled) {
	for i := range s.items {
		polled = append(polled, s.items[i].polled)
	}
	return polled
}
