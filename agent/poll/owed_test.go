package poll

import (
	"log/slog"
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

// autoPoller is a poller of a `model: auto` slave without a line. The test advances its clock.
func autoPoller(t *testing.T, elapsed *time.Duration, queue chan *Sweep) (*Poller, *slave) {
	t.Helper()
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	parsed, faults := configs.Parse([]byte(`
clock: {source: system}
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: auto, objects: all, intervals: {"*": 10s}}]}
`), catalog)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	begun := time.Date(2022, 6, 28, 8, 20, 5, 0, time.UTC)
	c := clock.Clock{Now: func() time.Time { return begun.Add(*elapsed) }, Elapsed: func() time.Duration { return *elapsed }}
	c.Wall = clock.NewWall(clock.Options{Now: c.Now, Elapsed: c.Elapsed, Keys: parsed.Clock, Log: slog.New(slog.DiscardHandler)})
	c.Wall.Begin(noKeeper{})
	p := New(&parsed.Lines[0], Options{Catalog: catalog, Version: "v1", Clock: c, Log: slog.New(slog.DiscardHandler), Sweeps: queue})
	p.open = true
	return p, p.slaves[0]
}

// TestWhatOnlyTheFormerControllerHadIsMissing: a controller is replaced by one that reports nothing at first, and
// then by one of another family. The gap of the objects that only the first one had ends.
func TestWhatOnlyTheFormerControllerHadIsMissing(t *testing.T) {
	elapsed, queue := time.Minute, make(chan *Sweep, 9)
	p, s := autoPoller(t, &elapsed, queue)
	p.identifiedAs(s, modbus.Identity{ProductCode: "PS-PWM-30M"})
	former := s.plan
	s.identity.doubt()
	p.notIdentified(s)
	if !s.judged.barred() {
		t.Fatal("the slave is sampled although it is not identified")
	}
	elapsed += 10*time.Minute - time.Second
	p.identifiedAs(s, modbus.Identity{ProductCode: "TS-MPPT-45"})
	p.out.give()
	missing := map[string]uint64{}
	for len(queue) > 0 {
		for _, g := range (<-queue).Gaps {
			missing[g.Object] += g.Count
		}
	}
	gone := 0
	for i := range former.items {
		if name := former.items[i].polled.Object.Name; !s.plan.polls(name) {
			gone++
			if missing[name] != 60 {
				t.Errorf("%d moments of %s are missing, want 60", missing[name], name)
			}
		}
	}
	if gone == 0 {
		t.Error("the families have the same objects")
	}
}

// TestTwoReloadsForgetNoMoment: the second reload comes before the controller was identified after the first.
func TestTwoReloadsForgetNoMoment(t *testing.T) {
	elapsed, queue := time.Minute, make(chan *Sweep, 9)
	first, s := autoPoller(t, &elapsed, queue)
	first.identifiedAs(s, modbus.Identity{ProductCode: "PS-PWM-30M"})
	s.plan.done(0, elapsed, elapsed, 0)
	s.plan.items[0].delivered(elapsed, 0)
	elapsed += 24 * time.Second // two moments
	second, _ := autoPoller(t, &elapsed, queue)
	second.Inherit(first)
	elapsed += 20 * time.Second // two more
	third, s := autoPoller(t, &elapsed, queue)
	third.Inherit(second)
	third.identifiedAs(s, modbus.Identity{ProductCode: "PS-PWM-30M"})
	if got := s.plan.items[0].owed; got != 4 {
		t.Errorf("%d moments are owed, want 4", got)
	}
}

// TestASweepForWhichTheQueueHasNoRoomOutlivesAReload: other lines have filled the queue when the poller ends.
func TestASweepForWhichTheQueueHasNoRoomOutlivesAReload(t *testing.T) {
	elapsed, queue := time.Minute, make(chan *Sweep, 1)
	before, _ := autoPoller(t, &elapsed, queue)
	sweep := &Sweep{}
	if !before.out.take(sweep) {
		t.Fatal("the queue has room, and does not take the sweep")
	}
	queue <- &Sweep{} // of another line
	before.out.give()
	after, _ := autoPoller(t, &elapsed, queue)
	after.Inherit(before)
	<-queue
	after.out.give()
	if len(queue) != 1 || <-queue != sweep {
		t.Error("the sweep is lost")
	}
}

// TestMomentsWithoutRoomInTheQueueAreNoFailuresOfTheLine: only moments that failed reads have cost count as missing
// because of a disturbed line.
func TestMomentsWithoutRoomInTheQueueAreNoFailuresOfTheLine(t *testing.T) {
	for why, want := range map[string]uint64{
		whyMissed(modbus.ErrTimeout): 2, whyMissed(modbus.ErrFrame): 2, gapUnidentified: 2, objects.GapOverrun: 0, objects.GapQueue: 0, objects.GapLine: 0,
	} {
		it := item{why: why, owed: 3}
		it.delivered(time.Minute, 0)
		if it.absent != want {
			t.Errorf("%s: %d of three moments count, want %d", why, it.absent, want)
		}
	}
}
