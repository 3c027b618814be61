package store

import (
	"fmt"
	"time"

	"noi-agent/objects"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// Outcome is how one attempt to deliver ended. The numbers are stored: never renumber them.
type Outcome uint8

// The outcomes.
const (
	Accepted Outcome = 1 // the cloud has it: settled
	Retrying Outcome = 2 // it will be tried again: it stays pending
	Failed   Outcome = 3 // the cloud has rejected it: settled, and set aside as a dead letter
)

// Result is the end of one attempt at one Delivery.
type Result struct {
	Seq         uint64 // as in the Delivery
	Index       int    // as in the Delivery
	Outcome     Outcome
	PublishedAt time.Time // when the attempt left the gateway
	CompletedAt time.Time // when its answer came
	MessageID   string    // the cloud's, with Accepted
	Error       string    // "AuthorizationError: User: …", without
	SampledAt   time.Time // the corrected time with which it was published; zero: the time at which it was taken
	Estimated   bool      // SampledAt is an estimate
}

// Settle records the results of one attempt. Accepted and Failed end the delivery: it is never pending again in this
// run, and after the next commit also not after a restart. Retrying changes only its trigger row. Results for a sample
// that is not pending (settled before, or deleted during the attempt) are ignored. It fails with ErrUnknownIntegration,
// with ErrClosed, and with the error that stopped the store. If an outcome is invalid, nothing is recorded.
func (s *Store) Settle(integration string, results []Result) error {
	for _, r := range results {
		if r.Outcome < Accepted || r.Outcome > Failed {
			return fmt.Errorf("settle %s: sweep %d sample %d: no outcome %d", integration, r.Seq, r.Index, r.Outcome)
		}
	}
	sweeps, err := s.sweepsOf(results)
	if err != nil {
		return fmt.Errorf("settle %s: %w", integration, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	for _, r := range results {
		sw, ok := sweeps[r.Seq]
		if holder, e := it.holder(record.Place{Seq: r.Seq, Index: r.Index}); ok && e != nil {
			holder.settleLocked(e, sw, r)
		}
	}
	it.trim(s.next)
	if it.lane != nil {
		it.lane.trim(s.next)
	}
	return nil
}

// settleLocked records one result.
func (it *integration) settleLocked(e *entry, sw objects.Sweep, r Result) {
	s := it.store
	main := it.owner()
	w := main.logResultLocked(record.Place{Seq: r.Seq, Index: r.Index}, sw, r)
	if it.behind = it.behind || r.Seq < s.lastWritten; r.Outcome != Retrying && it.behind {
		s.settledLateLocked()
	}
	switch r.Outcome {
	case Accepted:
		it.settle(e, r.Index)
		main.Sent++
		main.modified = true
	case Failed:
		it.settle(e, r.Index)
		main.Failed++
		main.modified = true
		main.setAsideLocked(&w)
	}
}

// settledLateLocked notes that a settled delivery is still pending in the file: after a kill it would be sent again,
// until a commit has the cursor.
func (s *Store) settledLateLocked() {
	s.unsaved = true
	s.wakeWriter()
}

// sweepsOf finds the sweeps of the results, because the trigger rows repeat the samples.
func (s *Store) sweepsOf(results []Result) (map[uint64]objects.Sweep, error) {
	sweeps := map[uint64]objects.Sweep{}
	s.mu.Lock()
	missing := s.offered.take(results, sweeps)
	s.mu.Unlock()
	if len(missing) == 0 {
		return sweeps, nil
	}
	err := s.view(func(tx *bolt.Tx) error {
		b, ns := tx.Bucket(file.BucketSweeps), record.Names(s.names.Published())
		for seq := range missing {
			if sw, ok := s.sweepAt(ns, b, seq); ok {
				sweeps[seq] = sw
			}
		}
		return nil
	})
	return sweeps, err
}

// sweepAt reads one sweep of the file; false: there is none, or it is damaged.
func (s *Store) sweepAt(ns record.Names, b *bolt.Bucket, seq uint64) (objects.Sweep, bool) {
	key := record.SeqKey(seq)
	value := b.Get(key)
	s.mapping.hasRead(b.Tx(), len(value))
	return record.DecodeSweep(ns, key, value)
}
