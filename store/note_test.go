package store_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// A store that stands in for a disk that fails is new, its integrations are not: the time without an agent before it is their gap.
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
		t.Fatal("the note says nothing of the run before")
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

// Samples wait on the disk for the moment of their boot. A store in memory learns it, and the note brings it to the disk.
func TestTheDiskLearnsByTheNoteWhenTheBootWas(t *testing.T) {
	dir := t.TempDir()
	var unsure atomic.Bool
	unsure.Store(true)
	o := store.Options{Note: filepath.Join(dir, "note"), Now: soon, Clock: store.Clock{
		Boot: "boot-1", Uptime: func() time.Duration { return time.Minute }, Good: func() bool { return !unsure.Load() },
	}}
	disk, memory := filepath.Join(dir, "disk.db"), filepath.Join(dir, "memory.db")
	s := openAt(t, disk, o)
	sw := storetest.Sweep(s.Run(), 1, 1, "aws")
	sw.Unsure, sw.BootedAt = true, sw.Samples[0].SampledAt.Add(-time.Second)
	add(t, s, sw)
	o.Runs = s.Run()
	must(t, s.Close())

	s = openAt(t, memory, o)
	booted := storetest.Start.Add(time.Hour)
	unsure.Store(false)
	s.SetBooted(booted)
	add(t, s, storetest.Sweep(s.Run(), 1, 1, "aws"))
	s.AccountSamples(map[store.Accounted]store.Account{
		{Unit: storetest.Source().Unit(), Object: "adc_vb"}: {Until: store.Instant{Run: s.Run(), At: storetest.Start, Uptime: time.Second}, Every: time.Second},
	})
	o.Runs = s.Run()
	must(t, s.Close())

	for range 2 { // the second time without the note: the file has it
		s = openAt(t, disk, o)
		if got := pending(t, s, "aws", 1)[0].Stamp.Booted; !got.Equal(booted) || !s.Booted().Equal(booted) {
			t.Errorf("the boot of the sample was %v, of this run %v, want %v", got, s.Booted(), booted)
		}
		must(t, s.Close())
		o.Note = ""
	}
}
