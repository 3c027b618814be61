package store

import (
	"fmt"
	"iter"

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// image is what a start and Check read of a file.
type image struct {
	identity record.Identity
	totals   record.Totals
	names    record.Dictionary
	cursors  map[string]*record.Cursor
	traffic  map[string]record.Meter
	starts   map[uint64]record.Start
	times    record.Times
	accounts map[record.Accounted]record.Account
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
			return nil, fmt.Errorf("%w: it has no bucket %q", record.ErrDamaged, b)
		}
	}
	meta := tx.Bucket(bucketMeta)
	m := &image{
		cursors: map[string]*record.Cursor{}, starts: loadStarts(tx.Bucket(bucketRuns)), times: record.DecodeTimes(meta.Get(record.KeyClock)),
		traffic: record.DecodeTraffic(meta.Get(record.KeyTraffic)),
	}
	var err error
	if m.identity, err = record.DecodeIdentity(meta.Get(record.KeyIdentity)); err != nil {
		return nil, err
	}
	var ok bool
	m.totals, ok = record.DecodeTotals(meta.Get(record.KeyTotals))
	m.badTotals = !ok
	m.badNames = m.names.Load(eachRecord(tx.Bucket(bucketNames)), m.totals.Names)
	for k, v := range eachRecord(tx.Bucket(bucketCursors)) {
		c, ok := record.DecodeCursor(k, v)
		if !ok {
			m.badCursors = append(m.badCursors, c.ID)
		}
		m.cursors[c.ID] = &c
	}
	m.accounts = record.DecodeAccounts(m.names.Published(), meta.Get(record.KeyAccounts))
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
func (m *image) eachRow(tx *bolt.Tx, kind []byte, id string, visit func(*record.Row)) (count int) {
	logs := tx.Bucket(kind)
	if logs == nil || logs.Bucket([]byte(id)) == nil {
		return 0
	}
	ns := record.Names(m.names.Published())
	for k, v := range eachRecord(logs.Bucket([]byte(id))) {
		count++
		w, ok := record.DecodeRow(ns, id, k, v)
		if !ok {
			m.badRows++
			continue
		}
		if m.badTotals {
			m.totals.Row = max(m.totals.Row, w.ID)
		}
		visit(w)
	}
	return count
}

// recount is what the outbox really holds.
type recount struct {
	totals  record.Totals
	backlog map[string]uint64 // by integration
	damaged []uint64          // records that do not decode
}

// recount reads the whole outbox, one record at a time.
func (m *image) recount(tx *bolt.Tx) recount {
	rc := recount{backlog: map[string]uint64{}}
	ns := record.Names(m.names.Published())
	c := tx.Bucket(bucketSweeps).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		seq, _ := record.KeySeq(k)
		rc.totals.Sweeps++
		rc.totals.Bytes += record.Size(k, v)
		rc.totals.Next = seq + 1
		h, ok := record.Inspect(ns, k, v)
		if !ok {
			rc.damaged = append(rc.damaged, seq)
			continue
		}
		rc.totals.Samples += uint64(h.Samples)
		for _, p := range h.Routes {
			if c := m.cursors[p.Integration]; c != nil {
				rc.backlog[c.ID] += c.Awaits(seq, p.Set)
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
		row := m.totals.Row + lostNames // the last rows may have been cut or unreadable
		m.totals = rc.totals
		m.totals.Row = row
		for _, c := range m.cursors {
			m.totals.Next = max(m.totals.Next, c.At)
		}
		m.names.Skip(lostNames)
	}
	for id, c := range m.cursors {
		c.Backlog = rc.backlog[id]
	}
	m.repaired = true
}

// loadStarts reads what is known of the runs of which samples are left. What does not read is not known.
func loadStarts(b *bolt.Bucket) map[uint64]record.Start {
	out := map[uint64]record.Start{}
	for k, v := range eachRecord(b) {
		run, ok := record.KeySeq(k)
		if s, reads := record.DecodeStart(k, v); ok && reads {
			out[run] = s
		}
	}
	return out
}
