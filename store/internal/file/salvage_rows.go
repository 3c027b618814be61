package file

import (
	"maps"
	"slices"

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// Rows about gaps and dead letters are data: they go into the new store. Rows about publications are a log, and do not.
// Each row says whose it is, and repeats the sample that it is about. So it goes over under its own number, and what it
// refers to is true there too: sweeps keep their numbers, samples their runs, gaps theirs. Of the copies that a file
// holds of a row, the furthest counts. A dead letter that was sent again or dropped shortly before may come back from
// an old page.

// keepRow takes over the record of a gap or of a dead letter, if it reads.
func (sv *salvage) keepRow(ns record.Names, key, value []byte) {
	w, ok := record.DecodeRow(ns, "", key, value)
	if !ok {
		return
	}
	sv.totals.Row = max(sv.totals.Row, w.ID)
	if !w.IsGap() && w.Store == "" {
		return
	}
	of := sv.rows[w.Integration]
	if of == nil {
		of = map[uint64]*record.Row{}
		sv.rows[w.Integration] = of
	}
	if old := of[w.ID]; old == nil || w.Further(old) {
		of[w.ID] = w
	}
	if len(of) > 2*(record.KeepDead+record.KeepGaps) {
		record.CutRows(of, (*record.Row).IsGap, record.KeepDead)
	}
}

// adoptOwners makes the integrations of rows known when the file's records of integrations are lost, all of them. When
// others read, one that only rows name was removed long ago.
func (sv *salvage) adoptOwners() {
	if !sv.noCursors {
		return
	}
	for id, rows := range sv.rows {
		if sv.cursors[id] == nil {
			newest := rows[slices.Max(slices.Collect(maps.Keys(rows)))]
			sv.guess(id, newest.Topic)
		}
	}
}

// putRows writes the rows of the integrations that are known.
func (sv *salvage) putRows(tx *bolt.Tx, d *record.Dictionary) error {
	for id, rows := range sv.rows {
		if sv.cursors[id] == nil {
			continue
		}
		record.CutRows(rows, (*record.Row).IsGap, record.KeepDead)
		for _, n := range slices.Sorted(maps.Keys(rows)) {
			kind, count := BucketGaps, &sv.gaps
			if !rows[n].IsGap() {
				kind, count = BucketDead, &sv.letters
			}
			b, err := BucketOf(tx, kind, id)
			if err != nil {
				return err
			}
			b.FillPercent = 1 // ascending
			if err := b.Put(record.SeqKey(n), d.EncodeRow(record.SeqKey(n), rows[n])); err != nil {
				return err
			}
			*count++
		}
	}
	return nil
}
