package store_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

func triggers(t *testing.T, s *store.Store, q store.TriggerQuery) []store.Trigger {
	t.Helper()
	rows, _, err := s.Triggers(q)
	must(t, err)
	return rows
}

func TestOldestGiveWayToSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	const limit = 8 << 10
	s := openAt(t, path, store.Options{Limits: store.Limits{MaxSize: limit}})
	add(t, s, storetest.Sweep(1, 1, 10, "aws", "gcp"))
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 4)...)
	for n := uint64(11); n <= 2000; n += 10 {
		add(t, s, storetest.Sweep(1, n, 10, "aws", "gcp"))
		if st := s.Stats(); st.RecordBytes > limit {
			t.Fatalf("%d bytes, over the limit", st.RecordBytes)
		}
	}
	for id, settled := range map[string]uint64{"aws": 4, "gcp": 0} {
		is := s.Stats().Integrations[id]
		if is.Dropped == 0 || is.Backlog == 0 || is.Dropped+is.Backlog+settled != 2000 {
			t.Errorf("%s: %+v do not add up to 2000", id, is)
		}
		ds := pending(t, s, id, 5000)
		if diff := cmp.Diff(upTo(2001-is.Backlog, 2000), numbers(ds)); diff != "" {
			t.Errorf("%s: the newest samples must be left (-want +got):\n%s", id, diff)
		}
		if !is.Oldest.Equal(ds[0].Sample.SampledAt) {
			t.Errorf("%s: oldest %v, want %v", id, is.Oldest, ds[0].Sample.SampledAt)
		}
		var dropped uint64
		rows := triggers(t, s, store.TriggerQuery{Integration: id})
		for _, w := range rows {
			dropped += w.Gap.Count
		}
		if dropped != is.Dropped {
			t.Errorf("%s: the log reports %d dropped samples, want %d", id, dropped, is.Dropped)
		}
		if last := rows[0]; !strings.HasPrefix(last.Error, "Gap: ") ||
			!strings.HasSuffix(last.Error, " missing: max_size: the outbox is full at 8KiB") || last.Topic == "" ||
			last.Success {
			t.Errorf("%s: row %+v", id, last)
		}
		if len(rows) > 10+4 { // one for each of ten objects, and four that aws had accepted
			t.Errorf("%s: an overflow filled the log with %d rows", id, len(rows))
		}
	}
	before := s.Stats().Integrations
	must(t, s.Close())
	s = openAt(t, path, store.Options{Limits: store.Limits{MaxSize: limit}})
	if diff := cmp.Diff(before, s.Stats().Integrations); diff != "" {
		t.Errorf("after reopening (-before +after):\n%s", diff)
	}
}

func TestOldestGiveWayToAge(t *testing.T) {
	now := storetest.Start
	s := open(t, store.Options{Limits: store.Limits{MaxAge: 30 * time.Second}, Now: func() time.Time { return now }})
	add(t, s, storetest.Sweep(1, 10, 4, "aws"), storetest.Sweep(1, 20, 4, "aws"), storetest.Sweep(1, 30, 4, "aws"))
	settle(t, s, "aws", store.Retrying, pending(t, s, "aws", 1)...)
	now = storetest.Start.Add(51 * time.Second) // the sweeps of :10 and :20 are over 30 s old now
	add(t, s, storetest.Sweep(1, 50, 1, "aws"))
	if got := numbers(pending(t, s, "aws", 10)); !cmp.Equal(got, []uint64{30, 31, 32, 33, 50}) {
		t.Errorf("pending %v", got)
	}
	rows := triggers(t, s, store.TriggerQuery{Integration: "aws"})
	want := "Gap: 2 samples of rs485/1 object_03 from 2022-06-28T08:20:39Z to 2022-06-28T08:20:49Z missing: max_age: " +
		"the outbox keeps samples for 30 s"
	if len(rows) != 5 || rows[0].Error != want || rows[0].Gap.Count != 2 {
		t.Errorf("rows %+v", rows)
	}
	if rows[4].Open {
		t.Error("the row of a deleted sample still says that the sample is retried")
	}
	if is := s.Stats().Integrations["aws"]; is.Dropped != 8 {
		t.Errorf("stats %+v", is)
	}
}

func TestQuietStoreKeepsItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, store.Options{Limits: store.Limits{MaxAge: time.Hour}, Now: func() time.Time {
			return storetest.Start.Add(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
		}})
		add(t, s, storetest.Sweep(1, 1, 4, "aws"))
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		if b := s.Stats().Integrations["aws"].Backlog; b != 4 {
			t.Errorf("backlog %d after 50 min", b)
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if is := s.Stats().Integrations["aws"]; is.Backlog != 0 || is.Dropped != 4 {
			t.Errorf("after 80 min: %+v", is)
		}
	})
}

func TestDropsOfOtherReasonsHaveTheirOwnRow(t *testing.T) {
	now := storetest.Start
	s := open(t, store.Options{Limits: store.Limits{MaxAge: time.Minute, MaxSize: 2 << 10},
		Now: func() time.Time { return now }})
	add(t, s, storetest.Sweep(1, 1, 10, "aws"))
	now = now.Add(2 * time.Minute)
	for n := uint64(100); n < 800; n += 10 {
		add(t, s, storetest.Sweep(1, n, 10, "aws"))
	}
	rows := triggers(t, s, store.TriggerQuery{Integration: "aws"})
	counts := map[string]uint64{}
	for _, w := range rows {
		counts[w.Gap.Reason] += w.Gap.Count
	}
	want := map[string]uint64{
		"max_age: the outbox keeps samples for 1 min": 10,
		"max_size: the outbox is full at 2KiB":        s.Stats().Integrations["aws"].Dropped - 10,
	}
	if diff := cmp.Diff(want, counts); diff != "" || len(rows) != 20 {
		t.Errorf("%d rows, and by reason (-want +got):\n%s", len(rows), diff)
	}
}

func TestPausedIntegrationKeepsItsBacklogAndAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	for n := uint64(1); n <= 100; n++ {
		add(t, s, storetest.Sweep(1, n, 1, "aws", "gcp"))
		settle(t, s, "gcp", store.Accepted, pending(t, s, "gcp", 1)...)
	}
	for range 2 {
		st := s.Stats()
		if is := st.Integrations["aws"]; is.Backlog != 100 || !is.Oldest.Equal(storetest.Start.Add(time.Second)) {
			t.Errorf("aws %+v", is)
		}
		if is := st.Integrations["gcp"]; is.Backlog != 0 || !is.Oldest.IsZero() {
			t.Errorf("gcp %+v", is)
		}
		if st.Sweeps != 100 {
			t.Errorf("%d sweeps", st.Sweeps)
		}
		must(t, s.Close())
		s = openAt(t, path, store.Options{})
	}
}

// The samples that are rejected with one commit make one gap for each object, and the next commit extends the gaps.
// One row for each sample would push all other rows out of the log.
func TestWhatIsRejectedTogetherIsOneGap(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{MaxSize: 1 << 10, RejectNewest: true, CommitEvery: time.Hour}})
	var seq uint64
	for range 20 {
		var sweeps []objects.Sweep
		for range 10 {
			seq++
			sw := storetest.Sweep(1, seq, 1, "aws")
			sw.Samples[0].Object, sw.Samples[0].Seq = "adc_vbterm", seq
			sweeps = append(sweeps, sw)
		}
		sweeps[9].Urgent = true
		add(t, s, sweeps...)
	}
	dropped := s.Stats().Integrations["aws"].Dropped
	rows := triggers(t, s, store.TriggerQuery{Gaps: true})
	if len(rows) != 1 || dropped < 100 || rows[0].Gap.First != seq-dropped+1 || rows[0].Gap.Last != seq ||
		rows[0].Gap.Count != dropped {
		t.Errorf("%d dropped, %d rows, the newest %+v", dropped, len(rows), rows[0].Gap)
	}
}

// A sample was tried, and then the store rejects it. It is not tried again, and its row says so.
func TestRowsOfWhatIsRejectedAreClosed(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{MaxSize: 1, RejectNewest: true, CommitEvery: time.Hour}})
	p, err := s.Offer(t.Context(), storetest.Sweep(1, 1, 2, "aws"))
	must(t, err)
	settle(t, s, "aws", store.Retrying, pending(t, s, "aws", 1)...)
	must(t, s.SetDeviceID("5300520006504b5957343920")) // makes a commit
	<-p.Done()
	rows := triggers(t, s, store.TriggerQuery{})
	if is := s.Stats().Integrations["aws"]; is.Dropped != 2 || len(rows) != 3 {
		t.Fatalf("%+v, rows %+v", is, rows)
	}
	for _, w := range rows {
		if w.Open {
			t.Errorf("the row says that the sample is tried again: %+v", w)
		}
	}
}

// A commit that deletes samples also writes their gap. A kill may lose only the last minute of the gap's growth.
func TestAKillDoesNotTakeTheGapOfWhatGaveWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	o := store.Options{Limits: store.Limits{MaxSize: 1 << 10}}
	s := openAt(t, path, o)
	for n := uint64(1); n <= 100; n++ {
		add(t, s, storetest.Sweep(1, n, 1, "aws"))
	}
	killed, dropped := copyOf(t, path), s.Stats().Integrations["aws"].Dropped
	must(t, s.Close())
	s = openAt(t, killed, o)
	rows := triggers(t, s, store.TriggerQuery{Gaps: true})
	if dropped == 0 || s.Stats().Integrations["aws"].Dropped != dropped || len(rows) != 1 || rows[0].Gap.First == 0 &&
		rows[0].Gap.Count == 0 {
		t.Errorf("%d dropped, gaps %+v", dropped, rows)
	}
}

// TestStatsHaveTheFreeBytesOfTheDisk: the number is known from the start, and of the right size.
func TestStatsHaveTheFreeBytesOfTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, filepath.Join(dir, "noi.db"), store.Options{})
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	want := float64(fs.Bavail) * float64(fs.Bsize)
	if got := float64(s.Stats().FreeBytes); got < want/2 || got > want*2 {
		t.Errorf("%v bytes are free, want about %v", got, want)
	}
}
