package store_test

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// sameValue lets cmp compare samples.
var sameValue = cmp.Comparer(func(a, b objects.Value) bool { return a.Equal(b) })

func TestRowTellsWhatBecameOfASample(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	sw := storetest.Sweep(1, 1, 16, "gcp") // every kind of value
	add(t, s, sw)
	ds := pending(t, s, "gcp", 16)
	ids := []string{"", "18446744073709551615", "0", "007", "5b1f7b0e-8c5e-5b6c-9f5d-2f1f9c1c7d11",
		"5B1F7B0E-8C5E-5B6C-9F5D-2F1F9C1C7D11", "ünlike"}
	rs := results(store.Accepted, ds...)
	for i := range rs {
		rs[i].MessageID = ids[i%len(ids)]
	}
	must(t, s.Settle("gcp", rs))
	memory := triggers(t, s, store.TriggerQuery{})
	for i, w := range memory {
		r, sample := rs[15-i], sw.Samples[15-i]
		want := store.Trigger{
			ID: uint64(16 - i), Integration: "gcp", Topic: both[1].Topic, Success: true,
			CompletedAt: r.CompletedAt, PublishedAt: r.PublishedAt, Attempts: 1, MessageID: r.MessageID,
			Run: 1, Source: sw.Source, Sample: sample,
		}
		if diff := cmp.Diff(want, w, sameValue); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", i, diff)
		}
	}
	must(t, s.Close())
	s = openAt(t, path, store.Options{})
	if diff := cmp.Diff(memory, triggers(t, s, store.TriggerQuery{}), sameValue); diff != "" {
		t.Errorf("memory and file differ (-memory +file):\n%s", diff)
	}
}

func TestRetriesUpdateOneRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	add(t, s, storetest.Sweep(1, 1, 3, "aws"))
	for try := 1; try <= 4; try++ {
		ds := pending(t, s, "aws", 3)
		if ds[0].Attempts != try-1 || ds[1].Attempts != 0 {
			t.Errorf("try %d: attempts %d and %d", try, ds[0].Attempts, ds[1].Attempts)
		}
		settle(t, s, "aws", store.Retrying, ds[0])
		if try%2 == 0 { // two tries in each run
			must(t, s.Close())
			s = openAt(t, path, store.Options{})
		}
		rows := triggers(t, s, store.TriggerQuery{})
		if len(rows) != 1 || rows[0].Attempts != try || !rows[0].Open || rows[0].Success ||
			!strings.HasPrefix(rows[0].Error, "AuthorizationError: User: ") {
			t.Fatalf("try %d: rows %+v", try, rows)
		}
	}
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 3)...)
	rows := triggers(t, s, store.TriggerQuery{})
	if last := rows[2]; len(rows) != 3 || last.ID != 1 || last.Attempts != 5 || !last.Success || last.Open ||
		last.Error != "" {
		t.Errorf("rows %+v", rows)
	}
}

func TestRowWhoseResultWasLostIsNotOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	add(t, s, storetest.Sweep(1, 1, 2, "aws"))
	settle(t, s, "aws", store.Retrying, pending(t, s, "aws", 2)...)
	must(t, s.Close()) // writes both rows
	s = openAt(t, path, store.Options{})
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 1)...)
	add(t, s, storetest.Sweep(2, 3, 1, "aws")) // its commit writes the cursor, and not yet the row
	after := openAt(t, copyOf(t, path), store.Options{})
	rows := triggers(t, after, store.TriggerQuery{})
	if len(rows) != 2 || !rows[0].Open || rows[1].Open || !strings.HasPrefix(rows[1].Error, "Unknown: ") {
		t.Errorf("after a cut: %+v", rows)
	}
	if got := pending(t, after, "aws", 9); !cmp.Equal(numbers(got), upTo(2, 3)) || got[0].Attempts != 1 {
		t.Errorf("pending %+v", got)
	}
}

func TestTriggersAreListedNewestFirstInPages(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{FlushTriggers: time.Hour}})
	for n := uint64(1); n <= 60; n += 10 {
		add(t, s, storetest.Sweep(1, n, 10, "aws", "gcp")) // its commit writes the rows of the last round
		for _, id := range []string{"aws", "gcp"} {
			ds := pending(t, s, id, 10)
			settle(t, s, id, store.Accepted, ds[:7]...)
			settle(t, s, id, store.Failed, ds[7:]...)
		}
	}
	no := false
	for what, c := range map[string]struct {
		query store.TriggerQuery
		rows  int
	}{
		"all":    {store.TriggerQuery{Limit: 7}, 120},
		"one":    {store.TriggerQuery{Limit: 7, Integration: "gcp"}, 60},
		"failed": {store.TriggerQuery{Limit: 5, Success: &no}, 36},
		"exact":  {store.TriggerQuery{Limit: 30, Integration: "aws"}, 60},
		"nobody": {store.TriggerQuery{Integration: "nobody"}, 0},
	} {
		q, got, last := c.query, 0, ^uint64(0)
		for {
			rows, next, err := s.Triggers(q)
			must(t, err)
			for _, w := range rows {
				if w.ID >= last || q.Success != nil && w.Success || q.Integration != "" &&
					w.Integration != q.Integration {
					t.Errorf("%s: row %+v comes after row %d", what, w, last)
				}
				last = w.ID
			}
			got += len(rows)
			if next == 0 {
				break
			}
			if len(rows) != q.Limit || next != last {
				t.Fatalf("%s: %d rows and next %d after row %d", what, len(rows), next, last)
			}
			q.Before = next
		}
		if got != c.rows {
			t.Errorf("%s: %d rows, want %d", what, got, c.rows)
		}
	}
}

func TestLogKeepsTheNewestRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{Limits: store.Limits{KeepTriggers: 10}})
	for n := uint64(1); n <= 100; n += 10 {
		add(t, s, storetest.Sweep(1, n, 10, "aws"))
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...)
	}
	add(t, s, storetest.Sweep(1, 101, 1, "aws"))
	must(t, s.Close()) // the limit counts for the file
	s = openAt(t, path, store.Options{Limits: store.Limits{KeepTriggers: 10}})
	rows := triggers(t, s, store.TriggerQuery{Limit: 1000})
	if len(rows) != 10 || rows[0].Sample.N != 100 || rows[9].Sample.N != 91 {
		t.Errorf("%d rows kept", len(rows))
	}
	must(t, s.Close())
	s = openAt(t, path, store.Options{Limits: store.Limits{KeepTriggers: 4}}) // the limit was lowered
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...)
	must(t, s.Close())
	s = openAt(t, path, store.Options{Limits: store.Limits{KeepTriggers: 4}})
	if rows := triggers(t, s, store.TriggerQuery{}); len(rows) != 4 || rows[0].Sample.N != 101 {
		t.Errorf("%d rows kept", len(rows))
	}
}

func TestDrainingABacklogFlushesItsRows(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{FlushTriggers: time.Hour, CommitEvery: time.Millisecond}})
	sweeps := make([]objects.Sweep, 0, 100)
	for n := uint64(1); n <= 5000; n += 50 {
		sweeps = append(sweeps, storetest.Sweep(1, n, 50, "aws"))
	}
	add(t, s, sweeps[:50]...)
	add(t, s, sweeps[50:]...)
	before := s.Stats().Commits
	for {
		ds := pending(t, s, "aws", 500)
		if len(ds) == 0 {
			break
		}
		settle(t, s, "aws", store.Accepted, ds...)
	}
	for s.Stats().Commits == before {
		runtime.Gosched() // the test hangs here if 5,000 rows wait an hour for their flush
	}
}

func TestLongErrorsAreCut(t *testing.T) {
	s := open(t, store.Options{})
	add(t, s, storetest.Sweep(1, 1, 1, "aws"))
	rs := results(store.Failed, pending(t, s, "aws", 1)...)
	rs[0].Error = "Portal: x" + strings.Repeat("ü", 5000)
	must(t, s.Settle("aws", rs))
	got := triggers(t, s, store.TriggerQuery{})[0].Error
	if len(got) > 1030 || !strings.HasSuffix(got, "ü…") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-6:])
	}
}
