package store_test

import (
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

func TestASmallerMaxSizeMakesRoomWithTheNextCommits(t *testing.T) {
	s := open(t, store.Options{})
	const sweeps = 25_000 // more than two commits delete
	var all []objects.Sweep
	for n := uint64(1); n <= sweeps; n++ {
		all = append(all, storetest.Sweep(1, n, 1, "aws"))
	}
	add(t, s, all...)
	const limit = 8 << 10
	must(t, s.SetLimits(store.Limits{MaxSize: limit}))
	const more = 2 // commits, each deletes up to 10,000
	for n := uint64(1); n <= more; n++ {
		add(t, s, storetest.Sweep(1, sweeps+n, 1, "aws"))
	}
	is := s.Stats().Integrations["aws"]
	if bytes := s.Stats().RecordBytes; bytes > limit || is.Backlog == 0 || is.Dropped == 0 ||
		is.Backlog+is.Dropped != sweeps+more {
		t.Errorf("%d bytes, and %+v do not add up to %d", bytes, is, sweeps+more)
	}
	rows := triggers(t, s, store.TriggerQuery{Integration: "aws"})
	if len(rows) != 1 || rows[0].Gap.Count != is.Dropped ||
		!strings.HasSuffix(rows[0].Error, "max_size: the outbox is full at 8KiB") {
		t.Errorf("rows %+v", rows)
	}

	must(t, s.SetLimits(store.Limits{MaxSize: 1 << 20}))
	for n := uint64(sweeps + more + 1); n <= sweeps+1000; n += 100 {
		add(t, s, storetest.Sweep(1, n, 100, "aws"))
	}
	if now := s.Stats(); now.Integrations["aws"].Dropped != is.Dropped || now.RecordBytes <= limit {
		t.Errorf("at the larger limit: %+v", now)
	}
}

func TestWhatGivesWayWhenFullCanBeChanged(t *testing.T) {
	const limit = 2 << 10
	s := open(t, store.Options{Limits: store.Limits{MaxSize: limit}})
	fill := func(from uint64) {
		for n := from; n < from+500; n += 10 {
			add(t, s, storetest.Sweep(1, n, 10, "aws"))
		}
	}
	fill(1)
	newest := numbers(pending(t, s, "aws", 1000))
	must(t, s.SetLimits(store.Limits{MaxSize: limit, RejectNewest: true}))
	fill(501)
	kept := numbers(pending(t, s, "aws", 1000))
	if newest[len(newest)-1] != 500 || kept[0] != newest[0] || kept[len(kept)-1] > 520 {
		t.Errorf("%d to %d were kept, then %d to %d", newest[0], newest[len(newest)-1], kept[0], kept[len(kept)-1])
	}
	must(t, s.SetLimits(store.Limits{MaxSize: limit}))
	fill(1001)
	if kept = numbers(pending(t, s, "aws", 1000)); kept[0] < 1000 || kept[len(kept)-1] != 1500 {
		t.Errorf("the oldest samples must be deleted again, and %d to %d are kept", kept[0], kept[len(kept)-1])
	}
}

func TestMaxAgeCanBeChanged(t *testing.T) {
	var later atomic.Int64 // the writer reads the clock too
	s := open(t, store.Options{Now: func() time.Time { return storetest.Start.Add(time.Duration(later.Load())) }})
	for n := uint64(10); n <= 100; n += 10 {
		add(t, s, storetest.Sweep(1, n, 1, "aws"))
	}
	later.Store(int64(100 * time.Second))
	must(t, s.SetLimits(store.Limits{MaxAge: 35 * time.Second}))
	if got := numbers(pending(t, s, "aws", 100)); len(got) != 4 || got[0] != 70 {
		t.Errorf("pending %v", got)
	}
	must(t, s.SetLimits(store.Limits{MaxAge: time.Hour}))
	later.Add(int64(50 * time.Minute))
	add(t, s, storetest.Sweep(1, 3000, 1, "aws"))
	if got := numbers(pending(t, s, "aws", 100)); len(got) != 5 {
		t.Errorf("pending %v", got)
	}
}

func TestTheCommitWindowCanBeChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, store.Options{Limits: store.Limits{CommitEvery: time.Hour}})
		begin := time.Now()
		waiting, err := s.Offer(t.Context(), storetest.Sweep(1, 1, 1, "aws"))
		must(t, err)
		time.Sleep(time.Second)
		must(t, s.SetLimits(store.Limits{CommitEvery: 10 * time.Second}))
		<-waiting.Done()
		if took := time.Since(begin); took != time.Second {
			t.Errorf("the waiting sweep was durable after %v, want 1s: the change ends the window", took)
		}
		for _, every := range []time.Duration{10 * time.Second, time.Minute, 0} {
			must(t, s.SetLimits(store.Limits{CommitEvery: every}))
			begin = time.Now()
			add(t, s, storetest.Sweep(1, 2, 1, "aws"))
			if took := time.Since(begin); took != every {
				t.Errorf("durable after %v, want %v", took, every)
			}
		}
	})
}

func TestTheFlushFollowsAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := openAt(t, path, store.Options{Limits: store.Limits{FlushTriggers: time.Hour}})
		inTheFile := func() int {
			after := openAt(t, copyOf(t, path), store.Options{})
			defer after.Close()
			return len(triggers(t, after, store.TriggerQuery{}))
		}
		add(t, s, storetest.Sweep(1, 1, 2, "aws"))
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 1)...)
		time.Sleep(time.Minute) // the timer of an hour runs
		if n := inTheFile(); n != 0 {
			t.Errorf("%d rows in the file", n)
		}
		must(t, s.SetLimits(store.Limits{FlushTriggers: 10 * time.Second})) // its own commit also writes the row
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 1)...)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if n := inTheFile(); n != 1 {
			t.Errorf("%d rows in the file before the time of the second", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := inTheFile(); n != 2 {
			t.Errorf("%d rows in the file, want that of 10 s ago too", n)
		}
	})
}

func TestASmallerKeepPrunesTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	for n := uint64(1); n <= 20; n++ {
		add(t, s, storetest.Sweep(1, n, 1, "aws", "gcp"))
	}
	settle(t, s, "aws", store.Retrying, pending(t, s, "aws", 20)...)
	settle(t, s, "gcp", store.Accepted, pending(t, s, "gcp", 20)...)
	must(t, s.Close()) // writes the rows
	s = openAt(t, path, store.Options{})
	must(t, s.SetLimits(store.Limits{KeepTriggers: 4}))
	add(t, s, storetest.Sweep(1, 21, 1, "aws", "gcp"))
	for _, id := range []string{"aws", "gcp"} {
		settle(t, s, id, store.Accepted, pending(t, s, id, 21)...) // for aws including samples whose row is cut next
	}
	must(t, s.Close())
	s = openAt(t, path, store.Options{})
	for _, id := range []string{"aws", "gcp"} {
		rows := triggers(t, s, store.TriggerQuery{Integration: id})
		if len(rows) != 4 || rows[0].Sample.N != 21 || id == "gcp" && rows[3].Sample.N != 18 {
			t.Errorf("%s: %d rows are left, the newest of sample %d", id, len(rows), rows[0].Sample.N)
		}
	}
	if st := s.Stats(); st.Integrations["aws"].Sent != 21 || st.Integrations["aws"].Backlog != 0 {
		t.Errorf("%+v", st)
	}
}

func TestRetainAfterAckCanBeChanged(t *testing.T) {
	s := open(t, store.Options{})
	take := func(n uint64) {
		add(t, s, storetest.Sweep(1, n, 1, "aws"))
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 1)...)
	}
	take(1)
	add(t, s, storetest.Sweep(1, 2, 1, "aws")) // its commit deletes the first sample
	must(t, s.SetLimits(store.Limits{RetainAfterAck: 1000 * time.Hour}))
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 1)...)
	take(3)
	must(t, s.SetLimits(store.Limits{RetainAfterAck: 2000 * time.Hour}))
	found, _, err := s.Scan(store.Range{}).Step()
	must(t, err)
	if len(found) != 2 || found[0].Sweep.Samples[0].N != 2 {
		t.Errorf("kept %+v, want the samples 2 and 3", found)
	}
	must(t, s.SetLimits(store.Limits{}))
	if st := s.Stats(); st.Sweeps != 0 {
		t.Errorf("%d sweeps are kept for no integration", st.Sweeps)
	}
}

func TestEqualLimitsCostNoCommit(t *testing.T) {
	s := open(t, store.Options{})
	before := s.Stats().Commits
	must(t, s.SetLimits(store.Limits{MaxSize: 256 << 20}))
	if n := s.Stats().Commits - before; n != 0 {
		t.Errorf("%d commits", n)
	}
	must(t, s.Close())
	if err := s.SetLimits(store.Limits{}); err == nil {
		t.Error("a closed store takes limits")
	}
}

// TestLimitsChangeUnderLoad has no own checks of the order: it is for the race detector.
func TestLimitsChangeUnderLoad(t *testing.T) {
	s := open(t, store.Options{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 60 {
			l := store.Limits{
				MaxSize: int64(4<<10) << (i % 3), RejectNewest: i%2 == 0, KeepTriggers: 5 + i%7,
				FlushTriggers:  time.Duration(1+i%3) * time.Millisecond,
				CommitEvery:    time.Duration(i%3) * time.Millisecond,
				RetainAfterAck: time.Duration(i%2) * 100 * time.Hour, MaxAge: time.Duration(1+i%2) * 100 * time.Hour,
			}
			if err := s.SetLimits(l); err != nil {
				t.Error(err)
			}
		}
	})
	for n := uint64(1); n <= 2000; n += 10 {
		add(t, s, storetest.Sweep(1, n, 10, "aws", "gcp"))
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 7)...)
		settle(t, s, "gcp", store.Retrying, pending(t, s, "gcp", 3)...)
		_ = triggers(t, s, store.TriggerQuery{})
	}
	wg.Wait()
	must(t, s.SetLimits(store.Limits{MaxSize: 8 << 10}))
	if st := s.Stats(); st.RecordBytes > 8<<10 {
		t.Errorf("%d bytes", st.RecordBytes)
	}
}
