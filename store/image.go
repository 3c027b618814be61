package store

import (
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"
)

// image is what a start and Check read of a file.
type image struct {
	identity identity
	totals   totals
	names    dictionary
	cursors  map[string]*Cursor
	traffic  map[string]traffic
	starts   map[uint64]start
	times    times
	accounts map[Accounted]Account
	repaired bool // the cursors are other than in the file

	badTotals  bool
	badCursors []string
	badNames   int
	badRows    int
}

// load reads everything but the outbox and the rows.
func load(tx *bolt.Tx) (*image, error) {
	for _, b := range buckets() {
		if tx.Bucket(b) == nil {
			return nil, fmt.Errorf("%w: it has no bucket %q", ErrDamaged, b)
		}
	}
	meta := tx.Bucket(bucketMeta)
	m := &image{
		cursors: map[string]*Cursor{}, starts: loadStarts(tx.Bucket(bucketRuns)), times: decodeTimes(meta.Get(keyClock)),
		traffic: decodeTraffic(meta.Get(keyTraffic)),
	}
	var err error
	if m.identity, err = decodeIdentity(meta.Get(keyIdentity)); err != nil {
		return nil, err
	}
	var ok bool
	m.totals, ok = decodeTotals(meta.Get(keyTotals))
	m.badTotals = !ok
	m.badNames = m.names.load(eachRecord(tx.Bucket(bucketNames)), m.totals.names)
	for k, v := range eachRecord(tx.Bucket(bucketCursors)) {
		c, ok := DecodeCursor(k, v)
		if !ok {
			m.badCursors = append(m.badCursors, c.ID)
		}
		m.cursors[c.ID] = &c
	}
	m.accounts = decodeAccounts(m.names.published(), meta.Get(keyAccounts))
	return m, nil
}

// eachRecord goes through a bucket in the order of its keys.
func eachRecord(b *bolt.Bucket) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := b.Cursor()
		for k, v := c.First(); k != nil && yield(k, v); k, v = c.Next() {
		}
	}
}

// eachRow visits one integration's rows of a kind, and returns how many there are, those included that do not read.
func (m *image) eachRow(tx *bolt.Tx, kind []byte, id string, visit func(*row)) (count int) {
	logs := tx.Bucket(kind)
	if logs == nil || logs.Bucket([]byte(id)) == nil {
		return 0
	}
	ns := names(m.names.published())
	for k, v := range eachRecord(logs.Bucket([]byte(id))) {
		count++
		w, ok := decodeRow(ns, id, k, v)
		if !ok {
			m.badRows++
			continue
		}
		if m.badTotals {
			m.totals.row = max(m.totals.row, w.ID)
		}
		visit(w)
	}
	return count
}

// recount is what the outbox really holds.
type recount struct {
	totals  totals
	backlog map[string]uint64 // by integration
	damaged []uint64          // records that do not decode
}

// recount reads the whole outbox, one record at a time.
func (m *image) recount(tx *bolt.Tx) recount {
	rc := recount{backlog: map[string]uint64{}}
	ns := names(m.names.published())
	c := tx.Bucket(bucketSweeps).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		seq, _ := keySeq(k)
		rc.totals.sweeps++
		rc.totals.bytes += recordSize(k, v)
		rc.totals.next = seq + 1
		h, ok := inspect(ns, k, v)
		if !ok {
			rc.damaged = append(rc.damaged, seq)
			continue
		}
		rc.totals.samples += uint64(h.samples)
		for _, p := range h.routes {
			if c := m.cursors[p.integration]; c != nil {
				rc.backlog[c.ID] += c.Awaits(seq, p.set)
			}
		}
	}
	return rc
}

// lostNames is left free when nobody knows any more how many names were given.
const lostNames = 1024

// repair makes an image with damaged totals or cursors whole again from what the outbox holds. An
// integration whose cursor is lost starts at the oldest sweep: sent twice is better than lost.
func (m *image) repair(tx *bolt.Tx) {
	if !m.badTotals && len(m.badCursors) == 0 {
		return
	}
	rc := m.recount(tx)
	if m.badTotals {
		row := m.totals.row + lostNames // the last rows may have been cut or unreadable
		m.totals = rc.totals
		m.totals.row = row
		for _, c := range m.cursors {
			m.totals.next = max(m.totals.next, c.At)
		}
		m.names.skip(lostNames)
	}
	for id, c := range m.cursors {
		c.Backlog = rc.backlog[id]
	}
	m.repaired = true
}

// loadStarts reads what is known of the runs of which samples are left. What does not read is not known.
func loadStarts(b *bolt.Bucket) map[uint64]start {
	out := map[uint64]start{}
	for k, v := range eachRecord(b) {
		run, ok := keySeq(k)
		if s, reads := decodeStart(k, v); ok && reads {
			out[run] = s
		}
	}
	return out
}
