package store_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"noi-agent/store"
	"noi-agent/store/storetest"
)

// published is a store with so many rows in its file, of two integrations. One delivery in fifty has failed.
func published(t *testing.T, rows int) *store.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "noi.db")
	o := store.Options{Limits: store.Limits{KeepTriggers: rows, FlushTriggers: time.Hour}}
	s := openAt(t, path, o)
	for n := uint64(1); n <= uint64(rows)/2; n += 50 {
		add(t, s, storetest.Sweep(1, n, 50, "aws", "gcp"))
		for _, id := range []string{"aws", "gcp"} {
			ds := pending(t, s, id, 50)
			settle(t, s, id, store.Failed, ds[:1]...)
			settle(t, s, id, store.Accepted, ds[1:]...)
		}
	}
	must(t, s.Close())
	return openAt(t, path, o)
}

// TestAPageReadsNoMoreRowsThanItShows counts the rows that queries read, in logs of very different sizes.
func TestAPageReadsNoMoreRowsThanItShows(t *testing.T) {
	no := false
	for _, size := range []int{1000, 20_000} {
		s := published(t, size)
		reads := func(q store.TriggerQuery) (rows int, next, read uint64) {
			t.Helper()
			before := s.Stats().RowsRead
			found, next, err := s.Triggers(q)
			must(t, err)
			return len(found), next, s.Stats().RowsRead - before
		}
		for _, q := range []store.TriggerQuery{{Limit: 50}, {Limit: 500}, {Limit: 50, Integration: "gcp"}, {Limit: 50, Before: uint64(size / 2)}} {
			if rows, next, read := reads(q); rows != q.Limit || next == 0 || read > uint64(q.Limit)+1 {
				t.Errorf("%d rows, %+v: %d rows read for %d", size, q, read, rows)
			}
		}
		// One row in fifty matches. Each query reads a bounded number of rows, and no match is lost between two
		// pages.
		found, pages := 0, 0
		for q := (store.TriggerQuery{Limit: 500, Success: &no}); pages == 0 || q.Before != 0; pages++ {
			rows, next, read := reads(q)
			if read > 2000 {
				t.Fatalf("%d rows read at once", read)
			}
			found += rows
			q.Before = next
		}
		if want := size / 50; found != want || pages > size/2000+2 {
			t.Errorf("%d of %d failures found in %d pages", found, want, pages)
		}
		nothing := store.TriggerQuery{Match: func(*store.Trigger) bool { return false }}
		if rows, _, read := reads(nothing); rows != 0 || read > 2000 {
			t.Errorf("%d rows are read for a query without a match", read)
		}
	}
}

// TestATriggerIsFoundByItsID finds a row in memory and in the file, together with the place of its dead letter.
func TestATriggerIsFoundByItsID(t *testing.T) {
	s := published(t, 100)
	add(t, s, storetest.Sweep(1, 51, 2, "aws"))
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 2)...) // no commit has written it yet
	for _, row := range triggers(t, s, store.TriggerQuery{Limit: 1000}) {
		got, err := s.Trigger(row.ID)
		if err != nil || got.ID != row.ID || got.Sample.N != row.Sample.N || got.Store != s.ID() || got.Dead != row.Dead {
			t.Errorf("row %+v is %+v, %v", row, got, err)
		}
		if row.Dead != (row.Sample.N%50 == 1 && row.Sample.N < 51) {
			t.Errorf("row of sample %d, set aside: %t", row.Sample.N, row.Dead)
		}
	}
	for _, id := range []uint64{0, 103, ^uint64(0)} {
		if _, err := s.Trigger(id); !errors.Is(err, store.ErrNoTrigger) {
			t.Errorf("row %d: %v", id, err)
		}
	}
}
