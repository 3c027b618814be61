package store

import (
	"io/fs"
	"syscall"
	"testing"
	"time"

	"noi-agent/objects"

	bolt "go.etcd.io/bbolt"
)

func TestGapsOfOneKindGrow(t *testing.T) {
	at := func(min int) time.Time { return time.Date(2022, 6, 28, 8, min, 0, 0, time.UTC) }
	overrun := func(from int, first uint64) objects.Gap {
		return objects.Gap{Unit: "a/1", Object: "x", Run: 1, From: at(from), To: at(from + 1), First: first, Last: first, Count: 1, Reason: objects.GapOverrun}
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
		t.Errorf("the first is %+v", first)
	}
}

// TestGapsOfAStoreThatIsClosedOnAFullDiskAreWritten: with the last commit the disk is full for sweeps, and in the second case for rows
// of deliveries too.
func TestGapsOfAStoreThatIsClosedOnAFullDiskAreWritten(t *testing.T) {
	for name, noRows := range map[string]bool{"no room for sweeps": false, "nor for rows of deliveries": true} {
		t.Run(name, func(t *testing.T) {
			s := openForTest(t, Options{CommitEvery: time.Hour, RejectNewest: true})
			if _, err := s.Offer(t.Context(), sweepOf(1, 4, "aws")); err != nil {
				t.Fatal(err)
			}
			ds, err := s.Pending("aws", 1)
			if err != nil || s.Settle("aws", []Result{{Seq: ds[0].Seq, Outcome: Accepted}}) != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			s.update = func(fn func(*bolt.Tx) error) error {
				return s.db.Update(func(tx *bolt.Tx) error {
					err := fn(tx)
					sweep, _ := tx.Bucket(bucketSweeps).Cursor().First()
					log, _ := tx.Bucket(bucketTriggers).Cursor().First()
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
