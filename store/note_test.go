package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// A store in memory replaces one on a failing disk. The store is new, its integrations are not: they get a gap for
// the time without an agent.
func TestAStandInKnowsByTheNoteWhichIntegrationsAreNotNew(t *testing.T) {
	dir := t.TempDir()
	o := store.Options{Note: filepath.Join(dir, "note"), Now: soon}
	first := openAt(t, filepath.Join(dir, "disk.db"), o)
	add(t, first, storetest.Sweep(first.Run(), 1, 1, "aws"))
	key := store.Accounted{Unit: storetest.Source().Unit(), Object: "adc_vb"}
	until := store.Instant{Run: first.Run(), At: storetest.Start, Uptime: time.Minute}
	first.AccountSamples(map[store.Accounted]store.Account{key: {Until: until, Every: time.Second}})
	add(t, first, storetest.Sweep(first.Run(), 2, 1, "aws"))
	must(t, first.Close())

	o.Runs = first.Run()
	standIn, err := store.Open(filepath.Join(dir, "memory.db"), o)
	must(t, err)
	defer standIn.Close()
	must(t, standIn.SetIntegrations([]store.Integration{{ID: "aws"}, {ID: "made later"}}))
	before, known := standIn.Accounts()[key]
	if !known {
		t.Fatal("the note does not know the run before")
	}
	for id, want := range map[string]int{"aws": 1, "made later": 0} {
		must(t, standIn.MissingSpan(id, store.Span{
			Gap:    objects.Gap{Unit: key.Unit, Object: key.Object, Reason: objects.GapAgent},
			Begins: before.Until, Every: before.Every,
			Ends: store.Instant{Run: standIn.Run(), At: storetest.Start.Add(time.Minute), Uptime: 2 * time.Minute},
		}))
		if got := len(standIn.Stats().Integrations[id].Gaps); got != want {
			t.Errorf("%s has %d gaps, want %d", id, got, want)
		}
	}
}

// TestTheNoteHasTheLastCommit: the next store may be one in memory, which knows only the note.
func TestTheNoteHasTheLastCommit(t *testing.T) {
	dir := t.TempDir()
	o := store.Options{Note: filepath.Join(dir, "note"), Now: soon, Limits: store.Limits{CommitEvery: time.Hour}}
	s := openAt(t, filepath.Join(dir, "disk.db"), o)
	key := store.Accounted{Unit: storetest.Source().Unit(), Object: "adc_vb"}
	_, err := s.Offer(t.Context(), storetest.Sweep(s.Run(), 1, 1, "aws"))
	must(t, err)
	until := store.Instant{Run: s.Run(), At: storetest.Start, Uptime: time.Minute}
	s.AccountSamples(map[store.Accounted]store.Account{key: {Until: until, Every: time.Second}})
	must(t, s.Close()) // stores the sample

	o.Runs = s.Run()
	s, err = store.Open(filepath.Join(dir, "memory.db"), o)
	must(t, err)
	if got := s.Accounts()[key].Until; got != until {
		t.Errorf("the note knows of %+v, want %+v", got, until)
	}
	must(t, s.Close())
}

// TestWhatTheNoteSaysIsInTheFileFromTheNextStartOn: the note survives a kill, and the next start copies it into the
// file. A power cut in that run may then delete the note.
func TestWhatTheNoteSaysIsInTheFileFromTheNextStartOn(t *testing.T) {
	dir := t.TempDir()
	path, o := filepath.Join(dir, "disk.db"),
		store.Options{Note: filepath.Join(dir, "note"), Now: soon, Limits: store.Limits{FlushTriggers: time.Hour}}
	s := openAt(t, path, o)
	key := store.Accounted{Unit: storetest.Source().Unit(), Object: "adc_vb"}
	before := copyOf(t, path) // as a kill leaves the file
	until := store.Instant{Run: s.Run(), At: storetest.Start, Uptime: time.Minute}
	s.AccountSamples(map[store.Accounted]store.Account{key: {Until: until, Every: time.Second}})
	must(t, s.Close()) // writes the note

	s = storetest.MustOpenAt(t, before, o)
	cut := copyOf(t, before)
	must(t, s.Close())
	o.Note = ""
	s = storetest.MustOpenAt(t, cut, o)
	if got := s.Accounts()[key].Until; got != until {
		t.Errorf("after the power cut the file knows of %+v, want %+v", got, until)
	}
	must(t, s.Close())
}

// TestALateAccountOfAnObjectThatIsNoLongerSampledIsNotKept: the last sweep before a reload may be accounted for after
// the reload. The object is kept again when a later configuration samples it.
func TestALateAccountOfAnObjectThatIsNoLongerSampledIsNotKept(t *testing.T) {
	s := storetest.MustOpenAt(t, filepath.Join(t.TempDir(), "noi.db"), store.Options{Now: soon})
	must(t, s.SetIntegrations(both[:1]))
	unit := storetest.Source().Unit()
	until := store.Instant{Run: s.Run(), At: storetest.Start, Uptime: time.Minute}
	list := func() map[store.Accounted]store.Account {
		out := map[store.Accounted]store.Account{}
		for _, object := range []string{"adc_vb", "gone"} {
			out[store.Accounted{Unit: unit, Object: object}] = store.Account{Until: until, Every: time.Second}
		}
		return out
	}
	s.AccountGaps(list()) // their rows are not in the file yet
	for _, want := range []map[store.Accounted]bool{
		{{Unit: unit, Object: "adc_vb"}: true},
		{{Unit: unit, Object: "adc_vb"}: true, {Unit: unit, Object: "gone"}: true},
	} {
		s.KeepAccounts(want)
		s.AccountGaps(list())
		s.AccountSamples(list())
		add(t, s, storetest.Sweep(s.Run(), uint64(len(want)), 1, "aws")) // commits
		got := s.Accounts()
		for object := range list() {
			if _, known := got[object]; known != want[object] {
				t.Errorf("%s is kept: %t, want %t", object.Object, known, want[object])
			}
		}
	}
	must(t, s.Close())
}
