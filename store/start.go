package store

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// beginning is what a start makes of a file: the image, the running integrations, and what the note adds.
type beginning struct {
	*file.Image
	integrations map[string]*integration
	noted        []uint64                            // runs that only the note knows
	own          map[record.Accounted]record.Account // without those of the note
	known        []string                            // integrations of the run before, by its note
}

// takeIntegrations makes integrations of the cursors and their rows.
func (m *beginning) takeIntegrations(tx *bolt.Tx) {
	for id, c := range m.Cursors {
		it := integrationOf(*c)
		it.modified, it.traffic = false, m.Traffic[id]
		m.integrations[id] = it
	}
	m.linkLanes()
	for id, it := range m.integrations {
		it.rowCount = m.EachRow(tx, file.BucketTriggers, id, func(w *record.Row) {
			if w.Open {
				it.reopen(w, m.routed(tx, it, w.Place))
			}
		})
		m.EachRow(tx, file.BucketDead, id, func(w *record.Row) {
			w.Store = cmp.Or(w.Store, m.Identity.Of(w.Seq)) // old rows are known by their place
			it.dead[w.ID] = w
		})
		it.gapsKept = m.EachRow(tx, file.BucketGaps, id, it.reload)
	}
}

// identityLocked is the identity as it is now.
func (s *Store) identityLocked() record.Identity {
	return record.Identity{ID: s.id, Run: s.run, Device: s.device, Origins: s.origins}
}

// lostResult is the error of a row whose sample is settled and whose last result is not known:
// rows are written less often than cursors.
const lostResult = "Unknown: the sample is settled; how its last attempt ended was lost in a restart"

// routed returns which of the two has a delivery, the integration or its lane. Only the sweep says which: while a lane
// is closed and not empty, faults and alarms do not go into it.
func (m *beginning) routed(tx *bolt.Tx, it *integration, at record.Place) *integration {
	if it.lane == nil {
		return it
	}
	key := record.SeqKey(at.Seq)
	h, ok := record.Peek(m.Names.Published(), key, tx.Bucket(file.BucketSweeps).Get(key))
	if ok && h.Of(it.lane.ID).Has(at.Index) {
		return it.lane
	}
	return it
}

// reopen takes over a row that was still being retried when the file was last written, by the cursor of who has the
// delivery.
func (it *integration) reopen(w *record.Row, by *integration) {
	if w.Seq >= by.At && !by.Settled[w.Seq].Has(w.Index) {
		it.open[w.Place] = w
		return
	}
	w.Open, w.Error = false, lostResult
	it.dirty.put(w)
}

// start reads the file and counts the run, on a full disk without its ballast.
func (s *Store) start() error {
	m, err := s.countRun(file.Restore)
	if err != nil && file.Full(err) {
		m, err = s.countRun(file.Release)
	}
	if err != nil {
		return err
	}
	if m.BadTotals || len(m.BadCursors) > 0 || m.BadNames > 0 || m.BadRows > 0 {
		s.opts.Logger.Error("store has damaged records", "totals", m.BadTotals, "cursors", m.BadCursors,
			"names", m.BadNames, "rows", m.BadRows)
	}
	s.id, s.run, s.device, s.origins = m.Identity.ID, m.Identity.Run, m.Identity.Device, m.Identity.Origins
	s.totals, s.integrations, s.next = m.Totals, m.integrations, m.Totals.Next
	s.lastWritten = s.next
	s.accounts = newAccounts()
	s.accounts.samples, s.known, s.own = m.Accounts, m.known, m.own
	s.starts, s.times = m.Starts, m.Times
	for _, it := range s.integrations {
		it.store = s
		s.dirtyRows += it.dirty.size()
	}
	s.names.Take(&m.Names)
	return nil
}

func (s *Store) countRun(b file.Ballast) (m *beginning, err error) {
	err = s.update(func(tx *bolt.Tx) (err error) {
		found, err := file.Load(tx)
		if err != nil {
			return err
		}
		m = &beginning{Image: found, integrations: map[string]*integration{}}
		m.takeIntegrations(tx)
		if err := b.Move(tx); err != nil {
			return err
		}
		m.Repair(tx)
		for id, c := range m.Cursors { // as repaired
			m.integrations[id].Backlog, m.integrations[id].modified = c.Backlog, m.Repaired
		}
		if err := m.adoptNote(tx, readNote(s.opts.Note), s.opts.Runs); err != nil {
			return err
		}
		m.Identity.Run++
		if err := tx.Bucket(file.BucketMeta).Put(record.KeyTotals, m.Totals.Encode()); err != nil {
			return err
		}
		oldest := m.Identity.Run
		if k, v := tx.Bucket(file.BucketSweeps).Cursor().First(); k != nil {
			h, ok := record.Peek(m.Names.Published(), k, v)
			s.tail = &h
			if oldest = 0; ok {
				oldest = h.Run
			}
		}
		if err := m.beginRun(tx, s.opts, oldest); err != nil {
			return err
		}
		s.fileBytes = tx.Size()
		return tx.Bucket(file.BucketMeta).Put(record.KeyIdentity, m.Identity.Encode())
	})
	return m, err
}

// adoptNote takes from the note what the file does not know. The note may be that of another store: the numbers of runs
// are never used twice, and runs are those that were counted elsewhere. A note of a later run is refused. What is new
// goes into the file at once: a power cut in this run deletes the note.
func (m *beginning) adoptNote(tx *bolt.Tx, n note, runs uint64) error {
	m.own = maps.Clone(m.Accounts)
	other := n.Run > m.Identity.Run // another store has worked since this one
	m.Identity.Run = max(m.Identity.Run, runs)
	if len(n.Accounts) == 0 || n.Run > m.Identity.Run {
		return nil
	}
	if other && n.Good != 0 {
		m.Times.Good = n.Good // the last one, not the latest: see putClock
	}
	news := record.MergeAccounts(m.Accounts, n.Accounts)
	m.known = n.Integrations
	m.Identity.Device = cmp.Or(m.Identity.Device, n.Device)
	for run, r := range n.Runs {
		if _, known := m.Starts[run]; !known {
			m.Starts[run] = record.Start{Boot: r.Boot, Booted: r.Booted, Floor: r.Floor}
			m.noted = append(m.noted, run)
		}
	}
	if !news {
		return nil
	}
	accounts := m.Names.EncodeAccounts(tx.ID(), m.Accounts)
	m.Totals.Names = uint64(m.Names.Size())
	return errors.Join(m.Names.Put(tx.Bucket(file.BucketNames).Put),
		tx.Bucket(file.BucketMeta).Put(record.KeyAccounts, accounts))
}

// beginRun notes the run that begins, and forgets those before the oldest sweep's.
func (m *beginning) beginRun(tx *bolt.Tx, o Options, oldest uint64) error {
	b := tx.Bucket(file.BucketRuns)
	run, named := m.Identity.Run, m.namedRuns()
	this := record.Start{Boot: o.Clock.Boot, Floor: max(m.Times.Good, record.UnixMilli(o.Clock.Floor))}
	if err := m.spreadBoots(b); err != nil {
		return err
	}
	for n, s := range m.Starts {
		if s.Boot == this.Boot && this.Boot != "" {
			this.Booted = s.Booted
		}
		if n < oldest && !named[n] {
			delete(m.Starts, n)
			if err := b.Delete(record.SeqKey(n)); err != nil {
				return err
			}
		}
	}
	for _, n := range m.noted {
		if st, kept := m.Starts[n]; kept {
			if err := b.Put(record.SeqKey(n), st.Encode(record.SeqKey(n))); err != nil {
				return err
			}
		}
	}
	m.Starts[run] = this
	return b.Put(record.SeqKey(run), this.Encode(record.SeqKey(run)))
}

// spreadBoots has all runs of one boot know its time when one of them does: a store in memory may have learnt it.
func (m *beginning) spreadBoots(b *bolt.Bucket) error {
	known := map[string]int64{}
	for _, run := range slices.Sorted(maps.Keys(m.Starts)) { // the last run knows best
		if s := m.Starts[run]; s.Boot != "" && s.Booted != 0 {
			known[s.Boot] = s.Booted
		}
	}
	for run, s := range m.Starts {
		if s.Booted != 0 || known[s.Boot] == 0 {
			continue
		}
		s.Booted = known[s.Boot]
		m.Starts[run] = s
		if err := b.Put(record.SeqKey(run), s.Encode(record.SeqKey(run))); err != nil {
			return err
		}
	}
	return nil
}

// namedRuns are those of which something is to get its time yet: accounts, and gaps that wait for the clock.
func (m *beginning) namedRuns() map[uint64]bool {
	named := map[uint64]bool{}
	// own is for the dark time before an outbox in memory.
	for _, accounts := range []map[Accounted]Account{m.Accounts, m.own} {
		for _, a := range accounts {
			named[a.Until.Run] = true
		}
	}
	for _, it := range m.integrations {
		for _, w := range it.undated {
			named[w.Undated.Begins.Run], named[w.Undated.Ends.Run] = true, true
		}
	}
	return named
}
