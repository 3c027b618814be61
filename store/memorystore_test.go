package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// boot returns a clock that is not known to be right, an hour after the boot of the machine.
func boot(name string) store.Clock {
	return store.Clock{Boot: name, Uptime: func() time.Duration { return time.Hour },
		Good: func() bool { return false }}
}

// inMemory opens a new store in memory. The test deletes it at its end.
func inMemory(t *testing.T, path string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(path, o)
	must(t, err)
	must(t, s.SetIntegrations(both))
	return s
}

// TestTheTimeOfABootThatTheStandInLearntIsKnownOfAllItsRuns: the store in memory learns the time of the boot. The
// store on the disk then knows it for its own runs of that boot, even after the next boot.
func TestTheTimeOfABootThatTheStandInLearntIsKnownOfAllItsRuns(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "noi.db"), filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{Clock: boot("one"), Now: soon})
	sweep := storetest.Sweep(s.Run(), 1, 1, "aws")
	sweep.Unsure, sweep.BootedAt = true, storetest.Start
	add(t, s, sweep)
	must(t, s.Close())

	booted := storetest.Start.Add(-time.Hour)
	o := store.Options{Clock: boot("one"), Runs: s.Run(), Now: soon, Note: filepath.Join(t.TempDir(), "note")}
	s = inMemory(t, other, o)
	s.SetBooted(booted)
	s.AccountSamples(map[store.Accounted]store.Account{{Unit: "a/1",
		Object: "x"}: {Until: store.Instant{Run: s.Run(), At: storetest.Start, Uptime: time.Hour}}})
	must(t, s.Close())

	o.Runs = s.Run()
	s = openAt(t, path, o) // this run learns nothing about the time
	must(t, s.Close())
	s = openAt(t, path, store.Options{Clock: boot("two"), Now: soon})
	if d := pending(t, s, "aws", 1)[0]; !d.Stamp.Booted.Equal(booted) {
		t.Errorf("the boot of the sample was at %v, want %v", d.Stamp.Booted, booted)
	}
	must(t, s.Close())
}

// TestTheDarkTimeBeforeAStandInThatKnowsNothing: a power cut has deleted the note. The time without an agent then
// begins with the last sample on the disk, for integrations and objects that the disk knows.
func TestTheDarkTimeBeforeAStandInThatKnowsNothing(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "noi.db"), filepath.Join(t.TempDir(), "noi.db")
	unit := storetest.Source().Unit()
	s := storetest.MustOpenAt(t, path, store.Options{Clock: boot("one"), Now: soon})
	must(t, s.SetIntegrations(both[:1]))
	until := store.Instant{Run: s.Run(), At: time.Unix(60, 0), Uptime: time.Minute, Unsure: true} // by a clock in 1970
	// makes it the time of the start
	s.SetBooted(storetest.Start.Add(-time.Minute))
	add(t, s, storetest.Sweep(s.Run(), 1, 1, "aws"))
	s.AccountSamples(map[store.Accounted]store.Account{{Unit: unit, Object: "old"}: {Until: until, Every: time.Second}})
	add(t, s, storetest.Sweep(s.Run(), 2, 1, "aws"))
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...) // no sample of that run is left
	must(t, s.Close())

	right, note := store.Clock{Boot: "two", Uptime: func() time.Duration { return time.Hour }}, filepath.Join(t.TempDir(), "note")
	s = inMemory(t, other, store.Options{Clock: right, Runs: s.Run(), Now: soon, Note: note})
	newer := store.Instant{Run: s.Run(), At: storetest.Start.Add(time.Minute), Uptime: 2 * time.Minute}
	s.AccountSamples(map[store.Accounted]store.Account{{Unit: unit, Object: "old"}: {Until: newer, Every: time.Second}})
	for _, object := range []string{"old", "new"} {
		for _, in := range both {
			must(t, s.MissingSpan(in.ID, store.Span{
				// The begin of this gap is unknown.
				Gap: objects.Gap{Unit: unit, Object: object, Reason: objects.GapAgent},
				// The clock is in 1970.
				Ends: store.Instant{Run: s.Run(), At: time.Unix(60, 0), Uptime: time.Minute, Unsure: true},
			}))
		}
	}
	if gaps := s.Stats().Integrations["aws"].Gaps; len(gaps) != 0 {
		t.Errorf("the store in memory shows gaps without a begin: %+v", gaps)
	}
	// the sample after the gap was taken thirty seconds after the start
	s.SetBooted(storetest.Start.Add(-30 * time.Second))
	dark := s.Dark()
	if n := s.Stats().Integrations["aws"].OpenGaps; n != 0 {
		t.Errorf("%d gaps still wait for the store on the disk", n)
	}
	must(t, s.Close())

	s = storetest.MustOpenAt(t, path, store.Options{Clock: right, Runs: s.Run(), Now: soon, Note: note})
	s.MissingDark(dark)
	must(t, s.SetIntegrations(both))
	add(t, s, storetest.Sweep(s.Run(), 1, 1, "aws"))
	gaps := s.Stats().Integrations["aws"].Gaps
	if len(gaps) != 1 || gaps[0].Gap.Object != "old" || gaps[0].Gap.Count != 29 ||
		!gaps[0].Gap.From.Equal(storetest.Start.Add(time.Second)) {
		t.Errorf("gaps %+v, want the 29 samples between the last on the disk and the first in memory", gaps)
	}
	if gaps := s.Stats().Integrations["gcp"].Gaps; len(gaps) != 0 {
		t.Errorf("the integration did not exist before: %+v", gaps)
	}
	must(t, s.Close())
}
