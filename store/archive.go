package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// Archive is a store that no agent uses, open for reading. It holds the file's lock only while it reads a step, so that
// an agent can start at any time. If an agent starts, the Scan fails with ErrLocked.
type Archive struct{ store *Store }

// OpenArchive reads the identity of the store. It writes nothing, and a file that was cleanly closed stays so. It fails
// with ErrLocked when an agent has the file open, with ErrDamaged and ErrVersion when the file cannot be used, and with
// the system's error. A file damaged in its inner structure can also make bbolt panic.
func OpenArchive(path string) (*Archive, error) {
	s := &Store{path: path, opts: Options{Logger: slog.New(slog.DiscardHandler)}, damaged: map[uint64]struct{}{}}
	a := &Archive{s}
	err := a.view(func(tx *bolt.Tx) error {
		m, err := file.Load(tx)
		if err != nil {
			return err
		}
		s.id, s.run, s.device, s.origins = m.Identity.ID, m.Identity.Run, m.Identity.Device, m.Identity.Origins
		s.next, s.starts = m.Totals.Next, m.Starts
		if m.BadTotals {
			s.next = m.Recount(tx).Totals.Next
		}
		s.names.Take(&m.Names)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// DeviceID returns the id that Store.SetDeviceID kept; "": none.
func (a *Archive) DeviceID() string { return a.store.device }

// Scan is Store.Scan. A step opens the file again, and fails if it is another file than before.
func (a *Archive) Scan(r Range) *Scan {
	c := a.store.Scan(r)
	c.view = a.view
	return c
}

// view opens the file for one transaction.
func (a *Archive) view(fn func(*bolt.Tx) error) (err error) {
	path := a.store.path
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read store %s: %w: %v", path, record.ErrDamaged, p)
		}
	}()
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("read store: %w", err) // bbolt's own error has less information
	}
	o := file.BoltOptions(0)
	o.ReadOnly = true
	db, err := bolt.Open(path, 0o600, o)
	if err != nil {
		return file.OpenError(path, err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		if err := a.sameFile(tx); err != nil {
			return err
		}
		return fn(tx)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("read store %s: %w", path, err)
	}
	return nil
}

// errExchanged: an agent has run meanwhile, and has replaced the file.
var errExchanged = errors.New("the file is another than at the beginning; try again")

// sameFile reports whether the file is still the one that was opened first.
func (a *Archive) sameFile(tx *bolt.Tx) error {
	if a.store.id == "" {
		return nil
	}
	b := tx.Bucket(file.BucketMeta)
	if b == nil {
		return record.ErrDamaged
	}
	who, err := record.DecodeIdentity(b.Get(record.KeyIdentity))
	if err != nil {
		return err
	}
	if who.ID != a.store.id {
		return errExchanged
	}
	return nil
}
