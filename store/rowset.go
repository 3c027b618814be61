package store

import (
	"encoding/binary"
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
	chunk []byte             // the last of the buffers that the encoded rows are in
	key   []byte             // of the row that is being encoded
}

// rowChunk is the size of a buffer, in bytes: a dozen rows. One row that is kept keeps the whole buffer.
const rowChunk = 1 << 10

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
	r.seal(w)
}

// seal is put for a row about a delivery. It keeps nothing of w.
func (r *rowSet) seal(w *record.Row) {
	if cap(r.chunk)-len(r.chunk) < record.UsualRow {
		r.chunk = make([]byte, 0, rowChunk)
	}
	from := len(r.chunk)
	r.key = binary.BigEndian.AppendUint64(r.key[:0], w.ID)
	r.chunk = r.names.AppendRow(r.chunk, r.key, w)
	r.rows[w.ID] = memoryRow{sealed: slices.Clip(r.chunk[from:])}
}

func (r *rowSet) size() int { return len(r.rows) }

func (r *rowSet) has(id uint64) bool {
	_, ok := r.rows[id]
	return ok
}

// row returns a row of the set. A row about a delivery is in w, until the next call.
func (r *rowSet) row(w *record.Row, id uint64) *record.Row {
	return r.rows[id].readInto(w, id, r.names.All())
}

// read decodes a row.
func (m memoryRow) read(id uint64, ns record.Names) *record.Row {
	return m.readInto(new(record.Row), id, ns)
}

// readInto returns w with a row about a delivery, or the row about a gap itself. This never fails, because this run has
// encoded the row.
func (m memoryRow) readInto(w *record.Row, id uint64, ns record.Names) *record.Row {
	if m.gap != nil {
		return m.gap
	}
	if !w.Decode(ns, "", record.SeqKey(id), m.sealed) {
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
	ids := slices.AppendSeq(make([]uint64, 0, len(r.rows)), maps.Keys(r.rows))
	slices.Sort(ids)
	for _, id := range ids {
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
