package file

import (
	"maps"
	"slices"

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// Rows about gaps and dead letters are data: they go into the new store. Rows about publications are a log, and do not.
// Each row names its integration, and repeats its sample. So it is copied under its own number, and its references stay
// valid: sweeps keep their numbers, samples and gaps keep their runs. If a file has several copies of a row, the newest
// counts. A dead letter that was sent again or dropped shortly before may come back from an old page.

// keepRow takes a readable record of a gap or of a dead letter.
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

// adoptOwners adds the integrations of the rows, if all records of integrations in the file are lost. If some of these
// records are readable, an integration that only rows name was removed long ago.
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

// putRows writes the rows of known integrations.
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
