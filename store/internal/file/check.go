package file

import (
	"errors"
	"fmt"
	"os"

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// maxFaults limits how many faults Check reports: a damaged file may have thousands.
const maxFaults = 20

// Check opens the file for reading and makes every check: bbolt's own consistency check, every record and row decoded,
// every reference to a name resolved, totals and backlogs counted again, cursors within range. It returns all faults
// joined, at most 20, and nil for a sound store. It fails with ErrLocked while an agent has the file open. On a file
// damaged in its inner structure bbolt may panic: a program that must go on runs Check in a child process.
func Check(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("check store: %w", err)
	}
	o := BoltOptions(0)
	o.ReadOnly = true
	db, err := bolt.Open(path, 0o600, o)
	if err != nil {
		return OpenError(path, err)
	}
	var c checker
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			c.fault("bbolt: %w", err)
		}
		if len(c.faults) > 0 {
			return nil // with a damaged structure the content proves nothing
		}
		return c.check(tx)
	})
	if err := errors.Join(append(c.faults, err, db.Close())...); err != nil {
		return fmt.Errorf("check store %s: %w", path, err)
	}
	return nil
}

type checker struct{ faults []error }

func (c *checker) fault(format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fmt.Errorf(format, args...))
	}
}

func (c *checker) check(tx *bolt.Tx) error {
	m, err := Load(tx)
	if err != nil {
		return err
	}
	if m.BadTotals {
		c.fault("the totals record is damaged")
	}
	if m.BadNames > 0 {
		c.fault("%d names are damaged", m.BadNames)
	}
	for id := range m.Cursors {
		for _, kind := range [][]byte{BucketTriggers, BucketGaps, BucketDead} {
			m.EachRow(tx, kind, id, func(*record.Row) {})
		}
	}
	if m.BadRows > 0 {
		c.fault("%d trigger rows are damaged", m.BadRows)
	}
	for _, id := range m.BadCursors {
		c.fault("integration %s: the cursor record is damaged", id)
	}
	rc := m.Recount(tx)
	for _, seq := range rc.damaged {
		c.fault("sweep %d is damaged", seq)
	}
	if len(c.faults) > 0 {
		return nil // with damaged records the figures cannot agree
	}
	c.compare(m, rc)
	return c.rowIDs(tx, m)
}

// compare compares the stored figures with those counted now.
func (c *checker) compare(m *Image, rc recount) {
	want, got := m.Totals, rc.Totals
	if want.Sweeps != got.Sweeps || want.Samples != got.Samples || want.Bytes != got.Bytes {
		c.fault("totals say %d sweeps, %d samples, %d bytes; there are %d, %d, %d",
			want.Sweeps, want.Samples, want.Bytes, got.Sweeps, got.Samples, got.Bytes)
	}
	if got.Next > want.Next {
		c.fault("sweep %d is beyond the totals' next, %d", got.Next-1, want.Next)
	}
	if n := uint64(m.Names.Size()); n != want.Names {
		c.fault("totals say %d names, there are %d", want.Names, n)
	}
	for id, it := range m.Cursors {
		if it.At > want.Next {
			c.fault("integration %s: cursor %d is beyond the next sweep, %d", id, it.At, want.Next)
		}
		if it.Backlog != rc.backlog[id] {
			c.fault("integration %s: backlog is said to be %d and is %d", id, it.Backlog, rc.backlog[id])
		}
		for seq := range it.Settled {
			if seq < it.At || seq >= want.Next {
				c.fault("integration %s: partly settled sweep %d is outside %d to %d", id, seq, it.At, want.Next)
			}
		}
	}
}

// rowIDs checks that each log belongs to an integration and that no id is ahead of the totals.
func (c *checker) rowIDs(tx *bolt.Tx, m *Image) error {
	for _, log := range [][]byte{BucketTriggers, BucketGaps, BucketDead} {
		logs := tx.Bucket(log)
		if logs == nil {
			continue // no bucket of dead letters, because there was none
		}
		err := logs.ForEachBucket(func(id []byte) error {
			if m.Cursors[string(id)] == nil {
				c.fault("%s of %s, which is no integration", log, id)
			}
			if k, _ := logs.Bucket(id).Cursor().Last(); k != nil {
				if last, ok := record.KeySeq(k); !ok || last > m.Totals.Row {
					c.fault("integration %s: row %x is beyond the last id given, %d", id, k, m.Totals.Row)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
