package store_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// keeping returns a store that keeps accepted samples.
var keeping = store.Options{Limits: store.Limits{RetainAfterAck: 24 * time.Hour}}

// scanAll reads a scan to its end.
func scanAll(t *testing.T, scan *store.Scan) (all []store.Kept) {
	t.Helper()
	for {
		found, more, err := scan.Step()
		must(t, err)
		all = append(all, found...)
		if !more {
			return all
		}
	}
}

// keptNumbers are the numbers of the samples of sweeps that are in the range.
func keptNumbers(kept []store.Kept, r store.Range) []uint64 {
	out := []uint64{}
	for i := range kept {
		for j := range kept[i].Sweep.Samples {
			if d := kept[i].Delivery(j); r.Has(d.Sample.SampledAt) {
				out = append(out, d.Sample.N)
			}
		}
	}
	return out
}

func TestScanFindsTheRangeInFileAndMemory(t *testing.T) {
	o := keeping
	o.CommitEvery = time.Hour // later offers stay in memory
	s := open(t, o)
	for n := uint64(1); n <= 40; n++ {
		offer(t, s, storetest.Sweep(s.Run(), n, 1, "aws"))
	}
	must(t, s.SetDeviceID("5300520006504b5957343920")) // makes a commit
	if st := s.Stats(); st.Committed != 40 {
		t.Fatalf("%d are committed, want 40", st.Committed)
	}
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 100)...)
	for n := uint64(41); n <= 60; n++ {
		offer(t, s, storetest.Sweep(s.Run(), n, 1, "gcp"))
	}
	at := func(n uint64) time.Time { return storetest.Sweep(1, n, 1).Samples[0].SampledAt }
	for _, c := range []struct {
		r    store.Range
		want []uint64
	}{
		{store.Range{}, upTo(1, 60)},
		{store.Range{From: at(11)}, upTo(11, 60)},
		{store.Range{To: at(11)}, upTo(1, 10)},
		{store.Range{From: at(35), To: at(46)}, upTo(35, 45)},
		{store.Range{From: at(50), To: at(51)}, upTo(50, 50)},
		{store.Range{From: at(61)}, []uint64{}},
	} {
		if got := keptNumbers(scanAll(t, s.Scan(c.r)), store.Range{}); !cmp.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.r, got, c.want)
		}
	}
}

func TestScanFindsWhatNobodyKnowsTheTimeOf(t *testing.T) {
	s := open(t, keeping)
	sw := storetest.Sweep(s.Run(), 1, 2, "aws")
	sw.Unsure = true
	add(t, s, sw)
	kept := scanAll(t, s.Scan(store.Range{From: storetest.Start.AddDate(9, 0, 0)}))
	if len(kept) != 1 || !kept[0].Delivery(1).Stamp.Unsure {
		t.Errorf("found %+v", kept)
	}
}

// More sweeps than one step reads, while others are appended: the scan finds each sweep that was stored before it
// once, and none of the new ones.
func TestScanEndsWithWhatWasThereWhenItBegan(t *testing.T) {
	s := open(t, keeping)
	n := uint64(0)
	grow := func(sweeps int) {
		var batch []objects.Sweep
		for range sweeps {
			n++
			batch = append(batch, storetest.Sweep(s.Run(), n, 1, "aws"))
		}
		add(t, s, batch...)
	}
	grow(3000)
	scan, steps := s.Scan(store.Range{}), 0
	var got []uint64
	for more := true; more; steps++ {
		var found []store.Kept
		var err error
		found, more, err = scan.Step()
		must(t, err)
		if len(found) > 1024 {
			t.Errorf("a step of %d sweeps", len(found))
		}
		got = append(got, keptNumbers(found, store.Range{})...)
		grow(100)
	}
	if !cmp.Equal(got, upTo(1, 3000)) || steps < 3 {
		t.Errorf("%d sweeps in %d steps, want 1 to 3000 in order", len(got), steps)
	}
}

// A step with large sweeps ends early: the samples of a step are limited too.
func TestScanStepIsBoundBySamples(t *testing.T) {
	s := open(t, keeping)
	for i := range uint64(5) {
		add(t, s, storetest.Sweep(s.Run(), i*4096+1, 4096, "aws"))
	}
	found, more, err := s.Scan(store.Range{}).Step()
	must(t, err)
	if len(found) != 2 || !more {
		t.Errorf("%d sweeps of 4,096 samples in one step, more %t; want 2", len(found), more)
	}
}

func TestScanSkipsAndCountsWhatIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	o := keeping
	o.Now = soon
	s, err := store.Open(path, o) // not checked at the end: it is damaged on purpose
	must(t, err)
	must(t, s.SetIntegrations(both))
	for n := uint64(1); n <= 5; n++ {
		add(t, s, storetest.Sweep(s.Run(), n, 1, "aws"))
	}
	must(t, s.Close())
	damage(t, path, "sweeps", key(2), flip)
	a, err := store.OpenArchive(path)
	must(t, err)
	check := func(scan *store.Scan) {
		t.Helper()
		if got := keptNumbers(scanAll(t, scan), store.Range{}); len(got) != 4 || scan.Damaged() != 1 {
			t.Errorf("found %v, %d damaged; want 4 and 1", got, scan.Damaged())
		}
	}
	check(a.Scan(store.Range{}))
	s, err = store.Open(path, o)
	must(t, err)
	check(s.Scan(store.Range{}))
	if n := s.Stats().Corrupt; n != 1 {
		t.Errorf("%d corrupt in the figures", n)
	}
	must(t, s.Close())
}

// Samples in a salvaged store keep the id of the store that took them.
func TestScanTellsTheStoreThatTookASample(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, keeping)
	add(t, s, storetest.Sweep(s.Run(), 1, 1, "aws"))
	before := s.ID()
	must(t, s.Close())
	spoil(t, path, func(b []byte) []byte { clear(b[:2*page]); return b })
	o := keeping
	o.Now = soon
	s, _, err := store.Recover(t.Context(), path, o, store.RecoverOptions{Check: (&counted{}).check})
	must(t, err)
	must(t, s.SetIntegrations(both))
	t.Cleanup(func() { must(t, s.Close()) })
	add(t, s, storetest.Sweep(s.Run(), 9, 1, "aws"))
	kept := scanAll(t, s.Scan(store.Range{}))
	if len(kept) != 2 || kept[0].Store != before || kept[1].Store != s.ID() || s.ID() == before {
		t.Errorf("from %v and the store is %s, before it %s", kept, s.ID(), before)
	}
}

func TestArchiveReadsWithoutAnAgentAndLeavesTheFileAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, keeping)
	must(t, s.SetDeviceID("5300520006504b5957343920"))
	add(t, s, storetest.Sweep(s.Run(), 1, 3, "aws"))
	must(t, s.Close())
	a, err := store.OpenArchive(path)
	must(t, err)
	scan := a.Scan(store.Range{})
	s = openAt(t, path, keeping) // an agent starts while the archive is open: the scan must report that
	if _, _, err := scan.Step(); !errors.Is(err, store.ErrLocked) {
		t.Errorf("after an agent has started: %v", err)
	}
	must(t, s.Close())
	kept := scanAll(t, scan)
	if got := keptNumbers(kept, store.Range{}); !cmp.Equal(got, upTo(1, 3)) || kept[0].Store != s.ID() ||
		a.DeviceID() != "5300520006504b5957343920" {
		t.Errorf("%v of %+v, device %q", got, kept, a.DeviceID())
	}
	o := keeping
	o.Now = soon
	s, r, err := store.Recover(t.Context(), path, o, store.RecoverOptions{})
	must(t, err)
	if r.Checked {
		t.Error("the archive left the file unclean")
	}
	must(t, s.Close())
}

// Names in a new record must be known when it is written. Otherwise the commit takes the record for damaged.
func TestWhatIsAcceptedInItsFirstWindowIsKept(t *testing.T) {
	o := keeping
	o.CommitEvery = time.Hour
	s := open(t, o)
	offer(t, s, storetest.Sweep(s.Run(), 1, 4, "aws"), storetest.Sweep(s.Run(), 5, 4, "aws"))
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 8)...)
	must(t, s.SetDeviceID("5300520006504b5957343920")) // makes a commit
	if got := keptNumbers(scanAll(t, s.Scan(store.Range{})), store.Range{}); !cmp.Equal(got, upTo(1, 8)) {
		t.Errorf("kept %v, want 1 to 8", got)
	}
}

func TestSettledIsWhatAnIntegrationHasHad(t *testing.T) {
	s := open(t, keeping)
	sw := storetest.Sweep(s.Run(), 1, 4, "aws")
	sw.Routes = append(sw.Routes, objects.Route{Integration: "gcp", Picked: []int{0, 2}})
	add(t, s, sw, storetest.Sweep(s.Run(), 5, 2, "gcp"))
	ds := pending(t, s, "aws", 10)
	settle(t, s, "aws", store.Accepted, ds[1])
	settle(t, s, "aws", store.Failed, ds[3])
	settle(t, s, "aws", store.Retrying, ds[0])
	settle(t, s, "gcp", store.Accepted, pending(t, s, "gcp", 2)...)
	for id, want := range map[string][]uint64{"aws": {2, 4}, "gcp": {1, 3}} {
		got := []uint64{}
		for _, k := range scanAll(t, s.Scan(store.Range{})) {
			ds, err := s.Settled(id, &k)
			must(t, err)
			got = append(got, numbers(ds)...)
		}
		if !cmp.Equal(got, want) {
			t.Errorf("%s has had %v, want %v", id, got, want)
		}
	}
	if _, err := s.Settled("other", &store.Kept{}); !errors.Is(err, store.ErrUnknownIntegration) {
		t.Errorf("of an unknown integration: %v", err)
	}
}

func TestReplayHasRowsOfItsOwnAndCountsApart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, keeping)
	add(t, s, storetest.Sweep(s.Run(), 1, 2, "aws"))
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 2)...)
	before := s.Stats().Integrations["aws"]
	k := scanAll(t, s.Scan(store.Range{}))[0]
	ds, err := s.Settled("aws", &k)
	must(t, err)
	d := &store.Replayed{Delivery: ds[0]}
	must(t, s.LogReplay("aws", d, results(store.Retrying, ds[0])[0]))
	must(t, s.LogReplay("aws", d, results(store.Accepted, ds[0])[0]))
	check := func() {
		t.Helper()
		rows := triggers(t, s, store.TriggerQuery{})
		if len(rows) != 3 {
			t.Fatalf("%d rows, want 3", len(rows))
		}
		w, first := rows[0], rows[2]
		if !w.Replayed || !w.Success || w.Open || w.Attempts != 2 || w.ID != d.Row || w.MessageID == "" ||
			w.Error != "" {
			t.Errorf("the replay's row is %+v", w)
		}
		if first.Replayed || !cmp.Equal(first.Sample.N, w.Sample.N) || rows[1].Replayed {
			t.Errorf("the rows before it are %+v", rows[1:])
		}
	}
	check()
	after := s.Stats().Integrations["aws"]
	if after.Replayed != 1 || after.Sent != before.Sent || after.Failed != 0 || after.Backlog != 0 {
		t.Errorf("figures %+v, before %+v", after, before)
	}
	must(t, s.Close())
	s = openAt(t, path, keeping)
	check()
}
