package store

import (
	"fmt"
	"os"
	"slices"
	"time"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// task selects what a transaction writes. Each transaction also writes cursors, totals and dead letters.
type task struct {
	offered offers // the oldest of Store.offered, or none
	drop    int64  // bytes of the oldest sweeps to delete, because the disk is full
	rows    bool   // rows of the log too; they cost more pages than everything else together

	cursors bool // make the transaction even if no sweep has to be written: the cursors have waited long enough
	leaves  bool // do not delete up to leftSweeps finished sweeps: a later transaction deletes them in fewer pages

	gapsOnly bool // only the rows about gaps
	newGaps  bool // without rows: write the rows about gaps of each integration that has a new one
	file.Ballast
}

// commit is one transaction of the writer. It reads the memory of the store under the lock (snapshot), and writes to
// the file without the lock. After that the memory follows (finish), or goes back to what it was (undo).
type commit struct {
	task
	store *Store
	tx    *bolt.Tx
	names record.Names // of the file before the commit

	records sweepRecords
	log     logWrite
	now     moment
	wall    time.Time // the time of now, as Options.Now returned it

	totals    record.Totals
	passed    uint64 // every integration has finished with the sweeps before this number
	evicted   uint64 // the sweeps before this number are deleted, even if RetainAfterAck would keep them
	cursors   map[string][]byte
	written   []*integration
	dead      map[*integration]map[uint64]*record.Row // the changed dead letters; nil: removed
	forgotten []string
	identity  []byte
	traffic   []byte
	damaged   []uint64
	more      bool            // removals left for the next commit
	again     bool            // a part of a removed integration's backlog is left for the next commit
	tail      *record.Heading // of the oldest sweep that stays
	removed   record.Totals
	unsaved   bool                    // the commit writes the settlements of Store.unsaved
	starts    map[uint64]record.Start // changed starts of runs

	// accounts are the accounts to write; nil: they did not change. gapAccounts are those of the rows in this commit
	accounts, gapAccounts map[record.Accounted]record.Account
	times                 record.Times
}

// write runs one transaction. With an error that wraps ErrFull, the file did not change. After any other error the
// content of the file is not known.
func (w *writer) write(t task) (err error) {
	c := &commit{task: t, store: w.Store, names: w.names.Published()}
	defer func() {
		if p := recover(); p != nil { // bbolt panics on damaged pages
			err = fmt.Errorf("commit: the file is damaged: %v", p)
		}
		if err != nil {
			c.undo()
		}
	}()
	w.mu.Lock()
	update := w.update // tests replace it
	w.mu.Unlock()
	if err := update(c.run); err != nil {
		if file.Full(err) {
			return fmt.Errorf("commit: %w: %w", ErrFull, err)
		}
		return fmt.Errorf("commit: %w", err)
	}
	c.finish()
	return nil
}

// run fills the transaction.
func (c *commit) run(tx *bolt.Tx) error {
	s := c.store
	c.tx = tx
	sweeps := tx.Bucket(file.BucketSweeps)
	c.now, c.wall = s.moment(), s.opts.Now()
	c.encodeSweeps()
	victims := c.chooseVictims(sweeps)
	unwanted, all := c.unwanted(sweeps)

	s.mu.Lock()
	s.reportDamagedLocked(c.damaged)
	c.evictVictims(victims)
	c.rejectNewest(victims)
	c.forgotten = c.expire(unwanted, all)
	c.snapshot()
	s.mu.Unlock()

	for _, step := range []func(*bolt.Tx) error{
		c.Ballast.Move, c.putSweeps, c.removePassed, c.putLog, c.putDead, c.putCursors, c.putClock, c.putAccounts,
		c.putMeta,
	} {
		if err := step(tx); err != nil {
			return err
		}
	}
	return nil
}

// putSweeps writes the new sweeps.
func (c *commit) putSweeps(tx *bolt.Tx) error { return c.records.put(tx.Bucket(file.BucketSweeps)) }

// putLog writes the rows of the trigger log.
func (c *commit) putLog(tx *bolt.Tx) error {
	return c.log.put(tx, &c.store.names, c.store.opts.KeepTriggers)
}

// encodeSweeps encodes the sweeps for which an integration waits.
func (c *commit) encodeSweeps() {
	s := c.store
	s.mu.Lock()
	owed := make([]bool, len(c.offered))
	for i := range c.offered {
		owed[i] = c.offered[i:i+1].needed(s.integrations, s.opts.RetainAfterAck > 0)
	}
	s.mu.Unlock()
	c.records = newSweepRecords(c.offered)
	for i, f := range c.offered {
		if owed[i] {
			key := record.SeqKey(f.seq)
			c.records.set(i, key, s.names.EncodeSweep(key, f.sweep))
		}
	}
}

// rejectNewest refuses the newest of the new sweeps if the outbox has no room for them, and old sweeps are not deleted.
func (c *commit) rejectNewest(victims []victim) {
	s := c.store
	if !s.opts.RejectNewest {
		return
	}
	over := s.totals.Bytes + c.records.bytes - s.opts.MaxSize
	for i := range victims {
		over -= victims[i].bytes
	}
	var refused offers
	for i := len(c.offered) - 1; i >= 0 && over > 0; i-- {
		if n := c.records.drop(i); n > 0 {
			over -= n
			refused = append(refused, c.offered[i])
		}
	}
	slices.Reverse(refused) // in the order of sampling they are one gap for each object
	s.integrations.refuseLocked(refused, fmt.Sprintf(whyReject, size(s.opts.MaxSize)), s.next)
}

// snapshot takes from memory what this transaction writes.
func (c *commit) snapshot() {
	s := c.store
	unwritten := c.leaveOut()
	c.totals = s.totals
	c.totals.Next = s.next
	c.cursors = map[string][]byte{}
	c.log.rows = map[*integration]*rowSet{}
	c.dead = map[*integration]map[uint64]*record.Row{}
	s.dateGapsLocked()
	for _, it := range s.integrations.ordered() {
		it.trim(s.next)
		it.behind = it.behind && it.Backlog > 0
		if it.modified || unwritten[it] > 0 {
			snapshot := it.snapshot(unwritten[it])
			c.cursors[it.ID] = snapshot.Encode()
			c.written = append(c.written, it)
			it.modified = unwritten[it] > 0
		}
		if unheard := c.newGaps && it.newGap; it.dirty.size() > 0 && (c.rows || unheard) {
			c.takeRows(it, c.gapsOnly || !c.rows)
			it.newGap = false
		}
		if len(it.deadDirty) > 0 {
			c.dead[it] = it.takeDead()
		}
	}
	c.takeAccounts()
	c.passed = c.passedLocked()
	c.times = s.times
	c.starts, s.newStarts = s.newStarts, map[uint64]record.Start{}
	traffics := map[string]record.Meter{}
	for id, it := range s.integrations {
		traffics[id] = it.traffic
	}
	c.traffic = record.EncodeTraffic(traffics)
	s.dirty, s.unsaved, c.unsaved = false, false, s.unsaved
	if s.identityChanged {
		c.identity = s.identityLocked().Encode()
		s.identityChanged = false
	}
}

// leaveOut drops records that every integration has settled meanwhile. It returns how many samples of each backlog will
// not be in the file.
func (c *commit) leaveOut() map[*integration]uint64 {
	s := c.store
	for i := range c.offered {
		if c.records.has(i) && !c.offered[i:i+1].needed(s.integrations, s.opts.RetainAfterAck > 0) {
			c.records.drop(i)
		}
	}
	unwritten := map[*integration]uint64{}
	for i, f := range s.offered {
		if f.refused || c.records.has(i) {
			continue
		}
		for _, p := range f.routes {
			if it := s.integrations[p.Integration]; it != nil {
				unwritten[it] += it.pendingIn(f.seq, p.Set)
			}
		}
	}
	return unwritten
}

// takeRows takes the waiting rows that the log will keep.
func (c *commit) takeRows(it *integration, gapsOnly bool) {
	waiting := it.dirty.size()
	it.dirty.cut(c.store.opts.KeepTriggers)
	if it.cutTo = 0; gapsOnly {
		it.flushing = it.dirty.takeGaps()
	} else {
		it.flushing, it.dirty = it.dirty, newRowSet()
	}
	c.store.dirtyRows += it.dirty.size() - waiting
	c.log.rows[it] = it.flushing
}

// leftSweeps is how many sweeps a commit of cursors alone leaves for the next commit with rows: less than that deletes.
const leftSweeps = maxRemovals / 2

// removePassed deletes sweeps that every integration has finished with and that are not kept for a replay, at most
// maxRemovals. It collects the keys first, because bbolt's cursor skips keys if its bucket changes.
func (c *commit) removePassed(tx *bolt.Tx) error {
	b := tx.Bucket(file.BucketSweeps)
	passed := c.passed
	if c.leaves {
		passed -= min(passed, leftSweeps)
		c.more = true
	}
	var keys [][]byte
	ns := c.store.names.All() // with the names in this commit's own records
	cur := b.Cursor()
	for k, v := cur.First(); k != nil; k, v = cur.Next() {
		h, _ := record.Peek(ns, k, v)
		seq, ok := record.KeySeq(k)
		if ok && (seq >= passed || seq >= c.evicted && c.retains(&h)) {
			c.tail = &h
			break
		}
		if len(keys) == maxRemovals {
			c.more = true
			break
		}
		keys = append(keys, append([]byte(nil), k...))
		c.removed.Sweeps++
		c.removed.Bytes += record.Size(k, v)
		c.removed.Samples += uint64(h.Samples)
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// retains reports whether a sweep is kept for a replay although every integration has settled it.
func (c *commit) retains(h *record.Heading) bool {
	s := c.store
	if s.opts.RetainAfterAck <= 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.age(h, c.now) < s.opts.RetainAfterAck.Milliseconds()
}

func (c *commit) putCursors(tx *bolt.Tx) error {
	b := tx.Bucket(file.BucketCursors)
	for id, value := range c.cursors {
		if err := b.Put([]byte(id), value); err != nil {
			return err
		}
	}
	for _, id := range c.forgotten {
		if err := b.Delete([]byte(id)); err != nil {
			return err
		}
		for _, log := range [][]byte{file.BucketTriggers, file.BucketGaps, file.BucketDead} {
			if tx.Bucket(log) == nil || tx.Bucket(log).Bucket([]byte(id)) == nil {
				continue
			}
			if err := tx.Bucket(log).DeleteBucket([]byte(id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// putMeta runs last, when all names are known and all removals are counted.
func (c *commit) putMeta(tx *bolt.Tx) error {
	names := tx.Bucket(file.BucketNames)
	names.FillPercent = 1 // the store only appends here
	if err := c.store.names.Put(names.Put); err != nil {
		return err
	}
	t := &c.totals
	t.Names = uint64(c.store.names.Size())
	t.Sweeps += c.records.sweeps - c.removed.Sweeps
	t.Bytes += c.records.bytes - c.removed.Bytes
	t.Samples += c.records.samples - c.removed.Samples
	if t.Sweeps == c.records.sweeps {
		t.Samples = c.records.samples // how many samples a damaged record had is not known
	}
	b := tx.Bucket(file.BucketMeta)
	if c.identity != nil {
		if err := b.Put(record.KeyIdentity, c.identity); err != nil {
			return err
		}
	}
	if err := b.Put(record.KeyTraffic, c.traffic); err != nil {
		return err
	}
	return b.Put(record.KeyTotals, t.Encode())
}

// finish updates the memory to the new content of the file.
func (c *commit) finish() {
	s := c.store
	info, err := os.Stat(s.path)
	free := freeBytes(s.path)
	known := s.names.Stored
	s.names.Keep()
	warnNoCopy(s.opts.Logger, file.ExtendNamesCopy(s.path, s.id, &s.names, known))
	c.log.finish()

	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.fileBytes = info.Size()
	}
	s.freeBytes = free
	row := s.totals.Row // results may have come since the snapshot
	s.totals = c.totals
	s.totals.Row = max(row, c.totals.Row)
	s.tail = c.tail
	s.committed += c.records.samples
	c.countLocked()
	s.times = c.times
	c.finishAccounts()
	if seq, ok := c.records.first(); ok {
		s.lastWritten = seq
	}
	s.releaseLocked(c.offered, c.records.values)
	for _, it := range s.integrations {
		c.finishIntegration(it)
	}
	for seq := range s.damaged {
		if seq < c.passed && !c.more {
			delete(s.damaged, seq)
		}
	}
	if c.more || c.again {
		s.dirty = true
	}
}

func (c *commit) finishIntegration(it *integration) {
	it.flushing = newRowSet()
	for at, w := range it.open {
		if slices.Contains(c.log.pruned[it], w.ID) {
			delete(it.open, at)
		}
	}
	it.trim(c.store.next)
}

// undo restores the memory as before the transaction, except for decisions: deleted and settled samples stay deleted
// and settled, and the next commit writes this.
func (c *commit) undo() {
	s := c.store
	s.names.Undo()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range c.written {
		it.modified = true
	}
	s.unsaved = s.unsaved || c.unsaved
	s.accounts.changed = true
	for it, rows := range c.log.rows {
		for id := range rows.rows {
			if !it.dirty.has(id) { // otherwise the row there is newer
				it.dirty.put(rows.row(new(record.Row), id))
				s.dirtyRows++
			}
		}
		it.flushing = newRowSet()
		it.newGap = it.newGap || it.owesGapRows()
	}
	for it, changes := range c.dead {
		for id := range changes {
			it.deadDirty[id] = true
		}
	}
	for run, st := range c.starts {
		if _, newer := s.newStarts[run]; !newer {
			s.newStarts[run] = st
		}
	}
	if c.identity != nil {
		s.identityChanged = true
	}
	s.dirty = true
}

// countLocked counts what the transaction wrote.
func (c *commit) countLocked() {
	s, stats := c.store, c.tx.Stats()
	s.commits++
	s.written += uint64(stats.GetPageAlloc()) + uint64(s.pageSize) // and the meta page
}
