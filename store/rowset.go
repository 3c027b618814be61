package store

import (
	"iter"
	"maps"
	"slices"

	"noi-agent/store/internal/record"
)

// rowSet has rows of the log in memory, by id. There may be a thousand rows about deliveries for each integration, so
// they are encoded, which takes a fifth of the memory.
type rowSet struct {
	rows  map[uint64]memoryRow
	names *record.Dictionary // names in the encoded rows. The dictionary of the file belongs to the writer
}

// memoryRow is one row: encoded, or about a gap.
type memoryRow struct {
	gap    *record.Row
	sealed []byte // the encoded row about a delivery
}

func newRowSet() *rowSet {
	return &rowSet{rows: map[uint64]memoryRow{}, names: record.DictionaryOf(nil, 0)}
}

// put adds a row, or replaces the one with the same id.
func (r *rowSet) put(w *record.Row) {
	if w.IsGap() {
		r.rows[w.ID] = memoryRow{gap: w}
		return
	}
	r.rows[w.ID] = memoryRow{sealed: r.names.EncodeRow(record.SeqKey(w.ID), w)}
}

func (r *rowSet) size() int { return len(r.rows) }

func (r *rowSet) has(id uint64) bool {
	_, ok := r.rows[id]
	return ok
}

// row returns a row of the set.
func (r *rowSet) row(id uint64) *record.Row { return r.rows[id].read(id, r.names.All()) }

// read decodes a row. This never fails, because this run has encoded the row.
func (m memoryRow) read(id uint64, ns record.Names) *record.Row {
	if m.gap != nil {
		return m.gap
	}
	w, ok := record.DecodeRow(ns, "", record.SeqKey(id), m.sealed)
	if !ok {
		panic("store: a row in memory does not read")
	}
	return w
}

// gaps returns the rows about gaps, by id.
func (r *rowSet) gaps() iter.Seq2[uint64, *record.Row] {
	return func(yield func(uint64, *record.Row) bool) {
		for id, m := range r.rows {
			if m.gap != nil && !yield(id, m.gap) {
				return
			}
		}
	}
}

// ids returns the ids of the rows about deliveries, and those of the rows about gaps, ascending.
func (r *rowSet) ids() (results, gaps []uint64) {
	for _, id := range slices.Sorted(maps.Keys(r.rows)) {
		if r.rows[id].gap != nil {
			gaps = append(gaps, id)
		} else {
			results = append(results, id)
		}
	}
	return results, gaps
}

// cut removes the oldest rows of each kind that the log would not keep, and returns their number.
func (r *rowSet) cut(keep int) int {
	return record.CutRows(r.rows, func(m memoryRow) bool { return m.gap != nil }, keep)
}

// takeGaps moves the rows about gaps into another set.
func (r *rowSet) takeGaps() *rowSet {
	taken := newRowSet()
	for id, w := range r.gaps() {
		taken.put(w)
		delete(r.rows, id)
	}
	return taken
}
