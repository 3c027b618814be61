package store

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Account says up to when an object is accounted for: each moment at which it was due until then is a sample or a gap that the
// store has. What was due after that, and before the first sample of the next run, nobody has.
type Account struct {
	Until Instant
	Every time.Duration // the log interval then
}

// newer reports whether an account reaches further than another.
func (a Account) newer(than Account) bool {
	if a.Until.Run != than.Until.Run {
		return a.Until.Run > than.Until.Run
	}
	return than.Until.before(a.Until)
}

// Accounted is one object of a unit.
type Accounted struct{ Unit, Object string }

// accounts are those of all objects. A sample counts when it is durable or accepted by everybody, a gap when its row is in the
// file: a kill must not leave the file with an account of what it does not have.
type accounts struct {
	samples map[Accounted]Account
	gaps    map[Accounted]Account // of rows that are in the file
	rows    map[Accounted]Account // of rows that are not
	waiting []waitingAccounts     // of samples that are not durable, in the order of their sweeps
	changed bool
	version uint64 // counts changes of samples and gaps
	noted   uint64 // the version that the note has
}

type waitingAccounts struct {
	until uint64 // number of the first sweep that they are not about
	list  map[Accounted]Account
	rows  bool // a new row about a gap before them may not be in the file yet
}

func newAccounts() accounts {
	return accounts{samples: map[Accounted]Account{}, gaps: map[Accounted]Account{}, rows: map[Accounted]Account{}}
}

// AccountSamples notes up to when objects are accounted for by samples: those offered so far, and such as nobody is to get.
func (s *Store) AccountSamples(list map[Accounted]Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts.waiting = append(s.accounts.waiting, waitingAccounts{s.next, list, s.hasNewGaps()})
	s.accounts.ripen(s)
}

// AccountGaps notes the same of gaps that were written to the log so far.
func (s *Store) AccountGaps(list map[Accounted]Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	put(s.accounts.rows, list)
	for _, it := range s.integrations {
		if len(list) > 0 && it.owesGapRows() {
			it.newGap = true
			s.settledLate()
		}
	}
}

// Accounts returns up to when each object was accounted for when this run began.
func (s *Store) Accounts() map[Accounted]Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts.all()
}

// KeepAccounts forgets units that are no longer in the configuration: nothing of them is missing.
func (s *Store) KeepAccounts(units map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range []map[Accounted]Account{s.accounts.samples, s.accounts.gaps, s.accounts.rows} {
		maps.DeleteFunc(m, func(k Accounted, _ Account) bool { return !units[k.Unit] })
	}
	s.accounts.changed = true
}

// put adds accounts where they are newer.
func put(to, from map[Accounted]Account) (changed bool) {
	for key, a := range from {
		if old, known := to[key]; !known || a.newer(old) {
			to[key], changed = a, true
		}
	}
	return changed
}

// all are those that are true of the file and of what everybody has.
func (b *accounts) all() map[Accounted]Account {
	out := maps.Clone(b.samples)
	put(out, b.gaps)
	return out
}

// ripen counts what is waiting as far as nobody waits for a sweep before it. s.mu is held, as for all below.
func (b *accounts) ripen(s *Store) {
	owed := slices.IndexFunc(s.fresh, func(f *fresh) bool { return !f.refused && s.owed(f) })
	b.count(s, owed)
}

// count counts what is about fresh sweeps before the one at an index, or all; below zero: all. What was refused is a gap by now.
func (b *accounts) count(s *Store, at int) {
	until := s.next
	if at >= 0 && at < len(s.fresh) {
		until = s.fresh[at].seq
	}
	for len(b.waiting) > 0 && b.waiting[0].until <= until {
		w := b.waiting[0]
		if f := findFresh(s.fresh, w.until-1); f != nil && f.refused || w.rows && s.hasNewGaps() {
			put(b.rows, w.list)
		} else if put(b.samples, w.list) {
			b.changed = true
			b.version++
		}
		b.waiting = b.waiting[1:]
	}
}

// takeAccounts takes what the commit writes: also of its own sweeps, and of its rows if it leaves none about gaps behind.
func (c *commit) takeAccounts() {
	b := &c.store.accounts
	b.ripen(c.store)
	list := b.all()
	for _, w := range b.waiting {
		f := findFresh(c.fresh, w.until-1)
		if f == nil {
			break
		}
		if !f.refused && !(w.rows && c.store.hasNewGaps()) {
			put(list, w.list)
		}
	}
	if !c.store.hasNewGaps() {
		c.gapAccounts = maps.Clone(b.rows)
		put(list, c.gapAccounts)
	}
	if b.changed || len(c.fresh) > 0 || len(c.gapAccounts) > 0 {
		c.accounts = list
	}
	b.changed = false
}

// hasNewGaps reports whether a new row about a gap waits for a commit.
func (s *Store) hasNewGaps() bool {
	for _, it := range s.integrations {
		if it.newGap {
			return true
		}
	}
	return false
}

// owesGapRows reports whether any row about a gap waits for a commit.
func (it *integration) owesGapRows() bool {
	for _, w := range it.dirty {
		if w.isGap() {
			return true
		}
	}
	return false
}

// finishAccounts makes true what the commit's rows brought; its sweeps are released.
func (c *commit) finishAccounts() {
	b := &c.store.accounts
	if put(b.gaps, c.gapAccounts) {
		b.version++
	}
	for key, a := range c.gapAccounts {
		if b.rows[key] == a {
			delete(b.rows, key)
		}
	}
}

// The record of the accounts: the clocks that they refer to, then by unit the objects. An account is a clock, and the time since its boot.
const accountsVersion byte = 1

var keyAccounts = []byte("accounts")

// clockKey is what accounts of one run and clock have in common.
type clockKey struct {
	run    uint64
	booted int64 // unix ms of the boot, by the clock of then; what the clock showed, for want of an uptime
	unsure bool
	uptime bool // it is known
}

func clockOf(in Instant) clockKey {
	if in.Uptime < 0 {
		return clockKey{in.Run, 0, in.Unsure, false}
	}
	return clockKey{in.Run, in.At.UnixMilli() - in.Uptime.Milliseconds(), in.Unsure, true}
}

// encodeAccounts returns the sealed record. A salvage goes by the number of the commit.
func (d *dictionary) encodeAccounts(commit int, all map[Accounted]Account) []byte {
	var clocks []clockKey
	for _, a := range all {
		if k := clockOf(a.Until); !slices.Contains(clocks, k) {
			clocks = append(clocks, k)
		}
	}
	slices.SortFunc(clocks, func(a, b clockKey) int { return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.booted, b.booted)) })
	dst := binary.AppendUvarint([]byte{accountsVersion}, uint64(commit))
	dst = binary.AppendUvarint(dst, uint64(len(clocks)))
	for _, k := range clocks {
		dst = append(binary.AppendUvarint(dst, k.run), bit(k.unsure)|bit(k.uptime)<<1)
		dst = binary.AppendVarint(dst, k.booted)
	}
	dst = binary.AppendUvarint(dst, uint64(len(all)))
	before := int64(0)
	for _, key := range slices.SortedFunc(maps.Keys(all), compareAccounted) {
		a := all[key]
		clock := clockOf(a.Until)
		ms := a.Until.At.UnixMilli() - clock.booted
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, d.text(key.Unit)), d.text(key.Object))
		dst = binary.AppendUvarint(dst, uint64(a.Every.Milliseconds()))
		dst = binary.AppendUvarint(dst, uint64(slices.Index(clocks, clock)))
		dst = binary.AppendVarint(dst, ms-before)
		before = ms
	}
	return seal(keyAccounts, dst)
}

func compareAccounted(a, b Accounted) int {
	return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Object, b.Object))
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// decodeAccounts is the inverse. A record that does not read is none.
func decodeAccounts(ns names, sealed []byte) map[Accounted]Account {
	value, ok := unseal(keyAccounts, sealed)
	r := &reader{b: value}
	out := map[Accounted]Account{}
	if !ok || r.byte() != accountsVersion {
		return out
	}
	r.uvarint()
	clocks := make([]clockKey, r.count())
	for i := range clocks {
		clocks[i].run = r.uvarint()
		flags := r.byte()
		clocks[i].unsure, clocks[i].uptime = flags&1 != 0, flags&2 != 0
		clocks[i].booted = r.varint()
	}
	before := int64(0)
	for range r.count() {
		key := Accounted{Unit: ns.text(r), Object: ns.text(r)}
		every := time.Duration(r.uvarint()) * time.Millisecond
		i := r.uvarint()
		before += r.varint()
		if i >= uint64(len(clocks)) || key.Object == "" {
			continue
		}
		k := clocks[i]
		in := Instant{Run: k.run, At: time.UnixMilli(k.booted + before).UTC(), Uptime: -1, Unsure: k.unsure}
		if k.uptime {
			in.Uptime = time.Duration(before) * time.Millisecond
		}
		out[key] = Account{Until: in, Every: every}
	}
	if !r.done() {
		return map[Accounted]Account{}
	}
	return out
}

// putAccounts writes them when they have changed.
func (c *commit) putAccounts(tx *bolt.Tx) error {
	if c.accounts == nil {
		return nil
	}
	return tx.Bucket(bucketMeta).Put(keyAccounts, c.store.names.encodeAccounts(tx.ID(), c.accounts))
}

// accountsOf returns the number of the commit that wrote a record of accounts; false: it is none.
func accountsOf(sealed []byte) (commit uint64, ok bool) {
	value, ok := unseal(keyAccounts, sealed)
	r := &reader{b: value}
	if !ok || r.byte() != accountsVersion {
		return 0, false
	}
	return r.uvarint(), true
}
