package store

import (
	"fmt"
	"maps"
	"time"

	"noi-agent/store/internal/file"
	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// AcknowledgeGaps marks gaps as seen by an operator: the gaps that ended at until or before, or all gaps if until is
// zero. Stats leaves marked gaps out. Queries return them with the mark. A marked gap does not grow: samples that are
// missing later are a new row. A gap that waits for the clock is not shown yet, and is not marked. AcknowledgeGaps
// returns the number of marked gaps; the marks are durable then. It fails with ErrFull (the marks are valid, and are
// written when there is room), with ErrClosed, and with the error that stopped the store.
func (s *Store) AcknowledgeGaps(until time.Time) (int, error) {
	for {
		s.mu.Lock()
		commits, err := s.commits, s.usableLocked()
		s.mu.Unlock()
		kept := map[string][]*record.Row{}
		if err == nil {
			err = s.view(func(tx *bolt.Tx) (err error) {
				kept, err = keptGaps(tx, s.names.Published(), until)
				return err
			})
		}
		if err != nil {
			return 0, fmt.Errorf("acknowledge gaps: %w", err)
		}
		s.mu.Lock()
		if s.commits != commits { // a row may have changed in the file meanwhile
			s.mu.Unlock()
			continue
		}
		n := 0
		for _, it := range s.integrations {
			for _, w := range it.acknowledge(kept[it.ID], until) {
				it.writeRowLocked(w)
				n++
			}
		}
		if n == 0 {
			s.mu.Unlock()
			return 0, nil
		}
		b := s.hurryLocked()
		s.mu.Unlock()
		return n, b.waitState()
	}
}

// keptGaps reads the gaps to mark from the file, by integration.
func keptGaps(tx *bolt.Tx, ns record.Names, until time.Time) (map[string][]*record.Row, error) {
	kept, gaps := map[string][]*record.Row{}, tx.Bucket(file.BucketGaps)
	return kept, gaps.ForEachBucket(func(id []byte) error {
		return gaps.Bucket(id).ForEach(func(k, v []byte) error {
			if w, ok := record.DecodeRow(ns, string(id), k, v); ok && isNews(w, until) {
				kept[string(id)] = append(kept[string(id)], w)
			}
			return nil
		})
	})
}

// isNews reports whether a row is to be marked.
func isNews(w *record.Row, until time.Time) bool {
	end := w.Gap.To
	if end.IsZero() { // a damaged record: its end is not known
		end = w.CompletedAt
	}
	return w.IsGap() && w.Shown() && !w.Gap.Acknowledged && (until.IsZero() || !end.After(until))
}

// acknowledge marks rows of the integration, and returns the rows to write. Rows in memory are newer than those in the
// file.
func (it *integration) acknowledge(kept []*record.Row, until time.Time) (marked []*record.Row) {
	rows := map[uint64]*record.Row{}
	for _, w := range kept {
		rows[w.ID] = w
	}
	maps.Insert(rows, it.flushing.gaps())
	maps.Insert(rows, it.dirty.gaps())
	for id, old := range rows {
		if !isNews(old, until) {
			continue
		}
		w := *old
		w.Gap.Acknowledged = true
		if it.openGaps[id] != nil {
			it.openGaps[id] = &w
		}
		if last := it.grows[keyOf(w.Gap)]; last != nil && last.ID == id {
			it.grows[keyOf(w.Gap)] = &w
		}
		it.dismiss(id)
		it.newGap = true
		marked = append(marked, &w)
	}
	return marked
}
