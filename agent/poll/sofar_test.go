package poll

import (
	"log/slog"
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/configs"
	"noi-agent/objects"
)

// A gap that continues is reported when the queue to the store has room again. The failed report must not lose it.
func TestAGapThatFindsTheQueueFullIsToldLater(t *testing.T) {
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	parsed, faults := configs.Parse([]byte(`
clock: {source: system}
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float], intervals: {"*": 10s}}]}
`), catalog)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	elapsed, begun := time.Minute, time.Date(2022, 6, 28, 8, 20, 5, 0, time.UTC)
	c := clock.Clock{Now: func() time.Time { return begun.Add(elapsed) }, Elapsed: func() time.Duration { return elapsed }}
	c.Wall = clock.NewWall(clock.Options{Now: c.Now, Elapsed: c.Elapsed, Keys: parsed.Clock, Log: slog.New(slog.DiscardHandler)})
	c.Wall.Begin(noKeeper{})
	line, queue := &parsed.Lines[0], make(chan *Sweep, 1)
	p := &Poller{cfg: line, settings: PortSettings(line), clock: c, out: handover{out: queue}}
	s := newSlave(&line.Slaves[0], catalog, elapsed)
	p.adopt(s, s.family)
	p.slaves = []*slave{s}
	queue <- new(Sweep) // it is full
	for hour := 1; hour <= 2; hour++ {
		elapsed += time.Hour + time.Second
		s.plan.passOver(elapsed, objects.GapBus)
		p.reportSoFar()
		if hour == 1 {
			<-queue // room again
		}
	}
	p.out.give()
	got := <-queue
	if len(got.Gaps) != 1 || got.Gaps[0].Count != 719 || !got.Gaps[0].Ongoing || got.Due[0] != 10*time.Second {
		t.Errorf("told %+v, want 719 missing in two hours", got.Gaps)
	}
}

// noKeeper knows no times and keeps nothing.
type noKeeper struct{}

func (noKeeper) LastGood() time.Time { return time.Time{} }
func (noKeeper) Booted() time.Time   { return time.Time{} }
func (noKeeper) SetBooted(time.Time) {}
