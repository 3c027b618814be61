package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"noi-agent/objects"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// Details of the reasons, behind the constants of package objects.
const (
	whyDeadDropped = objects.GapDead + ": the cloud rejected it, and it was dropped by hand"
	whyDeadPushed  = objects.GapDead + ": the cloud rejected it, and %d later ones too"
)

// DeadLetter is a delivery that the cloud rejects. It is set aside, so that the others continue, until the operator
// sends it again or drops it.
type DeadLetter struct {
	// its row of the trigger log, with the last error; the ID of the row is its id. It is kept even if many rows follow
	record.Trigger
	Seq       uint64 // its former place in the outbox
	Index     int
	Store     string // id of the store that took the sample
	Estimated bool   // the time at which it was taken is an estimate
}

// setAsideLocked makes a row a dead letter: it is written with the commit that settles the delivery.
func (it *integration) setAsideLocked(w *record.Row) {
	s := it.store
	letter := *w
	letter.Store = record.Identity{ID: s.id, Origins: s.origins}.Of(w.Seq)
	it.dead[w.ID] = &letter
	it.deadDirty[w.ID] = true
	s.forced = true // without this, a settlement inside the window is not written
	s.touchLocked()
	for len(it.dead) > record.KeepDead {
		it.buryLocked(slices.Min(slices.Collect(maps.Keys(it.dead))), fmt.Sprintf(whyDeadPushed, record.KeepDead))
	}
}

// buryLocked deletes a dead letter, and reports the gap.
func (it *integration) buryLocked(id uint64, why string) {
	w := it.dead[id]
	it.unmakeLocked(id)
	it.logGapLocked(objects.Gap{
		Unit: w.Source.Unit(), Object: w.Sample.Object, Run: w.Run, From: w.Sample.SampledAt, To: w.Sample.SampledAt,
		First: w.Sample.Seq, Last: w.Sample.Seq, Count: 1, Reason: why,
	})
}

// unmakeLocked removes a dead letter, without a gap.
func (it *integration) unmakeLocked(id uint64) {
	delete(it.dead, id)
	it.deadDirty[id] = true
	it.store.touchLocked()
}

// arrivedLocked removes the dead letter of a delivery that the cloud has accepted in another way, for example by a
// replay.
func (it *integration) arrivedLocked(at record.Place) {
	for id, w := range it.dead {
		if w.Place == at {
			it.unmakeLocked(id)
		}
	}
}

// DeadLetters returns dead letters with an id above after, the oldest first, at most limit, or all when that is 0;
// those of all integrations when that is "". There are at most 1,024 an integration. It fails with
// ErrUnknownIntegration, with ErrClosed, and with the error that stopped the store.
func (s *Store) DeadLetters(integration string, after uint64, limit int) ([]DeadLetter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := s.namedLocked(integration)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	var out []DeadLetter
	for _, it := range from {
		for id, w := range it.dead {
			if id > after {
				row := w.Trigger
				row.Dead = true
				out = append(out, DeadLetter{Trigger: row, Seq: w.Seq, Index: w.Index, Store: w.Store,
					Estimated: w.Estimated})
			}
		}
	}
	slices.SortFunc(out, func(a, b DeadLetter) int { return cmp.Compare(a.ID, b.ID) })
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}

// namedLocked returns one integration, or all.
func (s *Store) namedLocked(id string) ([]*integration, error) {
	if id == "" {
		return s.integrations.ordered(), s.usableLocked()
	}
	it, err := s.integrationLocked(id)
	return []*integration{it}, err
}

// SettleDead records the result of another attempt to send a dead letter, in its row of the trigger log. With Accepted
// the dead letter is removed and counted as sent. Otherwise it stays, with the new error. A result for a letter that is
// no longer there is ignored. It fails with ErrUnknownIntegration, with ErrClosed, and with the error that stopped the
// store.
func (s *Store) SettleDead(integration string, id uint64, r Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return fmt.Errorf("settle a dead letter: %w", err)
	}
	old := it.dead[id]
	if old == nil {
		return nil
	}
	w := *old
	w.Topic, w.Success, w.Attempts = it.Topic, r.Outcome == Accepted, w.Attempts+1
	w.CompletedAt, w.PublishedAt = record.ToMilli(r.CompletedAt), record.ToMilli(r.PublishedAt)
	w.MessageID, w.Error = r.MessageID, record.CutError(r.Error)
	it.dead[id] = &w
	it.deadDirty[id] = true
	if w.Success {
		it.unmakeLocked(id)
		it.Sent++
		it.modified = true
	}
	logged := w
	logged.Store = ""
	it.writeRowLocked(&logged)
	return nil
}

// DropDead deletes dead letters for good, and leaves a gap for each in the log. It returns the number of deleted ones.
// When it returns, they are no longer in the file. It fails with ErrUnknownIntegration, with ErrClosed, with ErrFull,
// and with the error that stopped the store.
func (s *Store) DropDead(integration string, ids ...uint64) (dropped int, err error) {
	s.mu.Lock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		s.mu.Unlock()
		return 0, fmt.Errorf("drop dead letters: %w", err)
	}
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if it.dead[id] != nil {
			it.buryLocked(id, whyDeadDropped)
			dropped++
		}
	}
	if dropped == 0 {
		s.mu.Unlock()
		return 0, nil
	}
	b := s.hurryLocked()
	s.mu.Unlock()
	return dropped, b.waitState()
}

func (c *commit) putDead(tx *bolt.Tx) error {
	for _, it := range slices.SortedFunc(maps.Keys(c.dead),
		func(a, b *integration) int { return cmp.Compare(a.ID, b.ID) }) {
		b, err := file.BucketOf(tx, file.BucketDead, it.ID)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(c.dead[it])) {
			key := record.SeqKey(id)
			if w := c.dead[it][id]; w == nil {
				err = b.Delete(key)
			} else {
				err = b.Put(key, c.store.names.EncodeRow(key, w))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
