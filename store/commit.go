package store

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"noi-agent/objects"

	bolt "go.etcd.io/bbolt"
)

// task is what a transaction is asked to do, beside what waits anyway.
type task struct {
	sweeps []objects.Sweep
	drop   int64 // bytes of the oldest sweeps that are to give way because the disk is full
	rows   bool  // trigger rows too; they cost more pages than all the rest together
	ballast
}

// commit is one transaction of the writer. What it reads from the store's memory it takes under
// the lock; what it writes to the file it writes without; what it brought becomes visible when
// the file has it (finish), or is taken back (undo).
type commit struct {
	task
	store *Store
	names names // of what is in the file before it

	first   uint64   // sequence number of the first new sweep
	records [][]byte // the new sweeps, sealed
	bytes   int64    // of the new records
	samples uint64
	added   map[string]uint64 // new deliveries by integration
	firstOf map[string]uint64 // the first new sweep with something for the integration

	totals    totals
	passed    uint64 // every integration is done with the sweeps before it
	cursors   map[string][]byte
	written   []*integration
	logs      map[*integration][]*row // the rows it writes
	forgotten []string
	identity  []byte
	pruned    map[*integration][]uint64
	counts    map[*integration]int // rows in the file afterwards
	damaged   []uint64
	more      bool  // removals left for the next commit
	tailAt    int64 // unix ms of the oldest sweep that stays
	removed   totals
}

// write runs one transaction. Its error is nil, or wraps ErrFull when nothing of it is in the
// file, or says something worse: then nobody knows what the file holds.
func (s *Store) write(t task) (err error) {
	c := &commit{task: t, store: s, names: s.names.published()}
	defer func() {
		if p := recover(); p != nil { // bbolt panics on damaged pages
			err = fmt.Errorf("commit: the file is damaged: %v", p)
		}
		if err != nil {
			c.undo()
		}
	}()
	if err := s.update(c.run); err != nil {
		if isFull(err) {
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
	sweeps := tx.Bucket(bucketSweeps)
	c.encodeSweeps()
	victims := c.chooseVictims(sweeps)

	s.mu.Lock()
	s.reportDamaged(c.damaged)
	s.giveWay(victims)
	c.forgotten = s.expire(s.opts.Now())
	c.snapshot()
	s.mu.Unlock()

	for _, step := range []func(*bolt.Tx) error{
		c.ballast.move, c.putSweeps, c.removePassed, c.putRows, c.putCursors, c.putMeta,
	} {
		if err := step(tx); err != nil {
			return err
		}
	}
	return nil
}

// encodeSweeps gives the new sweeps their numbers and turns them into records.
func (c *commit) encodeSweeps() {
	s := c.store
	c.first = s.totals.next // only the writer changes it
	c.added, c.firstOf = map[string]uint64{}, map[string]uint64{}
	for i, sw := range c.sweeps {
		seq := c.first + uint64(i)
		key := seqKey(seq)
		record := s.names.encodeSweep(key, sw)
		c.records = append(c.records, record)
		c.bytes += recordSize(key, record)
		c.samples += uint64(len(sw.Samples))
		for _, route := range sw.Routes {
			if _, ok := c.firstOf[route.Integration]; !ok {
				c.firstOf[route.Integration] = seq
			}
			c.added[route.Integration] += uint64(len(route.Picked))
		}
	}
}

// snapshot takes from memory what this transaction writes. s.mu is held.
func (c *commit) snapshot() {
	s := c.store
	c.totals = s.totals
	c.passed = c.first
	c.cursors = map[string][]byte{}
	c.logs = map[*integration][]*row{}
	for _, it := range s.ordered() {
		it.trim(c.first)
		c.passed = min(c.passed, it.cursor)
		if it.modified || c.added[it.id] > 0 {
			c.cursors[it.id] = it.encode(c.added[it.id])
			c.written = append(c.written, it)
			it.modified = false
		}
		if c.rows && len(it.dirty) > 0 {
			c.takeRows(it)
		}
	}
	s.dirty = false
	if s.identityChanged {
		c.identity = s.encodeIdentity()
		s.identityChanged = false
	}
}

// takeRows takes the rows that wait, as far as the log will keep them. s.mu is held.
func (c *commit) takeRows(it *integration) {
	c.store.dirtyRows -= len(it.dirty)
	cutRows(it.dirty, c.store.opts.KeepTriggers)
	it.flushing, it.dirty = it.dirty, map[uint64]*row{}
	for _, id := range slices.Sorted(maps.Keys(it.flushing)) {
		c.logs[it] = append(c.logs[it], it.flushing[id])
	}
}

func (c *commit) putSweeps(tx *bolt.Tx) error {
	b := tx.Bucket(bucketSweeps)
	b.FillPercent = 1 // only ever appended to: full pages save a fifth of the flash writes
	for i, record := range c.records {
		if err := b.Put(seqKey(c.first+uint64(i)), record); err != nil {
			return err
		}
	}
	return nil
}

// removePassed deletes the sweeps every integration is done with, so many at a time. The keys are
// collected first: bbolt's cursor skips some when its bucket is changed under it.
func (c *commit) removePassed(tx *bolt.Tx) error {
	b := tx.Bucket(bucketSweeps)
	var keys [][]byte
	cur := b.Cursor()
	for k, v := cur.First(); k != nil; k, v = cur.Next() {
		h, _ := peek(c.names, k, v)
		seq, ok := keySeq(k)
		if ok && seq >= c.passed {
			c.tailAt = h.at
			break
		}
		if len(keys) == maxRemovals {
			c.more = true
			break
		}
		keys = append(keys, append([]byte(nil), k...))
		c.removed.sweeps++
		c.removed.bytes += recordSize(k, v)
		c.removed.samples += uint64(h.samples)
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// putRows writes the trigger rows and cuts each integration's log to what is kept.
func (c *commit) putRows(tx *bolt.Tx) error {
	all := tx.Bucket(bucketTriggers)
	c.pruned, c.counts = map[*integration][]uint64{}, map[*integration]int{}
	for it, rows := range c.logs {
		b, err := all.CreateBucketIfNotExists([]byte(it.id))
		if err != nil {
			return err
		}
		count := it.rowCount
		for _, w := range rows {
			key := seqKey(w.ID)
			if b.Get(key) == nil {
				count++
			}
			if err := b.Put(key, c.store.names.encodeRow(key, w)); err != nil {
				return err
			}
		}
		gone, err := c.pruneRows(b, count-c.store.opts.KeepTriggers)
		if err != nil {
			return err
		}
		c.pruned[it], c.counts[it] = gone, count-len(gone)
	}
	return nil
}

// pruneRows deletes the n oldest rows, so many at a time.
func (c *commit) pruneRows(b *bolt.Bucket, n int) (gone []uint64, err error) {
	cur := b.Cursor()
	for k, _ := cur.First(); k != nil && len(gone) < min(n, maxRemovals); k, _ = cur.Next() {
		id, _ := keySeq(k)
		gone = append(gone, id)
	}
	for _, id := range gone {
		if err := b.Delete(seqKey(id)); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

func (c *commit) putCursors(tx *bolt.Tx) error {
	b := tx.Bucket(bucketCursors)
	for id, record := range c.cursors {
		if err := b.Put([]byte(id), record); err != nil {
			return err
		}
	}
	triggers := tx.Bucket(bucketTriggers)
	for _, id := range c.forgotten {
		if err := b.Delete([]byte(id)); err != nil {
			return err
		}
		if triggers.Bucket([]byte(id)) == nil {
			continue
		}
		if err := triggers.DeleteBucket([]byte(id)); err != nil {
			return err
		}
	}
	return nil
}

// putMeta comes last: all names are known and all removals counted by now.
func (c *commit) putMeta(tx *bolt.Tx) error {
	if err := c.store.names.put(tx.Bucket(bucketNames)); err != nil {
		return err
	}
	t := &c.totals
	t.next += uint64(len(c.records))
	t.names = uint64(len(c.store.names.entries))
	t.sweeps += uint64(len(c.records)) - c.removed.sweeps
	t.bytes += c.bytes - c.removed.bytes
	t.samples += c.samples - c.removed.samples
	if t.sweeps == uint64(len(c.records)) {
		t.samples = c.samples // a damaged record does not tell how many went with it
	}
	if t.sweeps > 0 && c.tailAt == 0 && len(c.sweeps) > 0 {
		c.tailAt = c.sweeps[0].Samples[0].SampledAt.UnixMilli()
	}
	b := tx.Bucket(bucketMeta)
	if c.identity != nil {
		if err := b.Put(keyIdentity, c.identity); err != nil {
			return err
		}
	}
	return b.Put(keyTotals, t.encode())
}

// finish makes visible what the file now has.
func (c *commit) finish() {
	s := c.store
	info, err := os.Stat(s.path)
	known := s.names.stored
	s.names.keep()
	s.extendSpare(known)
	for it, n := range c.counts {
		it.rowCount = n
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.fileBytes = info.Size()
	}
	row := s.totals.row // results may have come since the snapshot
	s.totals = c.totals
	s.totals.row = max(row, c.totals.row)
	s.tailAt = c.tailAt
	s.committed += c.samples
	s.commits++
	for _, it := range s.integrations {
		c.finishIntegration(it)
	}
	for seq := range s.damaged {
		if seq < c.passed && !c.more {
			delete(s.damaged, seq)
		}
	}
	if c.more {
		s.dirty = true
	}
}

func (c *commit) finishIntegration(it *integration) {
	it.flushing = map[uint64]*row{}
	for at, w := range it.open {
		if slices.Contains(c.pruned[it], w.ID) {
			delete(it.open, at)
		}
	}
	if it.complete() {
		// Everything before is known, so the next look can begin with what is new.
		it.scanned = c.totals.next
		if first, ok := c.firstOf[it.id]; ok {
			it.scanned = first
		}
	}
	it.backlog += c.added[it.id]
	it.trim(c.totals.next)
	if c.added[it.id] > 0 {
		it.wake()
	}
}

// undo leaves memory as if the transaction had not been tried, except for decisions: what gave
// way or was settled stays so, and the next commit writes it.
func (c *commit) undo() {
	s := c.store
	s.names.undo()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range c.written {
		it.modified = true
	}
	for it, rows := range c.logs {
		for _, w := range rows {
			if _, newer := it.dirty[w.ID]; !newer {
				it.dirty[w.ID] = w
				s.dirtyRows++
			}
		}
		it.flushing = map[uint64]*row{}
	}
	if c.identity != nil {
		s.identityChanged = true
	}
	s.dirty = true
}
