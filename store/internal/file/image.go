package file

import (
	"fmt"
	"iter"

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// Image is the part of a file that a start and Check read.
type Image struct {
	Identity record.Identity
	Totals   record.Totals
	Names    record.Dictionary
	Cursors  map[string]*record.Cursor
	Traffic  map[string]record.Meter
	Starts   map[uint64]record.Start
	Times    record.Times
	Accounts map[record.Accounted]record.Account
	Repaired bool // the cursors differ from those in the file

	BadTotals  bool
	BadCursors []string
	BadNames   int
	BadRows    int
}

// Load reads everything but the outbox and the rows.
func Load(tx *bolt.Tx) (*Image, error) {
	for _, b := range buckets() {
		if tx.Bucket(b) == nil {
			return nil, fmt.Errorf("%w: it has no bucket %q", record.ErrDamaged, b)
		}
	}
	meta := tx.Bucket(BucketMeta)
	m := &Image{
		Cursors: map[string]*record.Cursor{}, Starts: loadStarts(tx.Bucket(BucketRuns)),
		Times:   record.DecodeTimes(meta.Get(record.KeyClock)),
		Traffic: record.DecodeTraffic(meta.Get(record.KeyTraffic)),
	}
	var err error
	if m.Identity, err = record.DecodeIdentity(meta.Get(record.KeyIdentity)); err != nil {
		return nil, err
	}
	var ok bool
	m.Totals, ok = record.DecodeTotals(meta.Get(record.KeyTotals))
	m.BadTotals = !ok
	m.BadNames = m.Names.Load(eachRecord(tx.Bucket(BucketNames)), m.Totals.Names)
	for k, v := range eachRecord(tx.Bucket(BucketCursors)) {
		c, ok := record.DecodeCursor(k, v)
		if !ok {
			m.BadCursors = append(m.BadCursors, c.ID)
		}
		m.Cursors[c.ID] = &c
	}
	m.Accounts = record.DecodeAccounts(m.Names.Published(), meta.Get(record.KeyAccounts))
	return m, nil
}

// eachRecord returns the records of a bucket in the order of its keys.
func eachRecord(b *bolt.Bucket) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := b.Cursor()
		for k, v := c.First(); k != nil && yield(k, v); k, v = c.Next() {
		}
	}
}

// EachRow visits one integration's rows of a kind. It returns their number, with the unreadable ones.
func (m *Image) EachRow(tx *bolt.Tx, kind []byte, id string, visit func(*record.Row)) (count int) {
	logs := tx.Bucket(kind)
	if logs == nil || logs.Bucket([]byte(id)) == nil {
		return 0
	}
	ns := record.Names(m.Names.Published())
	for k, v := range eachRecord(logs.Bucket([]byte(id))) {
		count++
		w, ok := record.DecodeRow(ns, id, k, v)
		if !ok {
			m.BadRows++
			continue
		}
		if m.BadTotals {
			m.Totals.Row = max(m.Totals.Row, w.ID)
		}
		visit(w)
	}
	return count
}

// recount is the counted content of the outbox.
type recount struct {
	Totals  record.Totals
	backlog map[string]uint64 // by integration
	damaged []uint64          // records that do not decode
}

// Recount reads the whole outbox, one record at a time.
func (m *Image) Recount(tx *bolt.Tx) recount {
	rc := recount{backlog: map[string]uint64{}}
	ns := record.Names(m.Names.Published())
	c := tx.Bucket(BucketSweeps).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		seq, _ := record.KeySeq(k)
		rc.Totals.Sweeps++
		rc.Totals.Bytes += record.Size(k, v)
		rc.Totals.Next = seq + 1
		h, ok := record.Inspect(ns, k, v)
		if !ok {
			rc.damaged = append(rc.damaged, seq)
			continue
		}
		rc.Totals.Samples += uint64(h.Samples)
		for _, p := range h.Routes {
			if c := m.Cursors[p.Integration]; c != nil {
				rc.backlog[c.ID] += c.Awaits(seq, p.Set)
			}
		}
	}
	return rc
}

// lostNames is the number of names that are left free if it is not known how many names were given.
const lostNames = 1024

// Repair restores damaged totals or cursors of an image from the content of the outbox. An integration whose cursor is
// lost starts at the oldest sweep: to send samples twice is better than to lose them.
func (m *Image) Repair(tx *bolt.Tx) {
	if !m.BadTotals && len(m.BadCursors) == 0 {
		return
	}
	rc := m.Recount(tx)
	if m.BadTotals {
		row := m.Totals.Row + lostNames // the last rows may have been cut or unreadable
		m.Totals = rc.Totals
		m.Totals.Row = row
		for _, c := range m.Cursors {
			m.Totals.Next = max(m.Totals.Next, c.At)
		}
		m.Names.Skip(lostNames)
	}
	for id, c := range m.Cursors {
		c.Backlog = rc.backlog[id]
	}
	m.Repaired = true
}

// loadStarts reads the records of the runs. An unreadable record counts as not known.
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
