package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"noi-agent/objects"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// sweepOf is a sweep of one slave, full of half precision numbers as the slave sends them.
func sweepOf(n0 uint64, count int, routes ...string) objects.Sweep {
	at := time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)
	sw := objects.Sweep{Source: objects.Source{Line: "rs485", UnitID: 1, Slave: "PS-PWM-30M"}, Run: 7}
	var all []int
	for i := range count {
		at = at.Add(time.Duration(i%5/4) * 83 * time.Millisecond) // five to a read
		sw.Samples = append(sw.Samples, objects.Sample{
			Object: fmt.Sprintf("object_%02d", i), N: n0 + uint64(i), SampledAt: at,
			Value: objects.Number(12.1171875 + float64(n0)/1024 + float64(i)/128),
		})
		all = append(all, i)
	}
	for _, id := range routes {
		sw.Routes = append(sw.Routes, objects.Route{Integration: id, Picked: all})
	}
	return sw
}

func openForTest(t *testing.T, o Options) *Store {
	t.Helper()
	o.Now = func() time.Time { return time.Date(2022, 6, 28, 9, 0, 0, 0, time.UTC) }
	s, err := Open(filepath.Join(t.TempDir(), "noi.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.SetIntegrations([]Integration{{ID: "aws", Topic: "T"}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// failWith makes the next commits fail with the error that next returns. The error comes after the transaction was
// filled, as from a failing write or fsync. A nil error lets one commit succeed.
func failWith(s *Store, next func() error) {
	s.mu.Lock()
	defer s.mu.Unlock() // the writer is idle, and takes the lock before it commits
	s.update = func(fn func(*bolt.Tx) error) error {
		return s.db.Update(func(tx *bolt.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			return next()
		})
	}
}

func TestFailedCommitStopsTheStore(t *testing.T) {
	s := openForTest(t, Options{})
	failWith(s, func() error { return syscall.EIO })
	select {
	case <-s.Fatal():
		t.Fatal("stopped before anything failed")
	default:
	}
	changed := s.Changed("aws")
	if err := s.Append(t.Context(), sweepOf(1, 4, "aws")); !errors.Is(err, syscall.EIO) {
		t.Fatalf("append: %v", err)
	}
	<-s.Fatal()
	<-changed
	_, errPending := s.Pending("aws", 1, nil)
	_, _, errTriggers := s.Triggers(TriggerQuery{})
	for what, err := range map[string]error{
		"err": s.Err(), "append": s.Append(t.Context(), sweepOf(5, 4, "aws")), "pending": errPending,
		"settle": s.Settle("aws", nil), "triggers": errTriggers, "integrations": s.SetIntegrations(nil),
		"device": s.SetDeviceID("x"), "close": s.Close(),
	} {
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("%s after it: %v", what, err)
		}
	}
	if n := s.Stats().Committed; n != 0 {
		t.Errorf("%d samples counted as committed", n)
	}
}

func TestASyncThatFailsForWantOfSpaceStopsTheStore(t *testing.T) {
	s := openForTest(t, Options{})
	failWith(s, func() error { return syscall.ENOSPC }) // bare, as of fdatasync: the head page may be written
	if err := s.Append(t.Context(), sweepOf(1, 4, "aws")); errors.Is(err, ErrFull) || err == nil {
		t.Errorf("append: %v, want an error that says that the content of the file is unknown", err)
	}
	<-s.Fatal()
}

func TestRowsOfAFailedCommitAreWrittenByTheNext(t *testing.T) {
	s := openForTest(t, Options{})
	gap := objects.Gap{Unit: "a/1", Object: "x", From: s.opts.Now(), To: s.opts.Now(), First: 1, Last: 1, Count: 1,
		Reason: objects.GapBus}
	if err := s.Append(t.Context(), sweepOf(1, 4, "aws")); err != nil {
		t.Fatal(err)
	}
	ds, err := s.Pending("aws", 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		if err := errors.Join(s.Missing("aws", gap),
			s.Settle("aws", []Result{{Seq: d.Seq, Index: d.Index, Outcome: Accepted}})); err != nil {
			t.Fatal(err)
		}
	}
	full := true
	failWith(s, func() error {
		if full {
			return &fs.PathError{Op: "write", Err: syscall.ENOSPC}
		}
		return nil
	})
	s.mu.Lock()
	s.lastRows = time.Time{} // so that the next commit writes rows
	s.mu.Unlock()
	if err := s.SetDeviceID("x"); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	failWith(s, func() error { full = false; return nil })
	checkClosed(t, s)
	rows, err := rowsOf(s.path)
	if err != nil || rows != 5 {
		t.Errorf("%d rows in the file, want four results and a gap: %v", rows, err)
	}
}

// rowsOf counts the rows in a file.
func rowsOf(path string) (n int, err error) {
	s, err := Open(path, Options{})
	if err != nil {
		return 0, err
	}
	rows, _, err := s.Triggers(TriggerQuery{})
	return len(rows), errors.Join(err, s.Close())
}

func TestPanicInACommitStopsTheStore(t *testing.T) {
	s := openForTest(t, Options{})
	failWith(s, func() error { panic("page 7: bad flags") })
	if err := s.Append(t.Context(), sweepOf(1, 4, "aws")); err == nil {
		t.Fatal("append succeeded")
	}
	<-s.Fatal()
}

func TestFullDiskGoesOn(t *testing.T) {
	s := openForTest(t, Options{})
	if err := s.Append(t.Context(), sweepOf(1, 4, "aws")); err != nil {
		t.Fatal(err)
	}
	commits := 0
	failWith(s, func() error { // a full disk: no room for new records, but old ones can be deleted
		if commits++; commits%2 == 1 {
			return fmt.Errorf("file resize error: %s", syscall.ENOSPC) // bbolt does not wrap it
		}
		return nil
	})
	err := s.Append(t.Context(), sweepOf(5, 4, "aws"))
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	if s.Err() != nil {
		t.Fatalf("a full disk stopped the store: %v", s.Err())
	}
	// four were deleted in vain, four are not kept
	if is := s.Stats().Integrations["aws"]; is.Dropped != 8 || is.Backlog != 0 {
		t.Errorf("the oldest samples were not deleted: %+v", is)
	}
	failWith(s, func() error { return nil })
	if err := s.Append(t.Context(), sweepOf(9, 4, "aws")); err != nil {
		t.Fatal(err)
	}
	ds, err := s.Pending("aws", 10, nil)
	if err != nil || len(ds) != 4 || ds[0].Sample.N != 9 || ds[3].Sample.Object != "object_03" {
		t.Errorf("pending %v %v", ds, err)
	}
	checkClosed(t, s)
}

func TestFileAtItsLimitMakesRoom(t *testing.T) {
	s := openForTest(t, Options{})
	s.db.MaxSize = 2 << 20 // less than MaxSize allows for records
	for n := uint64(1); n < 200_000; n += 2000 {
		sweeps := []objects.Sweep{}
		for i := uint64(0); i < 2000; i += 40 {
			sweeps = append(sweeps, sweepOf(n+i, 40, "aws"))
		}
		if err := s.Append(t.Context(), sweeps...); err != nil {
			t.Fatalf("sample %d: %v", n, err)
		}
	}
	st := s.Stats()
	if st.FileBytes > 2<<20 || st.Integrations["aws"].Dropped == 0 || st.Committed != 200_000 {
		t.Errorf("stats %+v", st)
	}
	checkClosed(t, s)
}

func checkClosed(t *testing.T, s *Store) {
	t.Helper()
	if err := errors.Join(s.Close(), file.Check(s.path)); err != nil {
		t.Error(err)
	}
}

func TestNamesOfAFailedCommitAreTakenBack(t *testing.T) {
	s := openForTest(t, Options{})
	before := s.names.Size()
	failWith(s, func() error { return &fs.PathError{Op: "write", Err: syscall.ENOSPC} })
	if err := s.Append(t.Context(), sweepOf(1, 30, "aws")); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	if n := s.names.Size() - before; n != 0 {
		t.Errorf("%d names of it are left", n)
	}
	failWith(s, func() error { return nil })
	if err := s.Append(t.Context(), sweepOf(1, 2, "aws")); err != nil {
		t.Fatal(err)
	}
	checkClosed(t, s)
}
