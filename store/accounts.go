package store

import (
	"maps"
	"slices"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// accounts has the accounts of all objects. A sample counts when it is durable or accepted by every integration. A
// gap counts when its row is in the file. So after a kill the file accounts only for samples and gaps that it has.
type accounts struct {
	samples map[record.Accounted]record.Account
	gaps    map[record.Accounted]record.Account // of gaps with a row in the file
	rows    map[record.Accounted]record.Account // of gaps whose row is not in the file yet
	waiting []waitingAccounts                   // of samples that are not durable, in the order of their sweeps
	kept    map[record.Accounted]bool           // the only objects that are accounted for; nil: all
	changed bool
	version uint64 // counts changes of samples and gaps
	noted   uint64 // the version that the note has
}

type waitingAccounts struct {
	until uint64 // the accounts count the sweeps before this number
	list  map[record.Accounted]record.Account
	rows  bool // a row about a gap before these sweeps may not be in the file yet
}

func newAccounts() accounts {
	return accounts{samples: map[record.Accounted]record.Account{}, gaps: map[record.Accounted]record.Account{},
		rows: map[record.Accounted]record.Account{}}
}

// AccountSamples records, for each object, a time. Up to this time each due moment has a sample that was offered, or
// that no integration wants.
func (s *Store) AccountSamples(list map[record.Accounted]record.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts.drop(list)
	s.accounts.waiting = append(s.accounts.waiting, waitingAccounts{s.next, list, s.integrations.haveNewGaps()})
	s.accounts.ripen(s)
}

// AccountGaps records the same for gaps that were written to the log so far.
func (s *Store) AccountGaps(list map[record.Accounted]record.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts.drop(list)
	record.MergeAccounts(s.accounts.rows, list)
	for _, it := range s.integrations {
		if len(list) > 0 && it.owesGapRows() {
			it.newGap = true
			s.settledLateLocked()
		}
	}
}

// Accounts returns, for each object, the time up to which it was accounted for when this run began.
func (s *Store) Accounts() map[record.Accounted]record.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts.all()
}

// KeepAccounts forgets all objects but these, and ignores later accounts of others: an object that is no longer sampled
// has no missing samples.
func (s *Store) KeepAccounts(sampled map[record.Accounted]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lists := []map[record.Accounted]record.Account{s.accounts.samples, s.accounts.gaps, s.accounts.rows}
	for _, w := range s.accounts.waiting {
		lists = append(lists, w.list)
	}
	s.accounts.kept = sampled
	dropped := false
	for _, list := range lists {
		dropped = s.accounts.drop(list) || dropped
	}
	if dropped { // in the file too, even if no sample is taken in this run
		s.accounts.changed = true
		s.accounts.version++
		s.touchLocked()
	}
}

// drop removes the objects that are not kept from a list, and reports whether there were any.
func (b *accounts) drop(list map[record.Accounted]record.Account) bool {
	before := len(list)
	maps.DeleteFunc(list, func(k record.Accounted, _ record.Account) bool { return b.kept != nil && !b.kept[k] })
	return len(list) < before
}

// all returns the accounts of everything that is in the file, or accepted by every integration.
func (b *accounts) all() map[record.Accounted]record.Account {
	out := maps.Clone(b.samples)
	record.MergeAccounts(out, b.gaps)
	return out
}

// ripen counts the waiting accounts up to the first sweep for which an integration waits.
func (b *accounts) ripen(s *Store) {
	owed := slices.IndexFunc(s.offered, func(f *offered) bool { return !f.refused && s.integrations.waitFor(f) })
	b.count(s, owed)
}

// count counts the accounts of the fresh sweeps before the index at. If at is below zero, it counts those of all.
// Refused sweeps are already gaps.
func (b *accounts) count(s *Store, at int) {
	until := s.next
	if at >= 0 && at < len(s.offered) {
		until = s.offered[at].seq
	}
	for len(b.waiting) > 0 && b.waiting[0].until <= until {
		w := b.waiting[0]
		if f := s.offered.find(w.until - 1); f != nil && f.refused || w.rows && s.integrations.haveNewGaps() {
			record.MergeAccounts(b.rows, w.list)
		} else if record.MergeAccounts(b.samples, w.list) {
			b.changed = true
			b.version++
		}
		b.waiting = b.waiting[1:]
	}
}

// takeAccounts takes the accounts that the commit writes. They include those of the commit's own sweeps, and those of
// its rows if the commit writes all rows about gaps.
func (c *commit) takeAccounts() {
	b := &c.store.accounts
	b.ripen(c.store)
	list := b.all()
	for _, w := range b.waiting {
		f := c.offered.find(w.until - 1)
		if f == nil {
			break
		}
		if !f.refused && !(w.rows && c.store.integrations.haveNewGaps()) {
			record.MergeAccounts(list, w.list)
		}
	}
	if !c.store.integrations.haveNewGaps() {
		c.gapAccounts = maps.Clone(b.rows)
		record.MergeAccounts(list, c.gapAccounts)
	}
	if b.changed || len(c.offered) > 0 || len(c.gapAccounts) > 0 {
		c.accounts = list
	}
	b.changed = false
}

// finishAccounts counts the accounts of the commit's rows. releaseLocked counts those of the commit's sweeps.
func (c *commit) finishAccounts() {
	b := &c.store.accounts
	b.drop(c.gapAccounts)
	if record.MergeAccounts(b.gaps, c.gapAccounts) {
		b.version++
	}
	for key, a := range c.gapAccounts {
		if b.rows[key] == a {
			delete(b.rows, key)
		}
	}
}

// putAccounts writes the accounts if they have changed.
func (c *commit) putAccounts(tx *bolt.Tx) error {
	if c.accounts == nil {
		return nil
	}
	return tx.Bucket(file.BucketMeta).Put(record.KeyAccounts, c.store.names.EncodeAccounts(tx.ID(), c.accounts))
}
