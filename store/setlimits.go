package store

import (
	"cmp"
	"errors"
	"fmt"
	"noi-agent/store/internal/file"
	"time"
)

// Limits are what SetLimits can change in an open store. The zero Limits are usable.
type Limits struct {
	MaxSize        int64         // bytes of records the outbox may hold; 0: 256 MiB
	RejectNewest   bool          // when full, new samples are not kept; false: the oldest are deleted
	MaxAge         time.Duration // how long a sample may wait, by Clock; 0: 720 h
	RetainAfterAck time.Duration // how long sweeps are kept that every integration has settled; 0: not at all
	// commit window: how long a sweep may wait for other sweeps, or to be accepted; 0: not at all
	CommitEvery   time.Duration
	KeepTriggers  int           // rows kept per integration; 0: 1,000
	FlushTriggers time.Duration // how long trigger rows, and settlements without a new sweep, wait; 0: 1 min
}

func (l Limits) withDefaults() Limits {
	l.MaxSize = cmp.Or(max(l.MaxSize, 0), 256<<20)
	l.MaxAge = cmp.Or(max(l.MaxAge, 0), 720*time.Hour)
	l.KeepTriggers = cmp.Or(max(l.KeepTriggers, 0), 1000)
	l.FlushTriggers = cmp.Or(max(l.FlushTriggers, 0), time.Minute)
	return l
}

// SetLimits sets new limits and makes a commit, the first with these limits. If a limit is smaller than before, this
// commit and the next ones delete what is over it, as always: at most 10,000 sweeps per commit, and rows of the log
// when new rows are written. Commit windows and flushes use the new times from then on. The limits are active even if
// the disk is too full for the commit. It fails with ErrClosed, and with the error that stopped the store.
func (s *Store) SetLimits(l Limits) error {
	l = l.withDefaults()
	s.mu.Lock()
	if err := s.usableLocked(); err != nil {
		s.mu.Unlock()
		return fmt.Errorf("set limits: %w", err)
	}
	if s.wanted == nil && l == s.opts.Limits {
		s.mu.Unlock()
		return nil
	}
	s.wanted = &l
	b := s.hurryLocked()
	s.mu.Unlock()
	if err := b.waitState(); err != nil && !errors.Is(err, ErrFull) {
		return fmt.Errorf("set limits: %w", err)
	}
	return nil
}

// takeLimitsLocked makes the limits of SetLimits active. The writer does this at the begin of a commit, so that no
// limit changes during a commit.
//
// bbolt's own limit of the file is only raised here. bbolt reads MaxSize only in write transactions, which no other
// goroutine has, so it can be set between two of them. A limit below the present size of the file would refuse the
// pages that deletions need to make room. A smaller limit is set for the next file: when this file is compacted, or at
// the next start.
func (w *writer) takeLimitsLocked() {
	if w.wanted == nil {
		return
	}
	w.opts.Limits, w.wanted = *w.wanted, nil
	w.db.MaxSize = max(w.db.MaxSize, file.Limit(w.opts.MaxSize))
}
