package store

import (
	"io/fs"
	"syscall"
	"testing"
	"time"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// reopenFull closes a store that has some sweeps and opens it again with no room for more. Pending has read only the
// first sweep, so for new sweeps the store knows only their count.
func reopenFull(t *testing.T, o Options) *Store {
	t.Helper()
	s := openForTest(t, Options{})
	for n := range uint64(4) {
		if err := s.Append(t.Context(), sweepOf(1+10*n, 10, "aws")); err != nil {
			t.Fatal(err)
		}
	}
	o.Now, o.MaxSize = s.opts.Now, s.Stats().RecordBytes+10
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(s.path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		if err := file.Check(s.path); err != nil {
			t.Error(err)
		}
	})
	return s
}

// whileCommitting runs call when the next transactions are filled and not yet in the file.
func whileCommitting(s *Store, call func()) {
	failWith(s, func() error { call(); return nil })
}

func TestWhatIsRejectedIsNoBacklog(t *testing.T) {
	for name, o := range map[string]Options{"": {}, "retained": {Limits: Limits{RetainAfterAck: time.Hour}}} {
		t.Run(name, func(t *testing.T) {
			o.RejectNewest = true
			o.CommitEvery = time.Hour
			s := reopenFull(t, o)
			if _, err := s.Offer(t.Context(), sweepOf(41, 10, "aws")); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil { // makes one commit
				t.Fatal(err)
			}
			if it := s.integrations["aws"]; it.Backlog != 40 || it.Dropped != 10 {
				t.Errorf("backlog %d, dropped %d", it.Backlog, it.Dropped)
			}
			if err := file.Check(s.path); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsRejectedIsNotDelivered(t *testing.T) {
	s := reopenFull(t, Options{Limits: Limits{RejectNewest: true}})
	var during []Delivery
	whileCommitting(s, func() { during, _ = s.Pending("aws", 100, nil) })
	if err := s.Append(t.Context(), sweepOf(41, 10, "aws")); err != nil {
		t.Fatal(err)
	}
	if len(during) != 40 {
		t.Errorf("%d pending during the commit that rejects them", len(during))
	}
	after, err := s.Pending("aws", 100, nil)
	if is := s.Stats().Integrations["aws"]; err != nil || len(after) != 40 || is.Backlog != 40 {
		t.Errorf("%d pending, backlog %d, %v", len(after), is.Backlog, err)
	}
}

func TestALookUnderWayDoesNotFindWhatIsRejected(t *testing.T) {
	s := reopenFull(t, Options{Limits: Limits{RejectNewest: true}})
	var l *look
	whileCommitting(s, func() {})
	s.update = func(fn func(*bolt.Tx) error) error {
		l, _ = s.startLook("aws", 100) // before anything is rejected
		return s.db.Update(fn)
	}
	if err := s.Append(t.Context(), sweepOf(41, 10, "aws")); err != nil {
		t.Fatal(err)
	}
	if err := l.run(); err != nil {
		t.Fatal(err)
	}
	out, _ := l.finish()
	if backlog := s.Stats().Integrations["aws"].Backlog; len(out) != 40 || backlog != 40 {
		t.Errorf("%d found, backlog %d", len(out), backlog)
	}
}

func TestWhatIsRejectedIsToldOnce(t *testing.T) {
	s := reopenFull(t, Options{Limits: Limits{RejectNewest: true}})
	fails := 1
	failWith(s, func() error {
		if fails--; fails >= 0 {
			return &fs.PathError{Op: "write", Err: syscall.ENOSPC}
		}
		return nil
	})
	_ = s.Append(t.Context(), sweepOf(41, 10, "aws"))
	if is := s.Stats().Integrations["aws"]; is.Backlog != 40 || is.Dropped != 10 {
		t.Errorf("backlog %d, dropped %d", is.Backlog, is.Dropped)
	}
}
