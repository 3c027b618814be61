package file

import (
	"errors"
	"fmt"
	"os"

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// Verify checks whether an agent can work with the file. It runs after an unclean stop: bbolt's own consistency check,
// a read of identity, totals, names and cursors, and of every byte of a value. It ignores single damaged sweeps and
// trigger rows, because the store skips and counts them later; Check finds them. It fails with ErrDamaged, with
// ErrVersion, with ErrLocked while an agent has the file open, and with the system's error if the check cannot be made.
// On a damaged file bbolt may panic, or hang: a program that must go on runs Verify in a child process (Verdict,
// InChild).
func Verify(path string) error {
	if err := verify(path); err != nil {
		return fmt.Errorf("check store: %w", err)
	}
	return nil
}

func verify(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err // otherwise bbolt would make a file
	}
	o := BoltOptions(0)
	o.ReadOnly = true
	o.InitialMmapSize = int(2 * info.Size()) // also maps addresses after the end: a read there ends the process
	db, err := bolt.Open(path, 0o600, o)
	if err != nil {
		return sortError(err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		var first error
		for fault := range tx.Check() { // to its end: it is a goroutine that sends
			if first == nil {
				first = fault
			}
		}
		if first != nil {
			return fmt.Errorf("%w: %w", record.ErrDamaged, first)
		}
		return sound(tx)
	})
	return errors.Join(err, db.Close())
}

// sound reads everything that a start needs, and every other byte: a length that leads out of the file ends this
// process here, and not the agent later.
func sound(tx *bolt.Tx) error {
	m, err := Load(tx)
	if err != nil {
		return err
	}
	if m.BadTotals || m.BadNames > 0 || len(m.BadCursors) > 0 {
		return fmt.Errorf("%w: totals damaged: %v, damaged names: %d, damaged cursors: %d",
			record.ErrDamaged, m.BadTotals, m.BadNames, len(m.BadCursors))
	}
	return tx.ForEach(func(_ []byte, b *bolt.Bucket) error { return touch(b, tx.Size()) })
}

// touch reads each value of a bucket, and of the buckets in it. most is the size of the file.
func touch(b *bolt.Bucket, most int64) error {
	if b == nil {
		return fmt.Errorf("%w: a bucket cannot be opened", record.ErrDamaged)
	}
	return b.ForEach(func(k, v []byte) error {
		switch {
		case v == nil:
			return touch(b.Bucket(k), most)
		case int64(len(k)) > most || int64(len(v)) > most:
			return fmt.Errorf("%w: a value is longer than the file", record.ErrDamaged)
		}
		_, _ = record.Unseal(k, v) // the store skips a wrong one later
		return nil
	})
}
