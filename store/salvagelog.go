package store

import (
	"cmp"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// A row of the log stands by itself: it says whose it is, and repeats the sample that it is about. So it goes into the new
// store under its own number, and what it refers to is true there too: sweeps keep their numbers, samples their runs, gaps
// theirs. Of the copies that a file holds of a row, the furthest counts.

// keepRow takes a row over if the record is one that reads.
func (sv *salvage) keepRow(ns names, key, value []byte) {
	w, ok := decodeRow(ns, "", key, value)
	if !ok {
		return
	}
	sv.totals.row = max(sv.totals.row, w.ID)
	if w.store != "" {
		if letters := keepFurther(sv.dead, w); len(letters) > 2*keepDead {
			cutDead(letters)
		}
		return
	}
	if log, keep := keepFurther(sv.rows, w), sv.opts.KeepTriggers; len(log) > 2*(keep+keepGaps) {
		cutRows(log, keep)
	}
}

// keepFurther takes a row over unless its integration has a newer copy, and returns what that has then.
func keepFurther(all map[string]map[uint64]*row, w *row) map[uint64]*row {
	of := all[w.Integration]
	if of == nil {
		of = map[uint64]*row{}
		all[w.Integration] = of
	}
	if old := of[w.ID]; old == nil || w.further(old) {
		of[w.ID] = w
	}
	return of
}

// cutDead leaves the newest of an integration's dead letters.
func cutDead(letters map[uint64]*row) {
	ids := slices.Sorted(maps.Keys(letters))
	for _, id := range ids[:max(0, len(ids)-keepDead)] {
		delete(letters, id)
	}
}

// putDead writes the dead letters of the integrations that are known. One that was sent again or dropped may still stand in an old page: what
// the log knows to have arrived goes, what was dropped comes back.
func (sv *salvage) putDead(tx *bolt.Tx, d *dictionary) error {
	for id, letters := range sv.dead {
		log := sv.rows[id]
		maps.DeleteFunc(letters, func(n uint64, _ *row) bool { return log[n] != nil && log[n].Success })
		cutDead(letters)
		if sv.cursors[id] == nil || len(letters) == 0 {
			continue
		}
		b, err := bucketOf(tx, bucketDead, id)
		if err != nil {
			return err
		}
		for n, w := range letters {
			if err := b.Put(seqKey(n), d.encodeRow(seqKey(n), w)); err != nil {
				return err
			}
			sv.letters++
		}
	}
	return nil
}

// isRow reports whether a record says of itself that it is a row. No other kind of record begins so.
func isRow(value []byte) bool { return len(value) > 0 && value[0] == rowVersion }

// further reports whether a row is newer than another of the same number. Clocks jump, so what counts is what only grows.
func (w *row) further(than *row) bool {
	closed := func(w *row) int {
		if w.Open {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(w.Gap.Count, than.Gap.Count), cmp.Compare(w.Attempts, than.Attempts), closed(w)-closed(than)) > 0
}

// adoptOwners makes the integrations of rows known when the file's records of integrations are lost, all of them. When others read, one
// that only rows name was removed long ago.
func (sv *salvage) adoptOwners() {
	if !sv.noCursors {
		return
	}
	for id, log := range sv.rows {
		if sv.cursors[id] == nil {
			newest := log[slices.Max(slices.Collect(maps.Keys(log)))]
			sv.cursors[id], sv.guessed = newIntegration(id, newest.Topic, 0), true
		}
	}
}

// putRows writes the logs of the integrations that are known. A delivery whose sweep is gone is not tried again.
func (sv *salvage) putRows(tx *bolt.Tx, d *dictionary) error {
	for id, log := range sv.rows {
		if sv.cursors[id] == nil {
			continue
		}
		cutRows(log, sv.opts.KeepTriggers)
		for _, n := range slices.Sorted(maps.Keys(log)) {
			w := log[n]
			bucket := bucketGaps
			if !w.isGap() {
				bucket = bucketTriggers
				w.Open = w.Open && tx.Bucket(bucketSweeps).Get(seqKey(w.seq)) != nil
			}
			b, err := bucketOf(tx, bucket, id)
			if err != nil {
				return err
			}
			b.FillPercent = 1 // ascending
			if err := b.Put(seqKey(n), d.encodeRow(seqKey(n), w)); err != nil {
				return err
			}
			sv.logged++
		}
	}
	return nil
}
