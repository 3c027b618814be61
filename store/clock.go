package store

import (
	"time"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// Clock is what the store needs to know about time, besides Options.Now. A gateway's clock may be wrong by decades
// until the network has set it. The time since the boot is always right.
type Clock struct {
	// Boot names the boot of the machine, as in /proc/sys/kernel/random/boot_id; "": not known.
	Boot string
	// Uptime is the time since that boot, including the time in which the machine slept. nil: not known.
	Uptime func() time.Duration
	// Good reports whether Now can be trusted. nil: always.
	Good func() bool
	// Old reports whether samples of earlier boots may expire by Now, which may be too far ahead. nil: they may while
	// Good is true.
	Old func() bool
	// Floor is a time that is certainly in the past, such as the date of the build. Zero: none.
	Floor time.Time
}

// good reports whether Now can be trusted.
func (c Clock) good() bool { return c.Good == nil || c.Good() }

// old reports whether samples of earlier boots may expire by the clock.
func (c Clock) old() bool {
	if c.Old == nil {
		return c.good()
	}
	return c.Old()
}

// SetBooted sets the time of this boot, by a clock that is right now. The times of earlier samples of this boot can
// then be corrected, also after the machine was started again. It is written with the next commit.
func (s *Store) SetBooted(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.Clock.Boot == "" || s.usableLocked() != nil {
		return
	}
	for run, st := range s.starts {
		if st.Boot == s.opts.Clock.Boot && st.Booted != at.UnixMilli() {
			st.Booted = at.UnixMilli()
			s.starts[run] = st
			s.newStarts[run] = st
		}
	}
	if len(s.newStarts) > 0 {
		s.dateGapsLocked()
		s.touchLocked()
	}
}

// LastGood returns the last time known to be right, kept over restarts, or Clock.Floor if that is later. Zero: neither
// is known.
func (s *Store) LastGood() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return record.FromMilli(max(s.times.Good, record.UnixMilli(s.opts.Clock.Floor)))
}

// Booted returns the time of this boot that SetBooted set last, in this run or in an earlier run of the same boot.
// Zero: not known.
func (s *Store) Booted() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return record.FromMilli(s.starts[s.run].Booted)
}

// undated replaces the time at which an integration was removed, if the clock was not trusted then.
var undated = time.UnixMilli(1).UTC()

// orphanTime returns the time of the removal of an integration that is removed now.
func (s *clockBook) orphanTime() time.Time {
	if !s.clock.good() {
		return undated
	}
	return record.ToMilli(s.now())
}

// dateOrphans gives removed integrations without a time the first time that is known to be right.
func (c *commit) dateOrphans() {
	for _, it := range c.store.integrations {
		if it.OrphanedAt.Equal(undated) {
			it.OrphanedAt, it.modified = record.ToMilli(c.wall), true
		}
	}
}

// putClock writes the runs that changed, and the time when it is known to be right.
func (c *commit) putClock(tx *bolt.Tx) error {
	for run, st := range c.starts {
		if err := tx.Bucket(file.BucketRuns).Put(record.SeqKey(run), st.Encode(record.SeqKey(run))); err != nil {
			return err
		}
	}
	if c.now.old {
		c.times.Good = c.now.wall // the last time, not the highest one: a clock that was ahead may have been corrected
	}
	c.times.Wrote = c.now.wall
	return tx.Bucket(file.BucketMeta).Put(record.KeyClock, c.times.Encode())
}
