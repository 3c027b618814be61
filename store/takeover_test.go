package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// failingDisk makes the store of a disk that has failed and the one that has stood in for it, both closed and both with deliveries in every
// state. Numbers 1 to 40 are the disk's, 101 to 140 the stand-in's.
type failingDisk struct {
	dir, path, other string
	disk, standIn    string // ids
	runs             [2]uint64
}

func newFailingDisk(t *testing.T) *failingDisk {
	t.Helper()
	dir := t.TempDir()
	d := &failingDisk{dir: dir, path: filepath.Join(dir, "noi.db"), other: filepath.Join(dir, "memory", "noi.db")}
	must(t, os.Mkdir(filepath.Dir(d.other), 0o700))
	s := openAt(t, d.path, store.Options{})
	must(t, s.SetDeviceID(device))
	d.disk, d.runs[0] = s.ID(), s.Run()
	d.work(t, s, 1)
	must(t, s.Close())
	s, err := store.Open(d.other, store.Options{Runs: d.runs[0], Now: soon})
	must(t, err)
	must(t, s.SetIntegrations(both))
	must(t, s.SetDeviceID(device))
	d.standIn, d.runs[1] = s.ID(), s.Run()
	must(t, s.CountTraffic("aws", 1000, 100))
	d.work(t, s, 101)
	must(t, s.Close())
	return d
}

// work takes ten sweeps of four samples: for aws the first two are accepted, the third is rejected, the fourth tried in vain; gcp takes none.
func (d *failingDisk) work(t *testing.T, s *store.Store, first uint64) {
	t.Helper()
	for n := first; n < first+40; n += 4 {
		add(t, s, storetest.Sweep(s.Run(), n, 4, "aws", "gcp"))
	}
	ds := pending(t, s, "aws", 16)
	settle(t, s, "aws", store.Accepted, ds[:8]...)
	settle(t, s, "aws", store.Failed, ds[8:12]...)
	settle(t, s, "aws", store.Retrying, ds[12:14]...)
	must(t, s.Missing("gcp", objects.Gap{
		Unit: "rs485/1", Object: "o", Run: s.Run(), From: storetest.Start, To: storetest.Start.Add(time.Duration(first) * time.Minute), Count: first, Reason: objects.GapBus,
	}))
}

// check holds that everything is there once, in order, and whose it was.
func (d *failingDisk) check(t *testing.T, s *store.Store) {
	t.Helper()
	owed := map[string][]uint64{
		"aws": append(upTo(13, 40), upTo(113, 140)...),
		"gcp": append(upTo(1, 40), upTo(101, 140)...),
	}
	for id, want := range owed {
		ds := pending(t, s, id, 1000)
		if got := numbers(ds); !cmp.Equal(got, want) {
			t.Errorf("%s gets %v, want %v", id, got, want)
		}
		for _, delivery := range ds {
			of, run := d.disk, d.runs[0]
			if delivery.Sample.N > 100 {
				of, run = d.standIn, d.runs[1]
			}
			tried := 0
			if id == "aws" && (delivery.Sample.N%100 == 13 || delivery.Sample.N%100 == 14) {
				tried = 1
			}
			if delivery.Store != of || delivery.Run != run || delivery.Attempts != tried {
				t.Errorf("%s: sample %d is of store %s run %d with %d attempts, want %s, %d, %d", id, delivery.Sample.N, delivery.Store, delivery.Run, delivery.Attempts, of, run, tried)
			}
		}
	}
	letters := deadLetters(t, s, "")
	if got := letterNumbers(letters); !cmp.Equal(got, append(upTo(9, 12), upTo(109, 112)...)) {
		t.Errorf("dead letters %v", got)
	}
	for _, l := range letters {
		if (l.Store == d.standIn) != (l.Sample.N > 100) {
			t.Errorf("dead letter %d is of store %s", l.Sample.N, l.Store)
		}
	}
	rows := triggers(t, s, store.TriggerQuery{Limit: 1000})
	if len(rows) != 2*14+2 {
		t.Errorf("%d rows, want %d", len(rows), 2*14+2)
	}
	for i, w := range rows {
		if i > 0 && w.ID >= rows[i-1].ID {
			t.Errorf("row %d after row %d", w.ID, rows[i-1].ID)
		}
		if !w.Success && w.Gap.Reason == "" && w.Open != (w.Sample.N%100 > 12) {
			t.Errorf("row of sample %d is open: %v", w.Sample.N, w.Open)
		}
	}
	st := s.Stats()
	if is := st.Integrations["aws"]; is.Sent != 16 || is.Failed != 8 || is.Backlog != 56 || is.Traffic.Sent != 1000 {
		t.Errorf("aws %+v", is)
	}
	if s.DeviceID() != device || s.Run() <= d.runs[1] || s.ID() != d.disk {
		t.Errorf("it is %s of %s in run %d", s.ID(), s.DeviceID(), s.Run())
	}
}

func (d *failingDisk) recover(t *testing.T, ctx context.Context) (*store.Store, store.Recovery) {
	t.Helper()
	s, r, err := store.Recover(ctx, d.path, store.Options{Now: soon}, store.RecoverOptions{TakeOver: d.other})
	must(t, err)
	t.Cleanup(func() {
		must(t, errors.Join(s.Close(), store.Check(d.path)))
	})
	must(t, s.SetIntegrations(both))
	return s, r
}

func TestWhatWasInMemoryGoesBackToTheDisk(t *testing.T) {
	d := newFailingDisk(t)
	s, r := d.recover(t, t.Context())
	if want := (store.TakenOver{Samples: 40, Rows: 15, DeadLetters: 4}); r.Taken != want {
		t.Errorf("%+v, want %+v", r.Taken, want)
	}
	d.check(t, s)
	left, err := os.ReadDir(filepath.Dir(d.other))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	// New samples are the store's own again, and come behind.
	add(t, s, storetest.Sweep(s.Run(), 201, 4, "gcp"))
	ds := pending(t, s, "gcp", 1000)
	if newest := ds[len(ds)-1]; newest.Sample.N != 204 || newest.Store != d.disk {
		t.Errorf("the newest is %d of store %s", newest.Sample.N, newest.Store)
	}
	// What is rejected only now is still whose it was: it keeps its sample id when it is sent again.
	settle(t, s, "gcp", store.Failed, ds...)
	for _, l := range deadLetters(t, s, "gcp") {
		want := d.disk
		if l.Sample.N > 100 && l.Sample.N < 200 {
			want = d.standIn
		}
		if l.Store != want {
			t.Errorf("dead letter %d is of store %s, want %s", l.Sample.N, l.Store, want)
		}
	}
	must(t, s.Close())
	if _, r := d.recover(t, t.Context()); r.Taken != (store.TakenOver{}) {
		t.Errorf("once more: %+v", r.Taken)
	}
}

// A cut between two transactions of a takeover, and one before the stand-in is removed, move nothing twice and lose nothing.
func TestATakeoverThatIsCutGoesOn(t *testing.T) {
	d := newFailingDisk(t)
	var cuts []*failingDisk
	var standIn []byte
	restore := store.SmallChunks(1, func() {
		cut := *d
		cut.dir = t.TempDir()
		cut.path, cut.other = filepath.Join(cut.dir, "noi.db"), filepath.Join(t.TempDir(), "noi.db")
		for from, to := range map[string]string{d.path: cut.path, d.other + ".taking": cut.other + ".taking"} {
			data, err := os.ReadFile(from)
			must(t, err)
			must(t, os.WriteFile(to, data, 0o600))
		}
		cuts = append(cuts, &cut)
		data, err := os.ReadFile(d.other + ".taking")
		must(t, err)
		standIn = data
	})
	s, _ := d.recover(t, t.Context())
	restore()
	d.check(t, s)
	must(t, s.Close())
	if len(cuts) < 9 {
		t.Fatalf("%d chunks", len(cuts))
	}
	for i, cut := range cuts {
		t.Run(fmt.Sprint("chunk ", i), func(t *testing.T) {
			more := []uint64{}
			if i%2 == 1 { // the disk failed again in between
				again, err := store.Open(cut.other, store.Options{Runs: 100, Now: soon})
				must(t, err)
				must(t, again.SetIntegrations(both))
				add(t, again, storetest.Sweep(again.Run(), 301, 2, "gcp"))
				must(t, again.Close())
				more = upTo(301, 302)
			}
			s, r := cut.recover(t, t.Context())
			gone := min(i+1, 10) // sweeps of four samples, each sample counted once for all its integrations
			if want := uint64(40 - 4*gone + len(more)); r.Taken.Samples != want || r.Taken.Left != "" {
				t.Errorf("%+v, %d were left", r.Taken, want)
			}
			checkOwed(t, s, more...)
		})
	}
	must(t, os.WriteFile(d.other+".taking", standIn, 0o600)) // as if it had not been removed
	s, r := d.recover(t, t.Context())
	if r.Taken != (store.TakenOver{}) {
		t.Errorf("taken over once more: %+v", r.Taken)
	}
	d.check(t, s)
	if _, err := os.Stat(d.other + ".taking"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// checkOwed holds that everything is owed once, in order; to gcp some more.
func checkOwed(t *testing.T, s *store.Store, more ...uint64) {
	t.Helper()
	if got, want := numbers(pending(t, s, "aws", 1000)), append(upTo(13, 40), upTo(113, 140)...); !cmp.Equal(got, want) {
		t.Errorf("aws gets %v", got)
	}
	if got, want := numbers(pending(t, s, "gcp", 1000)), slices.Concat(upTo(1, 40), upTo(101, 140), more); !cmp.Equal(got, want) {
		t.Errorf("gcp gets %v", got)
	}
	if got, want := letterNumbers(deadLetters(t, s, "")), append(upTo(9, 12), upTo(109, 112)...); !cmp.Equal(got, want) {
		t.Errorf("dead letters %v", got)
	}
}

// The disk's file may be lost altogether: then everything is the stand-in's.
func TestAStandInIsTakenOverIntoANewFile(t *testing.T) {
	for name, spoiled := range map[string]func(*testing.T, string){
		"gone": func(t *testing.T, path string) { must(t, os.Remove(path)) },
		"no store": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte("<html>"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newFailingDisk(t)
			spoiled(t, d.path)
			s, r := d.recover(t, t.Context())
			ds := pending(t, s, "aws", 1000)
			if got := numbers(ds); !cmp.Equal(got, upTo(113, 140)) || ds[0].Store != d.standIn || ds[0].Run != d.runs[1] {
				t.Errorf("aws gets %v of %s, %d", got, ds[0].Store, ds[0].Run)
			}
			if r.Taken.Samples != 40 || r.Taken.Left != "" || s.ID() == d.disk || s.ID() == d.standIn || s.DeviceID() != device {
				t.Errorf("%+v, store %s of %q", r.Taken, s.ID(), s.DeviceID())
			}
		})
	}
}

// A stand-in that does not read gives what it can, and is no reason not to start.
func TestADamagedStandInIsTakenOverAsFarAsItReads(t *testing.T) {
	d := newFailingDisk(t)
	spoil(t, d.other, func(b []byte) []byte { clear(b[:2*page]); return b })
	s, r := d.recover(t, t.Context())
	checkOwed(t, s)
	if r.Taken.Samples != 40 || r.Taken.Left != "" {
		t.Errorf("%+v", r.Taken)
	}
	d = newFailingDisk(t)
	must(t, os.WriteFile(d.other, []byte("none"), 0o600))
	s, r = d.recover(t, t.Context())
	if got := numbers(pending(t, s, "gcp", 1000)); !cmp.Equal(got, upTo(1, 40)) || r.Taken != (store.TakenOver{}) {
		t.Errorf("%+v, gcp gets %v", r.Taken, got)
	}
	d = newFailingDisk(t)
	holder, err := store.Open(d.other, store.Options{})
	must(t, err)
	if _, r = d.recover(t, t.Context()); !strings.Contains(r.Taken.Left, store.ErrLocked.Error()) {
		t.Errorf("one that somebody else has open: %+v", r.Taken)
	}
	must(t, holder.Close())
}

// One whose taking over was cut and that has gone bad since is left where it is; the disk's own store is not blamed for it.
func TestAStandInThatWentBadOnTheWayIsLeft(t *testing.T) {
	d := newFailingDisk(t)
	bad, err := os.ReadFile(d.other)
	must(t, err)
	clear(bad[3*page:]) // all but heads and freelist: it opens, and bbolt panics on it
	must(t, errors.Join(os.WriteFile(d.other+".taking", bad, 0o600), os.Remove(d.other)))
	how := (&counted{}).options() // in a child: the check panics
	how.TakeOver = d.other
	for range 2 {
		s, r := recoverAt(t, d.path, how)
		if got := numbers(pending(t, s, "gcp", 1000)); !cmp.Equal(got, upTo(1, 40)) || r.Moved() || r.Taken.Left == "" || r.Taken.Full || s.ID() != d.disk {
			t.Errorf("%+v, gcp gets %v", r, got)
		}
		must(t, s.Close())
	}
}

// Alarms go by what the disk's store knew: first, the disk's before the stand-in's, or in their place; whatever the stand-in did, so that
// those of one object keep their order.
func TestATakeoverKeepsTheLanes(t *testing.T) {
	for _, c := range []struct {
		disk, standIn bool
		want          []uint64
	}{
		{true, true, []uint64{2, 5, 8, 11}},
		{true, false, []uint64{2, 5, 8, 11}},
		{false, true, upTo(1, 12)},
		{false, false, upTo(1, 12)},
	} {
		path, other := filepath.Join(t.TempDir(), "noi.db"), filepath.Join(t.TempDir(), "noi.db")
		for i, at := range []string{path, other} {
			s, err := store.Open(at, store.Options{Runs: uint64(i), Now: soon})
			must(t, err)
			must(t, s.SetIntegrations(alarmsFirst([]bool{c.disk, c.standIn}[i])))
			add(t, s, withAlarm(s.Run(), uint64(1+6*i)), withAlarm(s.Run(), uint64(4+6*i)))
			must(t, s.Close())
		}
		s, _, err := store.Recover(t.Context(), path, store.Options{Now: soon}, store.RecoverOptions{TakeOver: other})
		must(t, err)
		must(t, s.SetIntegrations(alarmsFirst(true)))
		add(t, s, withAlarm(s.Run(), 13)) // the lane has it, or it waits for those that were there before the lane
		want := c.want
		if c.disk {
			want = append(slices.Clone(want), 14)
		}
		if got := numbers(pending(t, s, "aws", len(want))); !cmp.Equal(got, want) {
			t.Errorf("alarms first on the disk: %v, in the stand-in: %v: aws gets %v, want %v", c.disk, c.standIn, got, want)
		}
		for range 3 {
			settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 100)...)
		}
		if is := s.Stats().Integrations["aws"]; is.Sent != 15 || is.Backlog != 0 {
			t.Errorf("%+v: %+v", c, is)
		}
		must(t, errors.Join(s.Close(), store.Check(path)))
	}
}

// Where the disk's store still empties a lane that is no longer wanted, what the stand-in has of the same alarms comes behind what waits
// before the lane's end.
func TestATakeoverAddsNothingToALaneThatIsClosed(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "noi.db"), filepath.Join(t.TempDir(), "noi.db")
	s := storetest.MustOpenAt(t, path, store.Options{Now: soon})
	must(t, s.SetIntegrations(alarmsFirst(true)))
	add(t, s, withAlarm(s.Run(), 1))
	must(t, s.SetIntegrations(alarmsFirst(false)))
	add(t, s, withAlarm(s.Run(), 4)) // its alarm is in no lane
	runs := s.Run()
	must(t, s.Close())
	s, err := store.Open(other, store.Options{Runs: runs, Now: soon})
	must(t, err)
	must(t, s.SetIntegrations(alarmsFirst(false)))
	add(t, s, withAlarm(s.Run(), 7))
	must(t, s.Close())
	s, _, err = store.Recover(t.Context(), path, store.Options{Now: soon}, store.RecoverOptions{TakeOver: other})
	must(t, err)
	must(t, s.SetIntegrations(alarmsFirst(false)))
	var got []uint64
	for ds := pending(t, s, "aws", 2); len(ds) > 0; ds = pending(t, s, "aws", 2) {
		got = append(got, numbers(ds)...)
		settle(t, s, "aws", store.Accepted, ds...)
	}
	if want := []uint64{2, 1, 3, 4, 5, 6, 7, 8, 9}; !cmp.Equal(got, want) {
		t.Errorf("aws gets %v, want %v", got, want)
	}
	must(t, errors.Join(s.Close(), store.Check(path)))
}

// A dead letter of the stand-in had a number there that the disk's store has given too. Sending that one again says nothing of the other.
func TestAReplayTakesNoDeadLetterOfTheStandIn(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "noi.db"), filepath.Join(t.TempDir(), "noi.db")
	o := store.Options{Limits: store.Limits{RetainAfterAck: time.Hour}, Now: soon}
	for i, at := range []string{path, other} {
		o.Runs = uint64(i)
		s, err := store.Open(at, o)
		must(t, err)
		must(t, s.SetIntegrations(both))
		add(t, s, storetest.Sweep(s.Run(), uint64(1+100*i), 2, "aws"))
		settle(t, s, "aws", []store.Outcome{store.Accepted, store.Failed}[i], pending(t, s, "aws", 2)...)
		must(t, s.Close())
	}
	s, _, err := store.Recover(t.Context(), path, o, store.RecoverOptions{TakeOver: other})
	must(t, err)
	must(t, s.SetIntegrations(both))
	found, _, err := s.Scan(store.Range{}).Step()
	must(t, err)
	sent := 0
	for i := range found {
		settled, err := s.Settled("aws", &found[i])
		must(t, err)
		for j := range settled {
			must(t, s.LogReplay("aws", &store.Replayed{Delivery: settled[j]}, store.Result{Outcome: store.Accepted, PublishedAt: soon(), CompletedAt: soon()}))
			sent++
		}
	}
	if got := letterNumbers(deadLetters(t, s, "aws")); sent != 2 || !cmp.Equal(got, upTo(101, 102)) {
		t.Errorf("%d sent again, dead letters %v", sent, got)
	}
	must(t, errors.Join(s.Close(), store.Check(path)))
}

// A gap that is still to be announced stays one, and when the stand-in was last alive is what its last run wrote, and not that it was looked at.
func TestATakeoverKeepsWhatIsToBeAnnounced(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "noi.db"), filepath.Join(t.TempDir(), "noi.db")
	now := storetest.Start
	o := store.Options{Now: func() time.Time { return now }}
	list := []store.Integration{{ID: "aws", Topic: "T", GapMessages: true}}
	for _, at := range []string{path, other} {
		s, err := store.Open(at, o)
		must(t, err)
		must(t, s.SetIntegrations(list))
		must(t, s.Missing("aws", objects.Gap{Unit: "a/1", Object: "x", Run: 1, From: now.Add(-time.Minute), To: now, First: 1, Last: 3, Count: 3, Reason: objects.GapBus}))
		must(t, s.Close())
	}
	now = now.Add(time.Hour)
	s, _, err := store.Recover(t.Context(), path, o, store.RecoverOptions{TakeOver: other})
	must(t, err)
	must(t, s.SetIntegrations(list))
	if gaps, err := s.OpenGaps("aws", 10); err != nil || len(gaps) != 2 {
		t.Errorf("to be announced: %+v, %v", gaps, err)
	}
	must(t, errors.Join(s.Close(), store.Check(path)))
}

func TestATakeoverKnowsUpToWhenTheStandInAccountsForItsObjects(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "noi.db"), filepath.Join(t.TempDir(), "noi.db")
	now := storetest.Start
	o := store.Options{Now: func() time.Time { return now }}
	must(t, openAt(t, path, o).Close())
	now = now.Add(time.Hour) // the disk fails, and the stand-in works
	s := openAt(t, other, o)
	add(t, s, storetest.Sweep(1, 1, 2, "aws"))
	settle(t, s, "aws", store.Retrying, pending(t, s, "aws", 1)...)
	must(t, s.Close()) // the row is in the file
	s = openAt(t, other, o)
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 1)...)
	key := store.Accounted{Unit: "rs485/1", Object: "object_00"}
	want := store.Account{Until: store.Instant{Run: s.Run(), At: now, Uptime: time.Hour}, Every: time.Minute}
	s.AccountSamples(map[store.Accounted]store.Account{key: want})
	add(t, s, storetest.Sweep(1, 3, 2, "aws"))
	killed := copyOf(t, other)
	must(t, s.Close())
	now = now.Add(8 * time.Hour)
	s, _, err := store.Recover(t.Context(), path, o, store.RecoverOptions{TakeOver: killed})
	must(t, err)
	if got := s.Accounts()[key]; got != want {
		t.Errorf("it accounts for the object until %+v, want %+v", got, want)
	}
	must(t, s.Close())
}

// A disk that fails just after it has counted a run leaves the number to the stand-in too. In one boot that hides nothing of the clock.
func TestARunThatBothHaveCountedKeepsItsTime(t *testing.T) {
	for _, c := range []struct {
		boots [2]string
		known bool
	}{{[2]string{"b", "b"}, true}, {[2]string{"a", "b"}, false}} {
		path, other := filepath.Join(t.TempDir(), "noi.db"), filepath.Join(t.TempDir(), "noi.db")
		at := func(boot string) store.Options {
			return store.Options{Now: soon, Clock: store.Clock{Boot: boot, Uptime: func() time.Duration { return time.Hour }}}
		}
		must(t, openAt(t, path, at(c.boots[0])).Close())
		s, err := store.Open(other, at(c.boots[1]))
		must(t, err)
		must(t, s.SetIntegrations(both))
		sweep := storetest.Sweep(s.Run(), 1, 1, "aws")
		sweep.Unsure, sweep.BootedAt = true, sweep.Samples[0].SampledAt.Add(-time.Minute)
		add(t, s, sweep)
		s.SetBooted(storetest.Start)
		must(t, s.Close())
		s, _, err = store.Recover(t.Context(), path, at("b"), store.RecoverOptions{TakeOver: other})
		must(t, err)
		must(t, s.SetIntegrations(both))
		ds := pending(t, s, "aws", 1)
		if len(ds) != 1 || ds[0].Stamp.Booted.Equal(storetest.Start) != c.known {
			t.Errorf("boots %v: %+v", c.boots, ds)
		}
		must(t, errors.Join(s.Close(), store.Check(path)))
	}
}
