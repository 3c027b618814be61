package store

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

const (
	metaVersion     byte = 1
	identityOrigins byte = 2 // version of an identity with origins; one without stays at 1
)

// identity is who the store is.
type identity struct {
	id      string // 8 hex digits
	run     uint64
	device  string
	origins []origin // ascending; empty but after a recovery
}

// origin says from which store salvaged sweeps come: their samples keep the ids they had there.
type origin struct {
	until uint64 // sequence number of the first sweep that does not
	store string
}

// of returns the id of the store in which a sweep was taken.
func (i identity) of(seq uint64) string {
	for _, o := range i.origins {
		if seq < o.until {
			return o.store
		}
	}
	return i.id
}

func (i identity) encode() []byte {
	version := metaVersion
	if len(i.origins) > 0 {
		version = identityOrigins
	}
	dst := appendText([]byte{version}, i.id)
	dst = binary.AppendUvarint(dst, i.run)
	dst = appendText(dst, i.device)
	if version == identityOrigins {
		dst = binary.AppendUvarint(dst, uint64(len(i.origins)))
		for _, o := range i.origins {
			dst = appendText(binary.AppendUvarint(dst, o.until), o.store)
		}
	}
	return seal(keyIdentity, dst)
}

func decodeIdentity(sealed []byte) (i identity, err error) {
	value, ok := unseal(keyIdentity, sealed)
	if !ok || len(value) == 0 {
		return i, fmt.Errorf("%w: the identity record", ErrDamaged)
	}
	r := &reader{b: value[1:]}
	switch format := value[0]; {
	case format > identityOrigins: // a format that older versions cannot read must have a number of its own here
		return i, fmt.Errorf("%w (format %d, the highest known is %d)", ErrVersion, format, identityOrigins)
	case format < metaVersion:
		return i, fmt.Errorf("%w: the identity record has format %d", ErrDamaged, format)
	}
	i = identity{id: r.text(), run: r.uvarint(), device: r.text()}
	if value[0] == identityOrigins {
		for range r.count() {
			i.origins = append(i.origins, origin{until: r.uvarint(), store: r.text()})
		}
	}
	if !r.done() {
		return i, fmt.Errorf("%w: the identity record", ErrDamaged)
	}
	return i, nil
}

// encodeIdentity returns the identity as it is now. s.mu is held.
func (s *Store) encodeIdentity() []byte {
	return identity{id: s.id, run: s.run, device: s.device, origins: s.origins}.encode()
}

// totals are counted along, so that opening a store does not read its backlog.
type totals struct {
	next    uint64 // sequence number of the next sweep
	row     uint64 // the last row id given
	names   uint64 // the first name number never given
	sweeps  uint64
	samples uint64
	bytes   int64 // keys and values of the sweeps
}

func (t totals) encode() []byte {
	dst := []byte{metaVersion}
	for _, n := range []uint64{t.next, t.row, t.names, t.sweeps, t.samples, uint64(t.bytes)} {
		dst = binary.AppendUvarint(dst, n)
	}
	return seal(keyTotals, dst)
}

func decodeTotals(sealed []byte) (t totals, ok bool) {
	value, ok := unseal(keyTotals, sealed)
	r := &reader{b: value}
	if !ok || r.byte() != metaVersion {
		return t, false
	}
	t = totals{next: r.uvarint(), row: r.uvarint(), names: r.uvarint(), sweeps: r.uvarint(), samples: r.uvarint()}
	t.bytes = int64(r.uvarint())
	return t, r.done()
}

// image is what Open and Check read of a file.
type image struct {
	identity     identity
	totals       totals
	names        dictionary
	integrations map[string]*integration
	starts       map[uint64]start
	times        times
	accounts     map[Accounted]Account
	noted        []uint64              // runs that only the note knows
	own          map[Accounted]Account // without those of the note
	known        []string              // integrations of the run before, by its note

	badTotals  bool
	badCursors []string
	badNames   int
	badRows    int
}

// load reads everything but the outbox.
func load(tx *bolt.Tx) (*image, error) {
	for _, b := range buckets() {
		if tx.Bucket(b) == nil {
			return nil, fmt.Errorf("%w: it has no bucket %q", ErrDamaged, b)
		}
	}
	m := &image{
		integrations: map[string]*integration{}, starts: loadStarts(tx.Bucket(bucketRuns)), times: decodeTimes(tx.Bucket(bucketMeta).Get(keyClock)),
	}
	var err error
	if m.identity, err = decodeIdentity(tx.Bucket(bucketMeta).Get(keyIdentity)); err != nil {
		return nil, err
	}
	var ok bool
	m.totals, ok = decodeTotals(tx.Bucket(bucketMeta).Get(keyTotals))
	m.badTotals = !ok
	m.badNames = m.names.load(tx.Bucket(bucketNames), m.totals.names)
	err = tx.Bucket(bucketCursors).ForEach(func(k, v []byte) error {
		it, ok := decodeIntegration(k, v)
		if !ok {
			it = newIntegration(string(k), "", 0)
			m.badCursors = append(m.badCursors, it.ID)
		}
		m.integrations[it.ID] = it
		return nil
	})
	m.accounts = decodeAccounts(m.names.published(), tx.Bucket(bucketMeta).Get(keyAccounts))
	m.linkLanes()
	m.loadTraffic(tx.Bucket(bucketMeta).Get(keyTraffic))
	for _, it := range m.integrations {
		m.loadRows(tx, it)
	}
	return m, err
}

// loadRows finds the rows still being retried and the newest gaps, and counts all.
func (m *image) loadRows(tx *bolt.Tx, it *integration) {
	it.rowCount = m.eachRow(tx.Bucket(bucketTriggers), it, func(w *row) {
		if w.Open {
			it.reopen(w, m.routed(tx, it, w.place))
		}
	})
	m.loadDead(tx, it)
	it.gapsKept = m.eachRow(tx.Bucket(bucketGaps), it, it.reload)
}

func (m *image) eachRow(logs *bolt.Bucket, it *integration, fn func(*row)) (count int) {
	b := logs.Bucket([]byte(it.ID))
	if b == nil {
		return 0
	}
	ns := names(m.names.published())
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		count++
		w, ok := decodeRow(ns, it.ID, k, v)
		if !ok {
			m.badRows++
			continue
		}
		fn(w)
		if m.badTotals {
			m.totals.row = max(m.totals.row, w.ID)
		}
	}
	return count
}

// lostResult is the error of a row whose sample is settled and whose last result nobody knows:
// rows are written less often than cursors.
const lostResult = "Unknown: the sample is settled; how its last attempt ended was lost in a restart"

// routed returns which of the two has a delivery, the integration or its lane. Only the sweep can tell: while a lane is closed and not
// empty, faults and alarms do not go into it.
func (m *image) routed(tx *bolt.Tx, it *integration, at place) *integration {
	if it.lane == nil {
		return it
	}
	key := seqKey(at.seq)
	h, ok := peek(m.names.published(), key, tx.Bucket(bucketSweeps).Get(key))
	if ok && h.of(it.lane.ID).has(at.index) {
		return it.lane
	}
	return it
}

// reopen takes over a row that was still being retried when the file was last written, by the cursor of who has the delivery.
func (it *integration) reopen(w *row, by *integration) {
	if w.seq >= by.At && !by.Settled[w.seq].has(w.index) {
		it.open[w.place] = w
		return
	}
	w.Open, w.Error = false, lostResult
	it.dirty[w.ID] = w
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
			if it := m.integrations[p.integration]; it != nil {
				rc.backlog[it.ID] += it.awaits(seq, p.set)
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
		for _, it := range m.integrations {
			m.totals.next = max(m.totals.next, it.At)
		}
		m.names.entries = append(m.names.entries, make([]name, lostNames)...)
		m.names.keep()
	}
	for id, it := range m.integrations {
		it.Backlog, it.modified = rc.backlog[id], true
	}
}

// start reads the file and counts the run, on a full disk without its ballast.
func (s *Store) start() error {
	m, err := s.countRun(restoreBallast)
	if err != nil && isFull(err) {
		m, err = s.countRun(releaseBallast)
	}
	if err != nil {
		return err
	}
	if m.badTotals || len(m.badCursors) > 0 || m.badNames > 0 || m.badRows > 0 {
		s.opts.Logger.Error("store has damaged records", "totals", m.badTotals, "cursors", m.badCursors,
			"names", m.badNames, "rows", m.badRows)
	}
	s.id, s.run, s.device, s.origins = m.identity.id, m.identity.run, m.identity.device, m.identity.origins
	s.totals, s.integrations, s.next = m.totals, m.integrations, m.totals.next
	s.newest = s.next
	s.accounts = newAccounts()
	s.accounts.samples, s.known, s.own = m.accounts, m.known, m.own
	s.starts, s.times = m.starts, m.times
	for _, it := range s.integrations {
		s.dirtyRows += len(it.dirty)
	}
	s.names = dictionary{entries: m.names.entries, texts: m.names.texts, sources: m.names.sources}
	s.names.keep()
	return s.lookAhead()
}

func (s *Store) countRun(b ballast) (m *image, err error) {
	err = s.update(func(tx *bolt.Tx) (err error) {
		if m, err = load(tx); err != nil {
			return err
		}
		if err := b.move(tx); err != nil {
			return err
		}
		m.repair(tx)
		if err := m.adoptNote(tx, readNote(s.opts.Note), s.opts.Runs); err != nil {
			return err
		}
		m.identity.run++
		if err := tx.Bucket(bucketMeta).Put(keyTotals, m.totals.encode()); err != nil {
			return err
		}
		oldest := m.identity.run
		if k, v := tx.Bucket(bucketSweeps).Cursor().First(); k != nil {
			h, ok := peek(m.names.published(), k, v)
			s.tail = &h
			if oldest = 0; ok {
				oldest = h.run
			}
		}
		if err := m.beginRun(tx, s.opts, oldest); err != nil {
			return err
		}
		s.fileBytes = tx.Size()
		return tx.Bucket(bucketMeta).Put(keyIdentity, m.identity.encode())
	})
	return m, err
}
