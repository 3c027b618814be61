package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// bulky is a sweep of some 200 KB: a text that is not a name is written in full.
func bulky(run, n uint64) objects.Sweep {
	sw := storetest.Sweep(run, n, 50, "aws")
	for i := range sw.Samples {
		sw.Samples[i].Value = objects.Text(strings.Repeat(string(rune('a'+n%26)), 4000))
	}
	return sw
}

func TestAFileIsCompactedWhenItsBacklogIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := openAt(t, path, store.Options{})
		var sweeps []objects.Sweep
		for n := range uint64(100) {
			sweeps = append(sweeps, bulky(s.Run(), 1+50*n))
		}
		add(t, s, sweeps...)
		full := size(t, path)
		for ds := pending(t, s, "aws", 1000); len(ds) > 0; ds = pending(t, s, "aws", 1000) {
			settle(t, s, "aws", store.Accepted, ds...)
		}
		add(t, s, storetest.Sweep(s.Run(), 9001, 10, "aws", "gcp")) // its commit deletes the settled sweeps
		rows := triggers(t, s, store.TriggerQuery{Limit: 1000})
		time.Sleep(11 * time.Minute) // virtual
		synctest.Wait()
		if small := size(t, path); small > full/4 || s.Stats().FileBytes != small {
			t.Errorf("the file had %d bytes and has %d, the status says %d", full, small, s.Stats().FileBytes)
		}
		if got := numbers(pending(t, s, "gcp", 100)); len(got) != 10 {
			t.Errorf("pending %v", got)
		}
		if got := triggers(t, s, store.TriggerQuery{Limit: 1000}); len(got) != len(rows) {
			t.Errorf("%d rows, there were %d", len(got), len(rows))
		}
		add(t, s, storetest.Sweep(s.Run(), 9011, 10, "aws"))
		_, err := store.Open(path, store.Options{}) // the new file is locked too
		if err == nil {
			t.Error("another agent could open it")
		}
		must(t, s.Close())
		s = openAt(t, path, store.Options{})
		if got := numbers(pending(t, s, "aws", 100)); len(got) != 20 {
			t.Errorf("after a restart pending %v", got)
		}
	})
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}
