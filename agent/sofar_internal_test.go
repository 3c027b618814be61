package agent

import (
	"log/slog"
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/objects"
)

// What goes on to be missing is told once the queue to the store has room again: the telling itself must not lose it.
func TestAGapThatFindsTheQueueFullIsToldLater(t *testing.T) {
	parsed, catalog := parseConfig(t, `
clock: {source: system}
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float], intervals: {"*": 10s}}]}
`)
	elapsed, begun := time.Minute, time.Date(2022, 6, 28, 8, 20, 5, 0, time.UTC)
	o := Options{Config: parsed, Now: func() time.Time { return begun.Add(elapsed) }, Elapsed: func() time.Duration { return elapsed }}
	wall := clock.NewWall(clock.Options{Now: o.Now, Elapsed: o.Elapsed, Keys: parsed.Clock, Log: slog.New(slog.DiscardHandler)})
	wall.Begin(noKeeper{})
	line, queue := &parsed.Lines[0], make(chan taken, 1)
	p := &poller{cfg: line, settings: SettingsOf(line), clock: clock.Clock{Now: o.Now, Elapsed: o.Elapsed, Wall: wall}, out: queue}
	s := newSlave(&line.Slaves[0], catalog, elapsed)
	p.adopt(s, s.family)
	p.slaves = []*slave{s}
	queue <- taken{} // it is full
	for hour := 1; hour <= 2; hour++ {
		elapsed += time.Hour + time.Second
		s.plan.passOver(elapsed, objects.GapBus)
		p.tellSoFar()
		if hour == 1 {
			<-queue // room again
		}
	}
	got := <-queue
	if len(got.gaps) != 1 || got.gaps[0].Count != 719 || !got.gaps[0].Ongoing || got.due[0] != 10*time.Second {
		t.Errorf("told %+v, want 719 missing in two hours", got.gaps)
	}
}

// noKeeper knows nothing about the clock and keeps nothing.
type noKeeper struct{}

func (noKeeper) LastGood() time.Time { return time.Time{} }
func (noKeeper) Booted() time.Time   { return time.Time{} }
func (noKeeper) SetBooted(time.Time) {}
