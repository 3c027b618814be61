package store

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Limits are what an open store can be told anew (SetLimits). The zero Limits are usable.
type Limits struct {
	MaxSize        int64         // bytes of records the outbox may hold; 0: 256 MiB
	RejectNewest   bool          // at MaxSize, or on a full disk, new samples are not kept; false: the oldest give way
	MaxAge         time.Duration // how long a sample may wait, by Clock; 0: 720 h
	RetainAfterAck time.Duration // how long sweeps are kept that everybody has settled; 0: not at all
	CommitEvery    time.Duration // commit window: how long a sweep may wait for company, or to be accepted; 0: not at all
	KeepTriggers   int           // rows kept per integration; 0: 1,000
	FlushTriggers  time.Duration // how long trigger rows wait, and settlements if no append comes; 0: 1 min
}

func (l Limits) withDefaults() Limits {
	l.MaxSize = cmp.Or(max(l.MaxSize, 0), 256<<20)
	l.MaxAge = cmp.Or(max(l.MaxAge, 0), 720*time.Hour)
	l.KeepTriggers = cmp.Or(max(l.KeepTriggers, 0), 1000)
	l.FlushTriggers = cmp.Or(max(l.FlushTriggers, 0), time.Minute)
	return l
}

// SetLimits puts other limits in force. It makes a commit, the first that keeps to them, and returns when that is done; where much
// is over a limit that was made smaller, more commits follow by themselves. What waits for a commit window
// or a flush waits by the new times from then on. The limits are in force even if the disk is too
// full for the commit. It fails with ErrClosed, and with what stopped the store.
func (s *Store) SetLimits(l Limits) error {
	l = l.withDefaults()
	s.mu.Lock()
	if err := s.usable(); err != nil {
		s.mu.Unlock()
		return fmt.Errorf("set limits: %w", err)
	}
	if s.wanted == nil && l == s.opts.Limits {
		s.mu.Unlock()
		return nil
	}
	s.wanted = &l
	b := s.hurry()
	s.mu.Unlock()
	if err := b.waitState(); err != nil && !errors.Is(err, ErrFull) {
		return fmt.Errorf("set limits: %w", err)
	}
	return nil
}

// takeLimits puts in force what SetLimits was told. The writer does it as it begins a commit: no limit changes under one.
//
// bbolt's own limit of the file is only raised. It reads MaxSize where a transaction that writes needs pages from
// the end of the file, and no other goroutine has such transactions, so that it can be set between two of them. Lowering it
// below what the file has would refuse the very pages by which deletions make room. A smaller one comes
// with the next file: when this one is compacted, or at the next start. s.mu is held.
func (s *Store) takeLimits() {
	if s.wanted == nil {
		return
	}
	s.opts.Limits, s.wanted = *s.wanted, nil
	s.shrinking, s.shrunk = true, s.totals.bytes
	s.db.MaxSize = max(s.db.MaxSize, fileLimit(s.opts.MaxSize))
}

// shrink takes one more step towards limits that were made smaller, after a commit: a commit takes only so many sweeps out of the outbox,
// and cuts only the logs to which it writes. It ends when nothing is over the limits or nothing gives way any more.
func (s *Store) shrink() {
	if !s.shrinking {
		return
	}
	rows, err := s.cutLogs()
	if err != nil && !isFull(err) { // without room they go when new rows come
		s.abort(fmt.Errorf("cut the trigger log: %w", err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	over := s.totals.bytes > s.opts.MaxSize || s.tail != nil && s.age(s.tail, s.moment()) > s.opts.MaxAge.Milliseconds()
	s.shrinking = s.err == nil && err == nil && (rows || over && s.totals.bytes < s.shrunk)
	s.shrunk = s.totals.bytes
	if s.shrinking {
		s.hurry()
	}
}

// cutLogs deletes the oldest rows beyond KeepTriggers, so many at a time, and reports whether there are more.
func (s *Store) cutLogs() (more bool, err error) {
	over := map[*integration]int{}
	s.mu.Lock()
	for _, it := range s.integrations {
		if n := it.rowCount - s.opts.KeepTriggers; n > 0 {
			over[it] = n
		}
	}
	s.mu.Unlock()
	if len(over) == 0 {
		return false, nil
	}
	defer func() {
		if p := recover(); p != nil { // bbolt panics on damaged pages
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	gone := map[*integration][]uint64{}
	c := commit{store: s}
	err = s.update(func(tx *bolt.Tx) (err error) {
		c.tx = tx
		for it, n := range over {
			b := tx.Bucket(bucketTriggers).Bucket([]byte(it.id))
			if b == nil {
				continue
			}
			if gone[it], err = c.pruneRows(b, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.countCommit(c.tx)
	for it, ids := range gone {
		it.rowCount -= len(ids)
		it.forgetOpen(ids)
		more = more || len(ids) > 0 && len(ids) < over[it]
	}
	return more, nil
}

// countCommit counts what a transaction wrote. s.mu is held.
func (s *Store) countCommit(tx *bolt.Tx) {
	stats := tx.Stats()
	s.commits++
	s.written += uint64(stats.GetPageAlloc()) + uint64(s.pageSize) // and the meta page
}

// forgetOpen forgets rows of deliveries still being retried that are in the file no more: the next try gets a row of its own. s.mu is held.
func (it *integration) forgetOpen(ids []uint64) {
	gone := make(map[uint64]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	for at, w := range it.open {
		if gone[w.ID] {
			delete(it.open, at)
		}
	}
}
