package file

import (
	"errors"
	"fmt"
	"os"

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// Verify looks whether an agent can work with the file, and is what runs after an unclean stop:
// bbolt's own consistency check, identity, totals, names and cursors read, and every byte of the
// outbox touched. It leaves alone what the store itself goes on with: single damaged sweeps and
// trigger rows are skipped and counted when their turn comes, and Check finds them. It fails with
// ErrDamaged, with ErrVersion, with ErrLocked while an agent has the file open, and with the
// system's error when it cannot find out. On a damaged file bbolt may panic, or hang: a program that
// must go on runs Verify in a child process (Verdict, InChild).
func Verify(path string) error {
	if err := verify(path); err != nil {
		return fmt.Errorf("check store: %w", err)
	}
	return nil
}

func verify(path string) error {
	if _, err := os.Stat(path); err != nil {
		return err // bbolt would make a file
	}
	o := BoltOptions(0)
	o.ReadOnly = true
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

// sound reads what a start needs, and touches the rest: a length that leads out of the file kills
// the process here, and not the agent later.
func sound(tx *bolt.Tx) error {
	m, err := Load(tx)
	if err != nil {
		return err
	}
	if m.BadTotals || m.BadNames > 0 || len(m.BadCursors) > 0 {
		return fmt.Errorf("%w: totals damaged: %v, damaged names: %d, damaged cursors: %d",
			record.ErrDamaged, m.BadTotals, m.BadNames, len(m.BadCursors))
	}
	return tx.Bucket(BucketSweeps).ForEach(func(k, v []byte) error {
		_, _ = record.Unseal(k, v) // a wrong one is skipped when its turn comes
		return nil
	})
}
