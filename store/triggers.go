package store

import (
	"cmp"
	"maps"
	"slices"

	"noi-agent/objects"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// TriggerQuery says which rows Triggers returns.
type TriggerQuery struct {
	Integration string // empty: of all
	Gaps        bool   // only rows about gaps
	Success     *bool  // nil: both; rows about gaps count as no success
	Limit       int    // 0 or less: 100; 1,000 at most
	Before      uint64 // only rows with a smaller id; 0: from the newest on
}

const (
	defaultRows = 100
	maxRows     = 1000
)

// Triggers returns rows of the log, newest first by id, those no commit carries yet included.
// next is what to pass as Before for the rows after these, 0 at the end. An integration the store
// does not know has no rows.
func (s *Store) Triggers(q TriggerQuery) (rows []record.Trigger, next uint64, err error) {
	if q.Limit <= 0 {
		q.Limit = defaultRows
	}
	q.Limit = min(q.Limit, maxRows)
	waiting, err := s.waitingRows(q)
	if err != nil {
		return nil, 0, err
	}
	found := map[uint64]record.Trigger{}
	for id, read := range waiting {
		err = s.view(func(tx *bolt.Tx) error {
			s.readRows(tx, q, id, read, found)
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
	}
	rows = slices.SortedFunc(maps.Values(found), func(a, b record.Trigger) int { return cmp.Compare(b.ID, a.ID) })
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		next = rows[q.Limit-1].ID
	}
	return rows, next, nil
}

// waitingRows returns the rows in memory, by integration and id. They are taken before the file
// is read: a row that is written in between is then found twice, and not missed.
func (s *Store) waitingRows(q TriggerQuery) (map[string]map[uint64]*record.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return nil, err
	}
	out := map[string]map[uint64]*record.Row{}
	for id, it := range s.integrations {
		if q.Integration != "" && q.Integration != id {
			continue
		}
		out[id] = maps.Clone(it.flushing)
		maps.Copy(out[id], it.dirty)
	}
	return out, nil
}

// readRows adds one integration's rows to found, at most one more than the limit from each of its logs in the file.
func (s *Store) readRows(tx *bolt.Tx, q TriggerQuery, id string, waiting map[uint64]*record.Row,
	found map[uint64]record.Trigger) {
	for _, w := range waiting {
		if w.Shown() && q.wants(&w.Trigger) {
			found[w.ID] = w.Trigger
		}
	}
	ns := record.Names(s.names.Published())
	for _, log := range q.logs() {
		b := tx.Bucket(log).Bucket([]byte(id))
		if b == nil {
			continue
		}
		left := q.Limit + 1
		c := b.Cursor()
		for k, v := startBefore(c, q.Before); k != nil && left > 0; k, v = c.Prev() {
			w, ok := record.DecodeRow(ns, id, k, v)
			if !ok || waiting[w.ID] != nil || !w.Shown() || !q.wants(&w.Trigger) {
				continue
			}
			found[w.ID] = w.Trigger
			left--
		}
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
	return (q.Before == 0 || t.ID < q.Before) && (!q.Gaps || t.IsGap()) && (q.Success == nil || t.Success == *q.Success)
}

// addRowLocked puts a new row into the log.
func (s *Store) addRowLocked(it *integration, w *record.Row) {
	s.totals.Row++
	w.ID, w.Integration = s.totals.Row, it.ID
	s.writeRowLocked(it, w)
}

// writeRowLocked has the next commit with rows write one, new or changed. What the file would not keep anyway is cut
// now and then, so that those that wait never are many more than it keeps.
func (s *Store) writeRowLocked(it *integration, w *record.Row) {
	if _, waits := it.dirty[w.ID]; !waits {
		s.dirtyRows++
	}
	it.dirty[w.ID] = w
	if keep := s.opts.KeepTriggers; len(it.dirty) > 2*max(keep, it.cutTo)+64 {
		s.dirtyRows -= record.CutRows(it.dirty, keep)
		it.cutTo = len(it.dirty)
	}
	s.touchLocked()
}

// closeRowsLocked ends the rows of deliveries that gave way: nobody will try them again.
func (s *Store) closeRowsLocked(it *integration) {
	for at := range it.open {
		if holder, _ := it.holder(at); at.Seq < it.At && holder == nil {
			s.closeRowLocked(it, at)
		}
	}
}

// closeRowLocked ends the row of one delivery, if it has one.
func (s *Store) closeRowLocked(it *integration, at record.Place) {
	old := it.open[at]
	if old == nil {
		return
	}
	w := *old
	w.Open = false
	delete(it.open, at)
	s.writeRowLocked(it, &w)
}

// logResultLocked writes the row of one attempt: a new one, or that of the attempt before.
func (s *Store) logResultLocked(it *integration, at record.Place, sw objects.Sweep, r Result) *record.Row {
	w := &record.Row{Place: at, Trigger: record.Trigger{Run: sw.Run, Source: sw.Source, Sample: sw.Samples[at.Index]}}
	if old := it.open[at]; old != nil {
		*w = *old
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
		it.open[at] = w
	}
	if w.ID == 0 {
		s.addRowLocked(it, w)
	} else {
		s.writeRowLocked(it, w)
	}
	return w
}
