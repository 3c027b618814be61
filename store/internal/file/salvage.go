package file

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

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// A salvage reads the readable content of a damaged file, without bbolt, and fills a new store with it.
//
// Records are copied unchanged, under their old numbers. Sweeps keep their place and names keep their ids, so every
// checksum stays valid. A page does not show to which bucket it belongs, and bbolt does not clear old pages. So the
// file is read as a heap of records, old and new:
//
//   - The first byte shows the kind of a record. A name of the first kind is printable text.
//   - Of cursors, identities and totals the furthest one counts, because their figures only grow.
//   - A sweep is copied only if an integration's cursor has not passed it. So samples that were delivered long ago do
//     not come back from an old page.
//   - A name with two different texts is dropped. A wrong name would turn samples into those of another object.
type salvage struct {
	ctx   context.Context // ends the reading; the records found until then count
	src   *pages
	opts  Options
	aside string // the new name of the old file, for the rows about lost samples

	identity  record.Identity
	totals    record.Totals
	names     map[uint64]record.Name // kind 0: two readings
	cursors   map[string]*record.Cursor
	starts    map[uint64]record.Start
	times     record.Times
	accounts  []byte // the newest record, sealed; nil: none
	hasTotals bool
	lastRun   uint64
	noCursors bool  // none was read
	oldest    int64 // unix ms of the oldest sweep found; 0: none

	found   record.Totals                     // figures of the salvaged sweeps
	backlog map[string]uint64                 // salvaged samples that wait, by integration
	lost    map[string]uint64                 // lost samples, by integration
	rows    map[string]map[uint64]*record.Row // about gaps, and dead letters, by integration
	gaps    uint64                            // copied rows about gaps
	letters uint64                            // copied dead letters
	cut     bool                              // not all was read
	guessed bool                              // an integration's cursor is lost
}

// uncounted reports whether more samples may be lost than are known.
func (sv *salvage) uncounted() bool {
	return sv.cut || sv.guessed || !sv.hasTotals || sv.identity.ID == ""
}

// survey reads everything but the sweeps, and the copy of the names.
func (sv *salvage) survey(path string) {
	sv.names, sv.cursors, sv.starts = map[uint64]record.Name{}, map[string]*record.Cursor{}, map[uint64]record.Start{}
	sv.backlog, sv.lost, sv.rows = map[string]uint64{}, map[string]uint64{}, map[string]map[uint64]*record.Row{}
	err := sv.src.each(sv.ctx, func(key, value []byte) error {
		sv.learn(key, value)
		return nil
	})
	sv.cut, sv.noCursors = err != nil, len(sv.cursors) == 0
	sv.readNamesCopy(path)
}

// learn takes one record of any kind, or no record at all. It checks the key first, because checksums take time, and
// nearly all records are sweeps.
func (sv *salvage) learn(key, value []byte) {
	switch id, numbered := record.KeySeq(key); {
	case string(key) == string(record.KeyIdentity):
		sv.learnIdentity(value)
	case string(key) == string(record.KeyTotals):
		sv.learnTotals(value)
	case string(key) == string(record.KeyClock):
		sv.learnTimes(value)
	case string(key) == string(record.KeyAccounts):
		sv.learnAccounts(value)
	case numbered && len(value) > 0 && value[0] == record.StartKind:
		sv.learnStart(id, key, value)
	case numbered && id < record.MostEntries:
		sv.learnName(id, key, value)
	case printable(string(key)):
		c, ok := record.DecodeCursor(key, value)
		if known := sv.cursors[c.ID]; ok && (known == nil || c.Further(known)) {
			sv.cursors[c.ID] = &c
		}
	}
}

// learnStart takes the record of a run. The record with the time of the boot is the newer one.
func (sv *salvage) learnStart(run uint64, key, value []byte) {
	st, ok := record.DecodeStart(key, value)
	if known, twice := sv.starts[run]; ok && (!twice || known.Booted == 0) {
		sv.starts[run] = st
	}
}

func (sv *salvage) learnTimes(value []byte) {
	t := record.DecodeTimes(value)
	sv.times.Good, sv.times.Wrote = max(sv.times.Good, t.Good), max(sv.times.Wrote, t.Wrote)
}

func (sv *salvage) learnAccounts(value []byte) {
	before, _ := record.AccountsOf(sv.accounts)
	if commit, ok := record.AccountsOf(value); ok && commit >= before {
		sv.accounts = bytes.Clone(value)
	}
}

func (sv *salvage) learnIdentity(value []byte) {
	id, err := record.DecodeIdentity(value)
	if err == nil && (id.Run > sv.identity.Run || id.Run == sv.identity.Run && id.Device != "") {
		sv.identity = id
	}
}

func (sv *salvage) learnTotals(value []byte) {
	t, ok := record.DecodeTotals(value)
	if !ok {
		return
	}
	sv.hasTotals = true
	sv.totals.Next = max(sv.totals.Next, t.Next)
	sv.totals.Row = max(sv.totals.Row, t.Row)
	sv.totals.Names = max(sv.totals.Names, t.Names)
}

func (sv *salvage) learnName(id uint64, key, value []byte) {
	n, ok := record.DecodeName(key, value)
	if !ok || n.Kind == record.NameText && !printable(n.Text) {
		return
	}
	if known, twice := sv.names[id]; twice && known != n {
		n = record.Name{}
	}
	sv.names[id] = n
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// dictionary returns the names with their numbers, and the first number that was certainly never given.
func (sv *salvage) dictionary() *record.Dictionary {
	size := sv.totals.Names
	for id := range sv.names {
		size = max(size, id+1)
	}
	if !sv.hasTotals {
		size += lostNames
	}
	return record.DictionaryOf(sv.names, size)
}

// SalvageBatch is how many bytes of sweeps share a transaction. It limits the memory.
const SalvageBatch = 4 << 20

// fill makes the file of the new store. The file is not used before it is complete, so it is synced once.
func (sv *salvage) fill(file string) error {
	o := BoltOptions(sv.opts.MaxSize)
	o.NoSync, o.NoGrowSync = true, true
	db, err := bolt.Open(file, 0o600, o)
	if err != nil {
		return err
	}
	db.AllocSize = AllocSize
	d := sv.dictionary()
	err = db.Update(putBuckets)
	if err == nil {
		err = sv.copySweeps(db, d.Published())
	}
	if err == nil {
		err = db.Update(func(tx *bolt.Tx) error { return sv.conclude(tx, d) })
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return SyncPath(file)
}

// copySweeps reads the file a second time, and copies every wanted sweep. Rows wait in memory, because they are few.
func (sv *salvage) copySweeps(db *bolt.DB, ns record.Names) error {
	var waiting []salvaged
	size := 0
	flush := func() error {
		defer func() { waiting, size = waiting[:0], 0 }()
		return db.Update(func(tx *bolt.Tx) error { return sv.putSweeps(tx, waiting) })
	}
	var failed error
	err := sv.src.each(sv.ctx, func(key, value []byte) error {
		if record.IsRow(value) {
			sv.keepRow(ns, key, value)
			return nil
		}
		h, ok := sv.wants(ns, key, value)
		if !ok {
			return nil
		}
		waiting = append(waiting, salvaged{h, slices.Clone(key), slices.Clone(value)})
		if size += len(key) + len(value); size >= SalvageBatch {
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

// salvaged is a sweep's record as in the file.
type salvaged struct {
	record.Heading
	key, value []byte
}

// putSweeps puts and counts the sweeps that are not there yet, because the file may have several copies of a sweep.
func (sv *salvage) putSweeps(tx *bolt.Tx, sweeps []salvaged) error {
	b := tx.Bucket(BucketSweeps)
	b.FillPercent = 0.9 // mostly ascending
	for _, sw := range sweeps {
		if b.Get(sw.key) != nil {
			continue
		}
		if err := b.Put(sw.key, sw.value); err != nil {
			return err
		}
		sv.found.Sweeps++
		sv.found.Samples += uint64(sw.Samples)
		sv.found.Bytes += record.Size(sw.key, sw.value)
		seq, _ := record.KeySeq(sw.key)
		sv.lastRun = max(sv.lastRun, sw.Run)
		if sv.oldest == 0 || sw.At < sv.oldest {
			sv.oldest = sw.At
		}
		sv.totals.Next = max(sv.totals.Next, seq+1)
		for _, p := range sw.Routes {
			sv.backlog[p.Integration] += sv.cursors[p.Integration].Awaits(seq, p.Set)
		}
	}
	return nil
}

// wants reports whether a record is a readable sweep for which an integration still waits. An integration whose cursor
// is lost waits for everything: to send samples twice is better than to lose them.
func (sv *salvage) wants(ns record.Names, key, value []byte) (record.Heading, bool) {
	seq, ok := record.KeySeq(key)
	if !ok {
		return record.Heading{}, false
	}
	h, ok := record.Inspect(ns, key, value)
	if !ok {
		return record.Heading{}, false
	}
	wanted := uint64(0)
	for _, p := range h.Routes {
		if sv.cursors[p.Integration] == nil {
			sv.guess(p.Integration, "")
		}
		wanted += sv.cursors[p.Integration].Awaits(seq, p.Set)
	}
	return h, wanted > 0
}

// guess adds an integration whose cursor is lost. It begins with the oldest sweep.
func (sv *salvage) guess(id, topic string) {
	c := record.NewCursor(id, topic, 0)
	sv.cursors[id], sv.guessed = &c, true
}

// conclude writes everything except the sweeps.
func (sv *salvage) conclude(tx *bolt.Tx, d *record.Dictionary) error {
	sv.adoptOwners()
	t := sv.found
	t.Next, t.Row = sv.totals.Next, sv.totals.Row+lostNames // rows may be newer than the totals, and unreadable
	for id, it := range sv.cursors {
		t.Next = max(t.Next, it.At)
		sv.count(it, sv.backlog[id])
	}
	sv.addLanes()
	if err := errors.Join(sv.putRows(tx, d), sv.putLosses(tx, d, &t)); err != nil {
		return err
	}
	if err := errors.Join(sv.putNames(tx, d), sv.putClock(tx)); err != nil {
		return err
	}
	t.Names = uint64(d.Size())
	meta := tx.Bucket(BucketMeta)
	if accounts := record.DecodeAccounts(d.Published(), sv.accounts); len(accounts) > 0 { // of what reads
		if err := meta.Put(record.KeyAccounts, d.EncodeAccounts(tx.ID(), accounts)); err != nil {
			return err
		}
	}
	if err := meta.Put(record.KeyTotals, t.Encode()); err != nil {
		return err
	}
	return meta.Put(record.KeyIdentity, sv.newIdentity(tx, t.Next).Encode())
}

// count subtracts the missing samples from an integration's backlog.
func (sv *salvage) count(it *record.Cursor, backlog uint64) {
	if it.Backlog > backlog {
		sv.lost[it.ID] = it.Backlog - backlog
		it.Dropped += sv.lost[it.ID]
	}
	it.Backlog = backlog
}

// addLanes counts lost samples of a lane for its integration, which has the log.
func (sv *salvage) addLanes() {
	for id, n := range sv.lost {
		if owner, lane := record.IsLane(id); lane && sv.cursors[owner] != nil {
			sv.lost[owner] += n
			delete(sv.lost, id)
		}
	}
}

// putLosses writes the cursors, and a row about the loss for each integration that lost samples.
func (sv *salvage) putLosses(tx *bolt.Tx, d *record.Dictionary, t *record.Totals) error {
	for id, it := range sv.cursors {
		if err := tx.Bucket(BucketCursors).Put([]byte(id), it.Encode()); err != nil {
			return err
		}
		if sv.lost[id] == 0 {
			continue
		}
		b, err := BucketOf(tx, BucketGaps, id)
		if err != nil {
			return err
		}
		t.Row++
		w := &record.Row{Trigger: record.Trigger{Integration: id, Topic: it.Topic,
			CompletedAt: record.ToMilli(sv.opts.Now()), Gap: objects.Gap{
				From: record.FromMilli(sv.oldest), To: record.ToMilli(sv.opts.Now()), Count: sv.lost[id],
				Reason: objects.GapDamaged +
					": they were in a part of the store that does not read, which is kept as " +
					sv.aside,
			}}}
		if err := b.Put(record.SeqKey(t.Row), d.EncodeRow(record.SeqKey(t.Row), w)); err != nil {
			return err
		}
	}
	return nil
}

// putClock writes what is known of the time of earlier runs.
func (sv *salvage) putClock(tx *bolt.Tx) error {
	for run, st := range sv.starts {
		if err := tx.Bucket(BucketRuns).Put(record.SeqKey(run), st.Encode(record.SeqKey(run))); err != nil {
			return err
		}
	}
	return tx.Bucket(BucketMeta).Put(record.KeyClock, sv.times.Encode())
}

func (sv *salvage) putNames(tx *bolt.Tx, d *record.Dictionary) error {
	b := tx.Bucket(BucketNames)
	b.FillPercent = 1
	return d.PutFrom(0, b.Put)
}

// newIdentity returns the identity of the new store. No sample id may be used twice, and the last numbers of the old
// store are not certain. So the new store has another id, and continues to count the runs. Salvaged sweeps keep the id
// of the store that took them. If this id is not known, they get an unused one.
func (sv *salvage) newIdentity(tx *bolt.Tx, next uint64) record.Identity {
	old := sv.identity
	if old.ID == "" {
		old.ID = drawID()
	}
	made := record.Identity{ID: drawID(), Run: max(old.Run, sv.lastRun), Device: old.Device}
	first, _ := tx.Bucket(BucketSweeps).Cursor().First()
	if first == nil {
		return made
	}
	for _, o := range append(old.Origins, record.Origin{Until: next, Store: old.ID}) {
		if o.Until > binary.BigEndian.Uint64(first) {
			made.Origins = append(made.Origins, o)
		}
	}
	return made
}
