package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"noi-agent/objects"

	bolt "go.etcd.io/bbolt"
)

// A salvage reads what a damaged file still gives, without bbolt, and fills a new store with it.
//
// Records go over as they are, under the numbers they have: sweeps keep their place and names
// their ids, so that every checksum holds. A page does not say which bucket it is of, and bbolt
// leaves old pages standing, so the file is read as a heap of records, old and new:
//
//   - Which kind one is, its first byte tells; and a name of the first kind is text that prints.
//   - Of cursors, identities and totals the furthest counts: their figures only grow.
//   - A sweep is wanted when an integration's cursor has not passed it, so that what was delivered
//     long ago does not come again from an old page.
//   - A name with two readings is none. A wrong one would turn samples into another object's.
type salvage struct {
	ctx   context.Context // ends the reading, and what was found until then counts
	src   *pages
	opts  Options
	aside string // where the old file will be, for the rows about what is lost

	identity  identity
	totals    totals
	names     map[uint64]name // kind 0: two readings
	cursors   map[string]*Cursor
	starts    map[uint64]start
	times     times
	accounts  []byte // the newest record, sealed; nil: none
	hasTotals bool
	lastRun   uint64
	noCursors bool  // none was read
	oldest    int64 // unix ms of the oldest sweep found; 0: none

	found   totals                     // what came over
	backlog map[string]uint64          // of it, by integration
	lost    map[string]uint64          // by integration
	rows    map[string]map[uint64]*row // about gaps, and dead letters, by integration
	gaps    uint64                     // that came over
	letters uint64                     // that came over
	cut     bool                       // not all was read
	guessed bool                       // an integration's cursor is lost
}

// uncounted reports whether more may be lost than is known.
func (sv *salvage) uncounted() bool {
	return sv.cut || sv.guessed || !sv.hasTotals || sv.identity.id == ""
}

// survey reads everything but the sweeps, and the copy of the names.
func (sv *salvage) survey(path string) {
	sv.names, sv.cursors, sv.starts = map[uint64]name{}, map[string]*Cursor{}, map[uint64]start{}
	sv.backlog, sv.lost, sv.rows = map[string]uint64{}, map[string]uint64{}, map[string]map[uint64]*row{}
	err := sv.src.each(sv.ctx, func(key, value []byte) error {
		sv.learn(key, value)
		return nil
	})
	sv.cut, sv.noCursors = err != nil, len(sv.cursors) == 0
	sv.readSpare(path)
}

// learn takes in one record that may be of any kind, or none. The key comes first: checksums are
// not for free, and nearly all of the file is sweeps.
func (sv *salvage) learn(key, value []byte) {
	switch id, numbered := keySeq(key); {
	case string(key) == string(keyIdentity):
		sv.learnIdentity(value)
	case string(key) == string(keyTotals):
		sv.learnTotals(value)
	case string(key) == string(keyClock):
		sv.learnTimes(value)
	case string(key) == string(keyAccounts):
		sv.learnAccounts(value)
	case numbered && len(value) > 0 && value[0] == startKind:
		sv.learnStart(id, key, value)
	case numbered && id < mostEntries:
		sv.learnName(id, key, value)
	case printable(string(key)):
		c, ok := DecodeCursor(key, value)
		if known := sv.cursors[c.ID]; ok && (known == nil || c.Further(known)) {
			sv.cursors[c.ID] = &c
		}
	}
}

// learnStart takes in a run; the record with the time of its boot is the newer one.
func (sv *salvage) learnStart(run uint64, key, value []byte) {
	st, ok := decodeStart(key, value)
	if known, twice := sv.starts[run]; ok && (!twice || known.booted == 0) {
		sv.starts[run] = st
	}
}

func (sv *salvage) learnTimes(value []byte) {
	t := decodeTimes(value)
	sv.times.good, sv.times.wrote = max(sv.times.good, t.good), max(sv.times.wrote, t.wrote)
}

func (sv *salvage) learnAccounts(value []byte) {
	before, _ := accountsOf(sv.accounts)
	if commit, ok := accountsOf(value); ok && commit >= before {
		sv.accounts = bytes.Clone(value)
	}
}

func (sv *salvage) learnIdentity(value []byte) {
	id, err := decodeIdentity(value)
	if err == nil && (id.run > sv.identity.run || id.run == sv.identity.run && id.device != "") {
		sv.identity = id
	}
}

func (sv *salvage) learnTotals(value []byte) {
	t, ok := decodeTotals(value)
	if !ok {
		return
	}
	sv.hasTotals = true
	sv.totals.next = max(sv.totals.next, t.next)
	sv.totals.row = max(sv.totals.row, t.row)
	sv.totals.names = max(sv.totals.names, t.names)
}

func (sv *salvage) learnName(id uint64, key, value []byte) {
	n, ok := decodeName(key, value)
	if !ok || n.kind == nameText && !printable(n.text) {
		return
	}
	if known, twice := sv.names[id]; twice && known != n {
		n = name{}
	}
	sv.names[id] = n
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// dictionary is the names as they were, and the first number that was surely never given.
func (sv *salvage) dictionary() *dictionary {
	size := sv.totals.names
	for id := range sv.names {
		size = max(size, id+1)
	}
	if !sv.hasTotals {
		size += lostNames
	}
	return dictionaryOf(sv.names, size)
}

// salvageBatch is how many bytes of sweeps share a transaction: it bounds memory.
const salvageBatch = 4 << 20

// fill makes the new store's file. It is not in use before it is whole, so it is synced once.
func (sv *salvage) fill(file string) error {
	o := boltOptions(sv.opts.MaxSize)
	o.NoSync, o.NoGrowSync = true, true
	db, err := bolt.Open(file, 0o600, o)
	if err != nil {
		return err
	}
	db.AllocSize = allocSize
	d := sv.dictionary()
	err = db.Update(putBuckets)
	if err == nil {
		err = sv.copySweeps(db, d.published())
	}
	if err == nil {
		err = db.Update(func(tx *bolt.Tx) error { return sv.conclude(tx, d) })
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return syncPath(file)
}

// copySweeps reads the file once more and takes over every sweep that is wanted. Rows wait in memory: they are few.
func (sv *salvage) copySweeps(db *bolt.DB, ns names) error {
	var waiting []salvaged
	size := 0
	flush := func() error {
		defer func() { waiting, size = waiting[:0], 0 }()
		return db.Update(func(tx *bolt.Tx) error { return sv.putSweeps(tx, waiting) })
	}
	var failed error
	err := sv.src.each(sv.ctx, func(key, value []byte) error {
		if isRow(value) {
			sv.keepRow(ns, key, value)
			return nil
		}
		h, ok := sv.wants(ns, key, value)
		if !ok {
			return nil
		}
		waiting = append(waiting, salvaged{h, slices.Clone(key), slices.Clone(value)})
		if size += len(key) + len(value); size >= salvageBatch {
			failed = flush()
		}
		return failed
	})
	if failed == nil {
		sv.cut = sv.cut || err != nil
		failed = flush()
	}
	return failed
}

// salvaged is a sweep's record as it stands in the file.
type salvaged struct {
	heading
	key, value []byte
}

// putSweeps puts and counts what is not there yet: the file holds copies.
func (sv *salvage) putSweeps(tx *bolt.Tx, sweeps []salvaged) error {
	b := tx.Bucket(bucketSweeps)
	b.FillPercent = 0.9 // mostly ascending
	for _, sw := range sweeps {
		if b.Get(sw.key) != nil {
			continue
		}
		if err := b.Put(sw.key, sw.value); err != nil {
			return err
		}
		sv.found.sweeps++
		sv.found.samples += uint64(sw.samples)
		sv.found.bytes += recordSize(sw.key, sw.value)
		seq, _ := keySeq(sw.key)
		sv.lastRun = max(sv.lastRun, sw.run)
		if sv.oldest == 0 || sw.at < sv.oldest {
			sv.oldest = sw.at
		}
		sv.totals.next = max(sv.totals.next, seq+1)
		for _, p := range sw.routes {
			sv.backlog[p.integration] += sv.cursors[p.integration].Awaits(seq, p.set)
		}
	}
	return nil
}

// wants reports whether a record is a sweep that reads, and that somebody still waits for. An
// integration whose cursor is lost waits for everything: sent twice is better than lost.
func (sv *salvage) wants(ns names, key, value []byte) (heading, bool) {
	seq, ok := keySeq(key)
	if !ok {
		return heading{}, false
	}
	h, ok := inspect(ns, key, value)
	if !ok {
		return heading{}, false
	}
	wanted := uint64(0)
	for _, p := range h.routes {
		if sv.cursors[p.integration] == nil {
			sv.guess(p.integration, "")
		}
		wanted += sv.cursors[p.integration].Awaits(seq, p.set)
	}
	return h, wanted > 0
}

// guess makes an integration known whose cursor is lost: it begins with the oldest sweep.
func (sv *salvage) guess(id, topic string) {
	c := NewCursor(id, topic, 0)
	sv.cursors[id], sv.guessed = &c, true
}

// conclude writes what is not sweeps.
func (sv *salvage) conclude(tx *bolt.Tx, d *dictionary) error {
	sv.adoptOwners()
	t := sv.found
	t.next, t.row = sv.totals.next, sv.totals.row+lostNames // rows may be newer than the totals, and not read
	for id, it := range sv.cursors {
		t.next = max(t.next, it.At)
		sv.count(it, sv.backlog[id])
	}
	sv.addLanes()
	if err := errors.Join(sv.putRows(tx, d), sv.putLosses(tx, d, &t)); err != nil {
		return err
	}
	if err := errors.Join(sv.putNames(tx, d), sv.putClock(tx)); err != nil {
		return err
	}
	t.names = uint64(d.size())
	meta := tx.Bucket(bucketMeta)
	if accounts := decodeAccounts(d.published(), sv.accounts); len(accounts) > 0 { // of what reads
		if err := meta.Put(keyAccounts, d.encodeAccounts(tx.ID(), accounts)); err != nil {
			return err
		}
	}
	if err := meta.Put(keyTotals, t.encode()); err != nil {
		return err
	}
	return meta.Put(keyIdentity, sv.newIdentity(tx, t.next).encode())
}

// count takes what is missing off an integration's backlog.
func (sv *salvage) count(it *Cursor, backlog uint64) {
	if it.Backlog > backlog {
		sv.lost[it.ID] = it.Backlog - backlog
		it.Dropped += sv.lost[it.ID]
	}
	it.Backlog = backlog
}

// addLanes counts what lanes lost as lost by the integrations they belong to: these have the log.
func (sv *salvage) addLanes() {
	for id, n := range sv.lost {
		if owner, lane := isLane(id); lane && sv.cursors[owner] != nil {
			sv.lost[owner] += n
			delete(sv.lost, id)
		}
	}
}

// putLosses writes cursors, and for each integration that lost something a row that says so.
func (sv *salvage) putLosses(tx *bolt.Tx, d *dictionary, t *totals) error {
	for id, it := range sv.cursors {
		if err := tx.Bucket(bucketCursors).Put([]byte(id), it.Encode()); err != nil {
			return err
		}
		if sv.lost[id] == 0 {
			continue
		}
		b, err := bucketOf(tx, bucketGaps, id)
		if err != nil {
			return err
		}
		t.row++
		w := &row{Trigger: Trigger{Integration: id, Topic: it.Topic, CompletedAt: toMilli(sv.opts.Now()), Gap: objects.Gap{
			From: fromMilli(sv.oldest), To: toMilli(sv.opts.Now()), Count: sv.lost[id],
			Reason: objects.GapDamaged + ": they were in a part of the store that does not read, which is kept as " + sv.aside,
		}}}
		if err := b.Put(seqKey(t.row), d.encodeRow(seqKey(t.row), w)); err != nil {
			return err
		}
	}
	return nil
}

// putClock writes what is known of the time of earlier runs.
func (sv *salvage) putClock(tx *bolt.Tx) error {
	for run, st := range sv.starts {
		if err := tx.Bucket(bucketRuns).Put(seqKey(run), st.encode(seqKey(run))); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(keyClock, sv.times.encode())
}

func (sv *salvage) putNames(tx *bolt.Tx, d *dictionary) error {
	b := tx.Bucket(bucketNames)
	b.FillPercent = 1
	return d.putFrom(0, b.Put)
}

// newIdentity is who the new store is. Sample ids must never come twice, and how far the old store
// had got is not sure: so the new one has an id of its own, and goes on counting runs besides. The
// sweeps that came over keep the id of the store that took them; where nothing tells it, they get
// one that nobody has.
func (sv *salvage) newIdentity(tx *bolt.Tx, next uint64) identity {
	old := sv.identity
	if old.id == "" {
		old.id = drawID()
	}
	made := identity{id: drawID(), run: max(old.run, sv.lastRun), device: old.device}
	first, _ := tx.Bucket(bucketSweeps).Cursor().First()
	if first == nil {
		return made
	}
	for _, o := range append(old.origins, origin{until: next, store: old.id}) {
		if o.until > binary.BigEndian.Uint64(first) {
			made.origins = append(made.origins, o)
		}
	}
	return made
}
