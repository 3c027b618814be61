package store

import (
	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// sweepRecords are the records of the offered sweeps in one commit, with their sums. A sweep for which no integration
// waits has none.
type sweepRecords struct {
	offered offers
	values  [][]byte // of each sweep, sealed; nil: none
	bytes   int64    // of these records, with their keys
	sweeps  uint64   // with a record
	samples uint64   // in these sweeps
}

// newSweepRecords returns no record for each of the sweeps.
func newSweepRecords(sweeps offers) sweepRecords {
	return sweepRecords{offered: sweeps, values: make([][]byte, len(sweeps))}
}

// set sets the record of a sweep that has none.
func (r *sweepRecords) set(i int, key, value []byte) {
	r.values[i] = value
	r.bytes += record.Size(key, value)
	r.sweeps++
	r.samples += uint64(len(r.offered[i].sweep.Samples))
}

// drop removes the record of a sweep, and returns its size; 0: it has none.
func (r *sweepRecords) drop(i int) (bytes int64) {
	if r.values[i] == nil {
		return 0
	}
	f := r.offered[i]
	bytes = record.Size(record.SeqKey(f.seq), r.values[i])
	r.values[i] = nil
	r.bytes -= bytes
	r.sweeps--
	r.samples -= uint64(len(f.sweep.Samples))
	return bytes
}

// has reports whether the sweep at an index has a record; false after the last sweep.
func (r *sweepRecords) has(i int) bool { return i < len(r.values) && r.values[i] != nil }

// first returns the number of the first sweep with a record; ok is false if there is none.
func (r *sweepRecords) first() (seq uint64, ok bool) {
	for i := range r.values {
		if r.has(i) {
			return r.offered[i].seq, true
		}
	}
	return 0, false
}

// put writes the records into the bucket of the sweeps.
func (r *sweepRecords) put(b *bolt.Bucket) error {
	b.FillPercent = 1 // the store only appends here: full pages save a fifth of the flash writes
	for i, value := range r.values {
		if value == nil {
			continue
		}
		if err := b.Put(record.SeqKey(r.offered[i].seq), value); err != nil {
			return err
		}
	}
	return nil
}
