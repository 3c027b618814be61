package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/objects"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

func TestGapsOfOneKindGrow(t *testing.T) {
	at := func(min int) time.Time { return time.Date(2022, 6, 28, 8, min, 0, 0, time.UTC) }
	overrun := func(from int, first uint64) objects.Gap {
		return objects.Gap{Unit: "a/1", Object: "x", Run: 1, From: at(from), To: at(from + 1), First: first,
			Last: first, Count: 1, Reason: objects.GapOverrun}
	}
	s := openForTest(t, Options{})
	other := overrun(4, 7)
	other.Reason = objects.GapBus
	for _, g := range []objects.Gap{overrun(0, 1), overrun(1, 2), overrun(5, 6), other, overrun(30, 40)} {
		if err := s.Missing("aws", g); err != nil {
			t.Fatal(err)
		}
	}
	rows, _, err := s.Triggers(TriggerQuery{})
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, want three: %+v, %v", len(rows), rows, err)
	}
	first := rows[2].Gap
	if first.Count != 3 || first.First != 1 || first.Last != 6 || !first.From.Equal(at(0)) || !first.To.Equal(at(6)) {
		t.Errorf("the oldest row is %+v", first)
	}
}

// TestGapsOfAStoreThatIsClosedOnAFullDiskAreWritten: during the last commit there is no room for sweeps, and in the
// second case none for rows of deliveries either.
func TestGapsOfAStoreThatIsClosedOnAFullDiskAreWritten(t *testing.T) {
	for name, noRows := range map[string]bool{"no room for sweeps": false, "nor for rows of deliveries": true} {
		t.Run(name, func(t *testing.T) {
			s := openForTest(t, Options{Limits: Limits{CommitEvery: time.Hour, RejectNewest: true}})
			if _, err := s.Offer(t.Context(), sweepOf(1, 4, "aws")); err != nil {
				t.Fatal(err)
			}
			ds, err := s.Pending("aws", 1, nil)
			if err != nil || s.Settle("aws", []Result{{Seq: ds[0].Seq, Outcome: Accepted}}) != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			s.update = func(fn func(*bolt.Tx) error) error {
				return s.db.Update(func(tx *bolt.Tx) error {
					err := fn(tx)
					sweep, _ := tx.Bucket(file.BucketSweeps).Cursor().First()
					log, _ := tx.Bucket(file.BucketTriggers).Cursor().First()
					if sweep != nil || noRows && log != nil {
						return &fs.PathError{Op: "write", Err: syscall.ENOSPC}
					}
					return err
				})
			}
			s.mu.Unlock()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := Open(s.path, Options{Now: s.opts.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			gaps, _, err := again.Triggers(TriggerQuery{Gaps: true})
			if err != nil || len(gaps) != 3 || gaps[0].Gap.Reason != whyDiskFull {
				t.Errorf("gaps %+v, %v", gaps, err)
			}
			all, _, err := again.Triggers(TriggerQuery{})
			if want := map[bool]int{false: 4, true: 3}[noRows]; err != nil || len(all) != want {
				t.Errorf("%d rows, not %d: %v", len(all), want, err)
			}
		})
	}
}

// numbered returns a gap of one sample of run 1, due at minute n.
func numbered(object string, n uint64) objects.Gap {
	at := time.Date(2022, 6, 28, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
	return objects.Gap{Unit: "a/1", Object: object, Run: 1, From: at, To: at, First: n, Last: n, Count: 1,
		Reason: objects.GapSize}
}

func missing(t *testing.T, s *Store, gaps ...objects.Gap) {
	t.Helper()
	if err := s.Missing("aws", gaps...); err != nil {
		t.Fatal(err)
	}
}

// gapsOfObject returns the gaps of an object in the log of a store after a restart, the oldest first.
func gapsOfObject(t *testing.T, s *Store, object string) (gaps []objects.Gap, again *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.path, Options{Now: s.opts.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	for before, more := uint64(0), true; more; more = before > 0 {
		var rows []record.Trigger
		if rows, before, err = again.Triggers(TriggerQuery{Gaps: true, Limit: maxRows, Before: before}); err != nil {
			t.Fatal(err)
		}
		for _, w := range rows {
			if w.Gap.Object == object {
				gaps = append([]objects.Gap{w.Gap}, gaps...)
			}
		}
	}
	return gaps, again
}

// TestAGapGoesOnOverARestart: samples of one run are deleted in later runs, and one gap reports them all. Each time
// without an agent is a gap of its own.
func TestAGapGoesOnOverARestart(t *testing.T) {
	down := numbered("down", 1)
	down.Run, down.First, down.Last, down.Reason = 0, 0, 0, objects.GapAgent
	s := openForTest(t, Options{})
	for n := range uint64(3) {
		missing(t, s, numbered("x", 1+2*n), numbered("x", 2+2*n), down)
		var got []objects.Gap
		if got, s = gapsOfObject(t, s, "x"); len(got) != 1 || got[0].First != 1 || got[0].Last != 2+2*n ||
			got[0].Count != 2+2*n {
			t.Fatalf("after %d restarts: %+v", n+1, got)
		}
		if got, s = gapsOfObject(t, s, "down"); len(got) != 1+int(n) {
			t.Errorf("after %d starts without an agent before: %+v", n+1, got)
		}
	}
	missing(t, s, numbered("x", 60)) // much later
	if got, _ := gapsOfObject(t, s, "x"); len(got) != 2 || got[1].First != 60 {
		t.Errorf("after a long distance in the numbers: %+v, want two gaps", got)
	}
}

// TestAGapThatGrowsIsNotPrunedForItsAge: one gap grows while the log prunes more other gaps than it keeps.
func TestAGapThatGrowsIsNotPrunedForItsAge(t *testing.T) {
	s := openForTest(t, Options{})
	const rounds = record.KeepGaps/100 + 10
	for n := range uint64(rounds) {
		missing(t, s, numbered("long", n+1))
		for i := range 100 {
			missing(t, s, numbered(fmt.Sprint(n, i), 1))
		}
		if n%20 == 19 {
			if err := s.SetDeviceID(fmt.Sprint(n)); err != nil { // makes a commit
				t.Fatal(err)
			}
		}
	}
	got, _ := gapsOfObject(t, s, "long")
	if len(got) == 0 || got[len(got)-1].Last != rounds {
		t.Fatalf("the log does not report the last missing samples: %+v", got)
	}
	for i, g := range got {
		if g.Count != g.Last-g.First+1 || i > 0 && g.First != got[i-1].Last+1 {
			t.Errorf("rows that do not follow on each other: %+v", got)
		}
	}
}

// TestAGapOfAFullDiskSurvivesAKill: the process is killed while there is no room for sweeps, and in the second case
// none for rows of deliveries either.
func TestAGapOfAFullDiskSurvivesAKill(t *testing.T) {
	for name, noRows := range map[string]bool{"no room for sweeps": false, "nor for rows of deliveries": true} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { killOnAFullDisk(t, noRows) }) })
	}
}

func killOnAFullDisk(t *testing.T, noRows bool) {
	s := openForTest(t, Options{Now: time.Now,
		Limits: Limits{CommitEvery: time.Second, FlushTriggers: 5 * time.Second, RejectNewest: true}})
	s.mu.Lock()
	s.update = func(fn func(*bolt.Tx) error) error {
		return s.db.Update(func(tx *bolt.Tx) error {
			err := fn(tx)
			sweep, _ := tx.Bucket(file.BucketSweeps).Cursor().First()
			log, _ := tx.Bucket(file.BucketTriggers).Cursor().First()
			if sweep != nil || noRows && log != nil {
				return &fs.PathError{Op: "write", Err: syscall.ENOSPC}
			}
			return err
		})
	}
	s.mu.Unlock()
	const seconds = 65
	for n := range uint64(seconds) {
		sw := sweepOf(1+2*n, 2, "aws")
		sw.Samples[0].Seq, sw.Samples[1].Seq = 1+n, 1+n
		if _, err := s.Offer(t.Context(), sw); err != nil {
			t.Fatal(err)
		}
		ds, err := s.Pending("aws", 1, nil)
		if err != nil || s.Settle("aws", []Result{{Seq: ds[0].Seq, Outcome: Accepted}}) != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	synctest.Wait()
	killed := filepath.Join(t.TempDir(), "noi.db")
	file, err := os.ReadFile(s.path)
	if err == nil {
		err = os.WriteFile(killed, file, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(killed, Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	rows, _, err := again.Triggers(TriggerQuery{Gaps: true})
	i := slices.IndexFunc(rows, func(w record.Trigger) bool { return w.Gap.Object == "object_01" }) // never settled
	if err != nil || i < 0 || rows[i].Gap.Reason != whyDiskFull || rows[i].Gap.Count < seconds-5 {
		t.Errorf("gaps %+v, %v", rows, err)
	}
}
