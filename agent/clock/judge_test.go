package clock

import (
	"strings"
	"testing"
	"time"

	"noi-agent/configs"
)

// TestWhatIsBelieved has the rules of docs/time.md.
func TestWhatIsBelieved(t *testing.T) {
	now := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	const up = 10 * time.Hour
	boot := now.Add(-up) // by the present clock
	synched := func(at time.Time) Synch { return Synch{Service: chrony, Synched: true, At: at} }
	unsynched := Synch{Service: timesyncd}
	year := 365 * 24 * time.Hour
	for _, c := range []struct {
		name         string
		system, mute bool // mute: there was no answer of a source yet
		built        time.Time
		synch        Synch
		floor        time.Time
		trusted      time.Time
		from         time.Time // last time at which the clock was set; zero: the boot
		good, ages   bool
		reason       string
	}{
		{name: "nothing is known", good: true, ages: true, reason: "looks plausible"},
		{name: "all that is known fits", built: now.Add(-year), floor: now.Add(-time.Minute), good: true, ages: true, reason: "looks plausible"},
		{name: "no time service has answered yet", mute: true, reason: "being asked"},
		{name: "no time service has answered yet, but the clock was right", mute: true, trusted: boot, good: true, ages: true, reason: "looks plausible"},
		{name: "source system, whatever speaks against it", system: true, built: now.Add(year), synch: unsynched, floor: now.Add(year), good: true, ages: true, reason: "clock.source"},

		{name: "before the build", built: now.Add(time.Second), reason: "before the program was built, 2026-11-25T08:00:01Z"},
		{name: "before the build, although a service reports synchronised", built: now.Add(time.Second), synch: synched(now), trusted: boot, reason: "before the program was built"},
		{name: "long after the build", built: now.Add(-21 * year), trusted: boot, reason: "20 years after"},
		{name: "long after the build, and a service says so", built: now.Add(-21 * year), synch: synched(now), good: true, ages: true, reason: "chrony has synchronised"},

		{name: "a service does not know", synch: unsynched, reason: "timesyncd has not synchronised it"},
		{name: "a service does not know any more", synch: unsynched, trusted: boot, good: true, ages: true, reason: "was right in this boot"},
		{name: "a service knows", synch: synched(now.Add(-8 * time.Hour)), good: true, ages: true, reason: "chrony has synchronised"},
		{name: "a service that does not say when", synch: synched(time.Time{}), good: true, ages: true, reason: "chrony has synchronised"},
		{name: "a service knows, and the last good time was wrong", synch: synched(now), floor: now.Add(year), good: true, ages: true, reason: "chrony has synchronised"},
		{name: "a service has measured before it was set", synch: synched(now.Add(-2 * time.Hour)), from: now.Add(-time.Hour), reason: "not confirmed"},
		{name: "a service has measured after it was set", synch: synched(now.Add(-time.Hour)), from: now.Add(-time.Hour), good: true, ages: true, reason: "chrony has synchronised"},
		{name: "a service has measured in the future", synch: synched(now.Add(time.Hour)), reason: "not confirmed"},
		{name: "a service has measured before the boot", synch: synched(boot.Add(-time.Hour)), reason: "not confirmed"},

		{name: "before the last good time", floor: now.Add(3 * time.Minute), reason: "before the last time known to be right, 2026-11-25T08:03:00Z"},
		{name: "a little before the last good time", floor: now.Add(time.Minute), good: true, ages: true, reason: "looks plausible"},
		{name: "set by an hour", trusted: boot.Add(-time.Hour), good: true, ages: true, reason: "looks plausible"},
		{name: "set by two days", trusted: boot.Add(-48 * time.Hour), good: true, reason: "no sample expires by it"},
		{name: "set by two days, and a service says so", trusted: boot.Add(-48 * time.Hour), synch: synched(now), good: true, ages: true, reason: "chrony has synchronised"},
		{name: "set back by two days", trusted: boot.Add(48 * time.Hour), floor: now.Add(48 * time.Hour), reason: "before the last time known"},
	} {
		w := &Wall{keys: configs.Clock{Source: configs.ClockAuto}, source: Source{Built: c.built}, asked: !c.mute, synch: c.synch, floor: c.floor, trusted: c.trusted, from: boot}
		if c.system {
			w.keys.Source = configs.ClockSystem
		}
		if !c.from.IsZero() {
			w.from = c.from
		}
		if v := w.judge(now, boot); v.Good != c.good || v.ages != c.ages || !strings.Contains(v.reason, c.reason) {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

// TestStepIsNoticedAndDriftIsNot: each look finds a step, whichever part of the agent looks.
func TestStepIsNoticedAndDriftIsNot(t *testing.T) {
	wall, up := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), time.Hour
	w := NewWall(Options{
		Now: func() time.Time { return wall }, Source: Source{Boot: "a", Uptime: func() time.Duration { return up }},
	})
	w.begun, w.asked = true, true
	for i, step := range []struct {
		wall, up time.Duration
		steps    uint64
	}{
		{0, 0, 0},
		{time.Hour, time.Hour, 0},
		{61 * time.Second, time.Minute, 0},
		{59 * time.Second, time.Minute, 0},
		{63 * time.Second, time.Minute, 1},
		{time.Minute, time.Minute, 1},
		{-time.Hour, time.Minute, 2},
		{56 * 365 * 24 * time.Hour, 0, 3},
	} {
		wall, up = wall.Add(step.wall), up+step.up
		if booted, _ := w.Look(); w.steps != step.steps || !booted.Equal(wall.Add(-up)) {
			t.Errorf("look %d: %d steps, want %d", i, w.steps, step.steps)
		}
	}
}
