package store

import (
	"encoding/binary"
	"slices"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// logWrite has the rows of the trigger logs that one commit writes, and knows how many rows the file has afterwards.
type logWrite struct {
	rows      map[*integration]*rowSet
	pruned    map[*integration][]uint64 // ids of the rows about deliveries that the commit deletes
	counts    map[*integration]int      // rows about deliveries in the file afterwards
	gapCounts map[*integration]int      // rows about gaps in the file afterwards
}

// put writes the rows, and deletes the rows that the logs no longer keep: all but the newest, as many as keep says.
func (l *logWrite) put(tx *bolt.Tx, names *record.Dictionary, keep int) error {
	l.pruned, l.counts, l.gapCounts = map[*integration][]uint64{}, map[*integration]int{}, map[*integration]int{}
	for it, rows := range l.rows {
		var err error
		results, gaps := rows.ids()
		l.counts[it], l.pruned[it], err = l.putKind(tx, names, file.BucketTriggers, it, results, it.rowCount, keep)
		if err == nil {
			l.gapCounts[it], _, err = l.putKind(tx, names, file.BucketGaps, it, gaps, it.gapsKept, record.KeepGaps)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// finish gives the logs the numbers of their rows in the file. The writer calls it after the commit.
func (l *logWrite) finish() {
	for it, n := range l.counts {
		it.rowCount, it.gapsKept = n, l.gapCounts[it]
	}
}

// putKind writes rows of one kind. It returns how many there are then, and the ids of the deleted ones.
func (l *logWrite) putKind(tx *bolt.Tx, names *record.Dictionary, kind []byte, it *integration, ids []uint64,
	count, keep int) (int, []uint64, error) {
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
		w := l.rows[it].row(&room, id)
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
		values = names.AppendRow(values, key, w)
		if err := b.Put(key, slices.Clip(values[from:])); err != nil {
			return 0, nil, err
		}
	}
	gone, err := pruneRows(b, count-keep)
	return count - len(gone), gone, err
}

// pruneRows deletes the n oldest rows, a limited number at a time.
func pruneRows(b *bolt.Bucket, n int) (gone []uint64, err error) {
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
