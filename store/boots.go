package store

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Clock is what the store has to know of time beside Options.Now. A gateway's clock may be wrong
// by decades until the network has set it; how long the machine has been up is always right.
type Clock struct {
	// Boot names the boot of the machine, as in /proc/sys/kernel/random/boot_id; "": not known.
	Boot string
	// Uptime is the time since that boot, with what the machine slept. nil: not known.
	Uptime func() time.Duration
	// Good reports whether Now can be trusted. nil: always.
	Good func() bool
	// Old reports whether what was taken in earlier boots may be old by Now: it may have come too far. nil: whenever it is good.
	Old func() bool
	// Floor is a time that cannot lie in the future, such as the date of the build. Zero: none.
	Floor time.Time
}

// good reports whether Now can be trusted.
func (c Clock) good() bool { return c.Good == nil || c.Good() }

// old reports whether it can be trusted with what is past.
func (c Clock) old() bool {
	if c.Old == nil {
		return c.good()
	}
	return c.Old()
}

// start is what the store knows of one run: in which boot it was, and what was known of time.
type start struct {
	boot   string
	booted int64 // unix ms of the boot, by a clock that was right; 0: not known
	floor  int64 // unix ms; no sample of the run is older
}

// startKind begins the record of a run, and no other kind of record.
const startKind byte = 'R'

func (r start) encode(key []byte) []byte {
	dst := appendText([]byte{startKind}, r.boot)
	return seal(key, binary.AppendVarint(binary.AppendVarint(dst, r.booted), r.floor))
}

func decodeStart(key, sealed []byte) (start, bool) {
	value, ok := unseal(key, sealed)
	r := &reader{b: value}
	if !ok || r.byte() != startKind {
		return start{}, false
	}
	s := start{boot: r.text(), booted: r.varint(), floor: r.varint()}
	return s, r.done()
}

// loadStarts reads what is known of the runs of which samples are left. What does not read is not known.
func loadStarts(b *bolt.Bucket) map[uint64]start {
	out := map[uint64]start{}
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		run, ok := keySeq(k)
		if s, reads := decodeStart(k, v); ok && reads {
			out[run] = s
		}
	}
	return out
}

// beginRun notes the run that begins, and forgets those before the oldest sweep's.
func (m *image) beginRun(tx *bolt.Tx, o Options, oldest uint64) error {
	b := tx.Bucket(bucketRuns)
	run, named := m.identity.run, m.namedRuns()
	this := start{boot: o.Clock.Boot, floor: max(m.times.good, unixMilli(o.Clock.Floor))}
	if err := m.spreadBoots(b); err != nil {
		return err
	}
	for n, s := range m.starts {
		if s.boot == this.boot && this.boot != "" {
			this.booted = s.booted
		}
		if n < oldest && !named[n] {
			delete(m.starts, n)
			if err := b.Delete(seqKey(n)); err != nil {
				return err
			}
		}
	}
	for _, n := range m.noted {
		if st, kept := m.starts[n]; kept {
			if err := b.Put(seqKey(n), st.encode(seqKey(n))); err != nil {
				return err
			}
		}
	}
	m.starts[run] = this
	return b.Put(seqKey(run), this.encode(seqKey(run)))
}

// spreadBoots has all runs of one boot know its time when one of them does: a store in memory may have learnt it.
func (m *image) spreadBoots(b *bolt.Bucket) error {
	known := map[string]int64{}
	for _, run := range slices.Sorted(maps.Keys(m.starts)) { // the last run knows best
		if s := m.starts[run]; s.boot != "" && s.booted != 0 {
			known[s.boot] = s.booted
		}
	}
	for run, s := range m.starts {
		if s.booted != 0 || known[s.boot] == 0 {
			continue
		}
		s.booted = known[s.boot]
		m.starts[run] = s
		if err := b.Put(seqKey(run), s.encode(seqKey(run))); err != nil {
			return err
		}
	}
	return nil
}

// namedRuns are those of which something is to get its time yet: accounts, and gaps that wait for the clock.
func (m *image) namedRuns() map[uint64]bool {
	named := map[uint64]bool{}
	for _, accounts := range []map[Accounted]Account{m.accounts, m.own} { // own: for the dark time before an outbox in memory
		for _, a := range accounts {
			named[a.Until.Run] = true
		}
	}
	for _, it := range m.integrations {
		for _, w := range it.undated {
			named[w.undated.Begins.Run], named[w.undated.Ends.Run] = true, true
		}
	}
	return named
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// SetBooted tells when this boot was, by a clock that is right now: samples of this boot that were
// taken before can be mended from then on, also after the machine was started again. It is written
// with the next commit.
func (s *Store) SetBooted(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.Clock.Boot == "" || s.usable() != nil {
		return
	}
	for run, st := range s.starts {
		if st.boot == s.opts.Clock.Boot && st.booted != at.UnixMilli() {
			st.booted = at.UnixMilli()
			s.starts[run] = st
			s.newStarts[run] = st
		}
	}
	if len(s.newStarts) > 0 {
		s.dateGaps()
		s.touch()
	}
}

// LastGood returns the last time known to be right, kept over restarts, or what Clock.Floor says
// where that is later. Zero: neither is known.
func (s *Store) LastGood() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fromMilli(max(s.times.good, unixMilli(s.opts.Clock.Floor)))
}

// Booted returns when this boot was, as SetBooted had it last, in this run or an earlier one of the same
// boot. Zero: not known.
func (s *Store) Booted() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fromMilli(s.starts[s.run].booted)
}

// undated is since when an integration is gone that was removed by a clock nobody could trust.
var undated = time.UnixMilli(1).UTC()

// orphanTime is since when an integration that is removed now counts as gone.
func (s *Store) orphanTime() time.Time {
	if !s.opts.Clock.good() {
		return undated
	}
	return toMilli(s.opts.Now())
}

// dateOrphans gives those that are undated the first time that is known to be right. s.mu is held.
func (s *Store) dateOrphans(now time.Time) {
	for _, it := range s.integrations {
		if it.orphanedAt.Equal(undated) {
			it.orphanedAt, it.modified = toMilli(now), true
		}
	}
}

// stamp adds what is known of the run in which a sample was taken. s.mu is held.
func (s *Store) stamp(run uint64, p Stamp) Stamp {
	st := s.starts[run]
	p.SameBoot = st.boot != "" && st.boot == s.opts.Clock.Boot
	p.Booted, p.Floor = fromMilli(st.booted), fromMilli(st.floor)
	return p
}

// putClock writes the runs that changed, and the time when it is known to be right.
func (c *commit) putClock(tx *bolt.Tx) error {
	for run, st := range c.starts {
		if err := tx.Bucket(bucketRuns).Put(seqKey(run), st.encode(seqKey(run))); err != nil {
			return err
		}
	}
	if c.now.old {
		c.times.good = c.now.wall // the last one, not the latest: a clock that was ahead may have been put right
	}
	c.times.wrote = c.now.wall
	return tx.Bucket(bucketMeta).Put(keyClock, c.times.encode())
}

// times are what the store keeps of time itself, unix ms; 0: not known.
type times struct {
	good  int64 // the last time known to be right
	wrote int64 // the last commit, by the clock as it was
}

func (t times) encode() []byte {
	return seal(keyClock, binary.AppendVarint(binary.AppendVarint([]byte{metaVersion}, t.good), t.wrote))
}

// decodeTimes reads the record; one that does not read is not known.
func decodeTimes(sealed []byte) times {
	value, ok := unseal(keyClock, sealed)
	r := &reader{b: value}
	if !ok || r.byte() != metaVersion {
		return times{}
	}
	if t := (times{good: r.varint(), wrote: r.varint()}); r.done() {
		return t
	}
	return times{}
}

// moment is a point in time as far as the store can tell: unix ms by the clock, and whether that
// counts for what is past; ms since the boot, below zero when not known.
type moment struct {
	wall   int64
	old    bool
	uptime int64
}

func (s *Store) moment() moment {
	m := moment{wall: s.opts.Now().UnixMilli(), old: s.opts.Clock.old(), uptime: -1}
	if s.opts.Clock.Uptime != nil {
		m.uptime = s.opts.Clock.Uptime().Milliseconds()
	}
	return m
}

// age is how old a sweep is, in ms, at a moment; 0 when nobody can tell. Within one boot the
// clock does not matter. Across boots the clock has to be right, and the sample has the time that it has
// everywhere (Stamp.Time): a clock that jumps makes no sample
// old before its time. s.mu is held.
func (s *Store) age(h *heading, now moment) int64 {
	st := s.starts[h.run]
	switch {
	case h.uptime >= 0 && now.uptime >= 0 && st.boot != "" && st.boot == s.opts.Clock.Boot:
		return now.uptime - h.uptime
	case !now.old:
		return 0
	}
	at, _ := s.dateOf(h.instant())
	return now.wall - at.UnixMilli()
}
