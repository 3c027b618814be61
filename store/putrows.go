package store

import (
	"encoding/binary"
	"slices"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// putRows writes the trigger rows, and deletes the rows that the logs no longer keep.
func (c *commit) putRows(tx *bolt.Tx) error {
	c.pruned, c.counts, c.gapCounts = map[*integration][]uint64{}, map[*integration]int{}, map[*integration]int{}
	for it, rows := range c.logs {
		var err error
		results, gaps := rows.ids()
		c.counts[it], c.pruned[it], err = c.putLog(tx, file.BucketTriggers, it, results, it.rowCount,
			c.store.opts.KeepTriggers)
		if err == nil {
			c.gapCounts[it], _, err = c.putLog(tx, file.BucketGaps, it, gaps, it.gapsKept, record.KeepGaps)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putLog writes rows of one kind. It returns how many there are then, and the ids of the deleted ones.
func (c *commit) putLog(tx *bolt.Tx, kind []byte, it *integration, ids []uint64, count, keep int) (int, []uint64,
	error) {
	if len(ids) == 0 {
		return count, nil, nil
	}
	b, err := file.BucketOf(tx, kind, it.ID)
	if err != nil {
		return 0, nil, err
	}
	// The store mostly appends here: full pages halve the flash writes. A row may grow if its delivery is tried again.
	b.FillPercent = 0.9
	var room record.Row
	var key []byte // bbolt copies a key, but no value
	values := make([]byte, 0, len(ids)*record.UsualRow)
	for _, id := range ids {
		key = binary.BigEndian.AppendUint64(key[:0], id)
		w := c.logs[it].row(&room, id)
		known := b.Get(key) != nil
		if w.Void {
			if known {
				count--
			}
			if err := b.Delete(key); err != nil {
				return 0, nil, err
			}
			continue
		}
		if !known {
			count++
		}
		from := len(values)
		values = c.store.names.AppendRow(values, key, w)
		if err := b.Put(key, slices.Clip(values[from:])); err != nil {
			return 0, nil, err
		}
	}
	gone, err := c.pruneRows(b, count-keep)
	return count - len(gone), gone, err
}

// pruneRows deletes the n oldest rows, a limited number at a time.
func (c *commit) pruneRows(b *bolt.Bucket, n int) (gone []uint64, err error) {
	cur := b.Cursor()
	for k, _ := cur.First(); k != nil && len(gone) < min(n, maxRemovals); k, _ = cur.Next() {
		id, _ := record.KeySeq(k)
		gone = append(gone, id)
	}
	for _, id := range gone {
		if err := b.Delete(record.SeqKey(id)); err != nil {
			return nil, err
		}
	}
	return gone, nil
}
