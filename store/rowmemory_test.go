package store_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"noi-agent/store"
)

// rowRoom is how many bytes of memory a row of a delivery may use until it is written.
const rowRoom = 250

// TestRowsThatWaitTakeLittleMemory: each integration has up to a thousand of them.
func TestRowsThatWaitTakeLittleMemory(t *testing.T) {
	const integrations, sweeps = 4, 20
	var all []store.Integration
	var ids []string
	for i := range integrations {
		ids = append(ids, fmt.Sprintf("FFjU28MMaL3W9B9hhh%02d", i))
		all = append(all, store.Integration{ID: ids[i], Topic: "arn:aws:sns:eu-west-1:123456789012:T"})
	}
	s, err := store.Open(filepath.Join(t.TempDir(), "noi.db"),
		store.Options{Limits: store.Limits{FlushTriggers: time.Hour, CommitEvery: time.Hour}, Now: soon})
	must(t, err)
	defer s.Close()
	must(t, s.SetIntegrations(all))

	next := uint64(1)
	accept := func() {
		sw := benchSweep(s, next, ids...)
		next += benchObjects
		_, err := s.Offer(t.Context(), sw)
		must(t, err)
		for _, id := range ids {
			ds := pending(t, s, id, 1000)
			rs := results(store.Accepted, ds...)
			for i := range rs {
				rs[i].MessageID = fmt.Sprintf("5b1f7b0e-8c5e-5b6c-9f5d-%06d%06d", ds[i].Seq, i)
			}
			must(t, s.Settle(id, rs))
		}
		// makes a commit, after which the sweep is no longer in memory
		must(t, s.SetDeviceID(fmt.Sprint("device ", next)))
	}
	accept()
	before := heap()
	for range sweeps {
		accept()
	}
	row := float64(heap()-before) / (integrations * sweeps * benchObjects)
	rows, _, err := s.Triggers(store.TriggerQuery{Limit: 1000})
	must(t, err)
	if t.Logf("%.0f B a row", row); row > rowRoom || len(rows) != 1000 {
		t.Errorf("%.0f B a row, want %d at most; %d rows", row, rowRoom, len(rows))
	}
}

// heap returns how many bytes of the heap are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
