package store

import (
	"cmp"
	"fmt"
	"slices"

	"noi-agent/objects"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// TriggerQuery selects the rows that Triggers returns.
type TriggerQuery struct {
	Integration string                // empty: of all
	Gaps        bool                  // only rows about gaps
	Success     *bool                 // nil: both; rows about gaps count as no success
	Match       func(t *Trigger) bool // selects among these rows; nil: all. It must be quick
	Limit       int                   // 0 or less: 100; 1,000 at most
	Before      uint64                // only rows with a smaller id; 0: from the newest on
}

const (
	defaultRows = 100
	maxRows     = 1000
	// maxLooked is how many rows one query reads where most do not match: some milliseconds of a read transaction on a
	// gateway. There is no index: it would cost flash with each row, for questions that are rare.
	maxLooked = 2000
)

// Triggers returns rows of the log, newest first by id, including rows that are not committed yet. next is the value of
// Before for the following rows, 0 at the end. A query reads at most one row more than it returns, or maxLooked rows if
// Match or Success leave rows out. In this case it may return fewer rows than the limit, even none, and the caller
// continues with next. An unknown integration has no rows.
func (s *Store) Triggers(q TriggerQuery) (rows []record.Trigger, next uint64, err error) {
	if q.Limit <= 0 {
		q.Limit = defaultRows
	}
	q.Limit = min(q.Limit, maxRows)
	p := newPage(s, q)
	if err = p.takeMemory(); err == nil {
		err = s.view(p.read)
	}
	if err != nil {
		return nil, 0, err
	}
	s.rowsRead.Add(uint64(p.looked))
	if len(p.rows) > q.Limit {
		return p.rows[:q.Limit], p.rows[q.Limit-1].ID, nil
	}
	return p.rows, p.next, nil
}

// page is one reading of the log: rows in memory and in the file, in one order.
type page struct {
	TriggerQuery
	store   *Store
	ids     []string        // the integrations
	waiting []waitingRow    // rows in memory, the newest first
	dead    map[uint64]bool // ids of the rows that are dead letters now

	rows   []record.Trigger // one more than the limit at most
	looked int
	next   uint64 // id before which the query must continue; 0: it is complete
}

func newPage(s *Store, q TriggerQuery) *page {
	return &page{TriggerQuery: q, store: s, dead: map[uint64]bool{}}
}

// takeMemory takes the rows in memory. This is done before the file is read: a row that is written in between is then
// found twice, and is not missed.
func (p *page) takeMemory() error {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return err
	}
	for id, it := range s.integrations {
		if p.Integration != "" && p.Integration != id {
			continue
		}
		p.ids = append(p.ids, id)
		for row := range it.dead {
			p.dead[row] = true
		}
		p.wait(it.flushing, it.dirty)
		p.wait(it.dirty, nil)
	}
	slices.SortFunc(p.waiting, func(a, b waitingRow) int { return cmp.Compare(b.id, a.id) })
	return nil
}

// wait adds the rows of a set that are not in a newer set.
func (p *page) wait(rows, newer *rowSet) {
	ns := rows.names.All()
	for id, m := range rows.rows {
		if (p.Before == 0 || id < p.Before) && (newer == nil || !newer.has(id)) {
			p.waiting = append(p.waiting, waitingRow{id, m, ns})
		}
	}
}

// waitingRow is a row in memory. It is decoded when it is returned.
type waitingRow struct {
	id uint64
	memoryRow
	names record.Names
}

func (w *waitingRow) row() *record.Row { return w.read(w.id, w.names) }

// rowCursor is one integration's log in the file, from its newest row on.
type rowCursor struct {
	*bolt.Cursor
	integration string
	k, v        []byte
	id          uint64 // id of the present row; 0: the end
}

func (c *rowCursor) at(k, v []byte) {
	c.k, c.v, c.id = k, v, 0
	if k != nil {
		c.id, _ = record.KeySeq(k)
	}
}

// read takes the newest row of all logs, until the page is complete.
func (p *page) read(tx *bolt.Tx) error {
	logs := p.cursors(tx)
	ns := record.Names(p.store.names.Published())
	for len(p.rows) <= p.Limit {
		c := newest(logs)
		switch {
		case c == nil && len(p.waiting) == 0:
			return nil
		case p.looked >= max(maxLooked, p.Limit+1):
			p.next = p.last(c)
			return nil
		case c == nil || len(p.waiting) > 0 && p.waiting[0].id >= c.id:
			if c != nil && c.id == p.waiting[0].id {
				c.at(c.Prev()) // the row in memory is newer
			}
			p.take(p.waiting[0].row())
			p.waiting = p.waiting[1:]
		default:
			w, ok := record.DecodeRow(ns, c.integration, c.k, c.v)
			c.at(c.Prev())
			if ok {
				p.take(w)
			}
		}
	}
	return nil
}

// last returns the id before which the next query continues: one above the newest row that was not read.
func (p *page) last(c *rowCursor) (before uint64) {
	if c != nil {
		before = c.id + 1
	}
	if len(p.waiting) > 0 {
		before = max(before, p.waiting[0].id+1)
	}
	return before
}

func (p *page) cursors(tx *bolt.Tx) (logs []*rowCursor) {
	for _, id := range p.ids {
		for _, log := range p.logs() {
			if b := tx.Bucket(log).Bucket([]byte(id)); b != nil {
				c := &rowCursor{Cursor: b.Cursor(), integration: id}
				c.at(startBefore(c.Cursor, p.Before))
				logs = append(logs, c)
			}
		}
	}
	return logs
}

// newest returns the log whose next row is the newest; nil: all are at their end.
func newest(logs []*rowCursor) (first *rowCursor) {
	for _, c := range logs {
		if c.id > 0 && (first == nil || c.id > first.id) {
			first = c
		}
	}
	return first
}

// take adds a row if it is wanted.
func (p *page) take(w *record.Row) {
	p.looked++
	t := w.Trigger
	t.Dead = p.dead[w.ID]
	if w.Shown() && p.wants(&t) {
		p.rows = append(p.rows, t)
	}
}

// logs are the buckets in which a query can find something.
func (q TriggerQuery) logs() [][]byte {
	if q.Gaps {
		return [][]byte{file.BucketGaps}
	}
	return [][]byte{file.BucketTriggers, file.BucketGaps}
}

func startBefore(c *bolt.Cursor, before uint64) (k, v []byte) {
	if before == 0 {
		return c.Last()
	}
	if k, _ = c.Seek(record.SeqKey(before)); k == nil {
		return c.Last()
	}
	return c.Prev()
}

func (q TriggerQuery) wants(t *record.Trigger) bool {
	return (!q.Gaps || t.IsGap()) && (q.Success == nil || t.Success == *q.Success) && (q.Match == nil || q.Match(t))
}

// Trigger returns one row by its id, as a letter that can be sent again: place, store and time of the sample are those
// of the first try. It fails with ErrNoTrigger, with ErrClosed, and with the error that stopped the store.
func (s *Store) Trigger(id uint64) (DeadLetter, error) {
	p := newPage(s, TriggerQuery{Limit: 1, Before: id + 1})
	if err := p.takeMemory(); err != nil {
		return DeadLetter{}, err
	}
	var found *record.Row
	if len(p.waiting) > 0 && p.waiting[0].id == id {
		found = p.waiting[0].row()
	} else if err := s.view(func(tx *bolt.Tx) error { found = p.find(tx, id); return nil }); err != nil {
		return DeadLetter{}, err
	}
	if found == nil || !found.Shown() {
		return DeadLetter{}, fmt.Errorf("%w %d", ErrNoTrigger, id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	letter := DeadLetter{Trigger: found.Trigger, Seq: found.Seq, Index: found.Index, Estimated: found.Estimated,
		Store: record.Identity{ID: s.id, Origins: s.origins}.Of(found.Seq)}
	letter.Dead = p.dead[id]
	return letter, nil
}

// find looks a row up in the file.
func (p *page) find(tx *bolt.Tx, id uint64) *record.Row {
	ns, key := record.Names(p.store.names.Published()), record.SeqKey(id)
	for _, integration := range p.ids {
		for _, log := range p.logs() {
			b := tx.Bucket(log).Bucket([]byte(integration))
			if b == nil {
				continue
			}
			if v := b.Get(key); v != nil {
				if w, ok := record.DecodeRow(ns, integration, key, v); ok {
					return w
				}
			}
		}
	}
	return nil
}

// addRowLocked puts a new row into the log.
func (it *integration) addRowLocked(w *record.Row) {
	it.numberRowLocked(w)
	it.writeRowLocked(w)
}

// numberRowLocked gives a new row its id.
func (it *integration) numberRowLocked(w *record.Row) {
	it.store.totals.Row++
	w.ID, w.Integration = it.store.totals.Row, it.ID
}

// writeRowLocked makes the next commit with rows write a new or changed row.
func (it *integration) writeRowLocked(w *record.Row) {
	waiting := it.dirty.size()
	it.dirty.put(w)
	it.wroteRowLocked(waiting)
}

// wroteRowLocked counts the rows that wait for a commit, where so many waited before. From time to time it removes rows
// that the file would not keep, so that not many more rows wait than the log keeps.
func (it *integration) wroteRowLocked(waiting int) {
	s := it.store
	if keep := s.opts.KeepTriggers; it.dirty.size() > max(keep, it.cutTo)*9/8+64 {
		it.dirty.cut(keep)
		it.cutTo = it.dirty.size()
	}
	s.dirtyRows += it.dirty.size() - waiting
	s.touchLocked()
}

// closeRowsLocked ends the rows of deliveries that were deleted: they are not tried again.
func (it *integration) closeRowsLocked() {
	for at := range it.open {
		if holder, _ := it.holder(at); at.Seq < it.At && holder == nil {
			it.closeRowLocked(at)
		}
	}
}

// closeRowLocked ends the row of one delivery, if it has one.
func (it *integration) closeRowLocked(at record.Place) {
	old := it.open[at]
	if old == nil {
		return
	}
	w := *old
	w.Open = false
	delete(it.open, at)
	it.writeRowLocked(&w)
}

// logResultLocked writes the row of one attempt: a new row, or the row of the attempt before. Nearly all rows are
// encoded at once. So the row is on the stack: a row has 600 bytes.
func (it *integration) logResultLocked(at record.Place, sw objects.Sweep, r Result) (w record.Row) {
	if old := it.open[at]; old != nil {
		w = *old
	} else {
		w.Place, w.Run, w.Source, w.Sample = at, sw.Run, sw.Source, sw.Samples[at.Index]
		it.numberRowLocked(&w)
	}
	w.Topic, w.Attempts = it.Topic, w.Attempts+1
	w.Success, w.Open = r.Outcome == Accepted, r.Outcome == Retrying
	w.CompletedAt, w.PublishedAt = record.ToMilli(r.CompletedAt), record.ToMilli(r.PublishedAt)
	w.MessageID, w.Error, w.Estimated = r.MessageID, record.CutError(r.Error), r.Estimated
	if !r.SampledAt.IsZero() {
		w.Sample.SampledAt = record.ToMilli(r.SampledAt)
	}
	delete(it.open, at)
	if w.Open {
		kept := w
		it.open[at] = &kept
	}
	waiting := it.dirty.size()
	it.dirty.seal(&w)
	it.wroteRowLocked(waiting)
	return w
}
