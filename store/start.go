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

// beginning is the state of a store at its start: the image of the file, the integrations, and the additions of the
// note.
type beginning struct {
	*file.Image
	integrations integrations
	noted        []uint64                            // runs that are only in the note
	own          map[record.Accounted]record.Account // accounts without those of the note
	known        []string                            // integrations of the run before, by its note
}

// takeIntegrations makes the integrations from the cursors and the rows.
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
			w.Store = cmp.Or(w.Store, m.Identity.Of(w.Seq)) // in old rows the place shows the store
			it.dead[w.ID] = w
		})
		it.gapsKept = m.EachRow(tx, file.BucketGaps, id, it.reload)
	}
}

// identityLocked is the identity as it is now.
func (s *Store) identityLocked() record.Identity {
	return record.Identity{ID: s.id, Run: s.run, Device: s.device, Origins: s.origins}
}

// lostResult is the error of a row whose sample is settled and whose last result is not known: rows are written less
// often than cursors.
const lostResult = "Unknown: the sample is settled; how its last attempt ended was lost in a restart"

// routed returns where a delivery waits: in the integration or in its lane. Only the sweep shows this, because faults
// and alarms do not go into a lane that is closed and not empty.
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

// reopen takes over a row whose delivery was still being retried at the last commit. by is the integration or the lane
// that has the delivery.
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
		m = &beginning{Image: found, integrations: integrations{}}
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
		s.fileBytes, s.freeBytes = tx.Size(), freeBytes(s.path)
		return tx.Bucket(file.BucketMeta).Put(record.KeyIdentity, m.Identity.Encode())
	})
	return m, err
}

// adoptNote takes the data of the note that the file does not have. The note may be of another store; run numbers are
// never used twice. runs is the highest run number used elsewhere. A note of a later run is refused. New data goes into
// the file at once, because a power cut in this run deletes the note.
func (m *beginning) adoptNote(tx *bolt.Tx, n record.Note, runs uint64) error {
	m.own = maps.Clone(m.Accounts)
	other := n.Run > m.Identity.Run // another store has run after this one
	m.Identity.Run = max(m.Identity.Run, runs)
	if len(n.Accounts) == 0 || n.Run > m.Identity.Run {
		return nil
	}
	if other && n.Good != 0 {
		m.Times.Good = n.Good // the last time, not the highest one: see putClock
	}
	news := record.MergeAccounts(m.Accounts, n.Accounts)
	m.known = n.Integrations
	m.Identity.Device = cmp.Or(m.Identity.Device, n.Device)
	for run, start := range n.Starts {
		if _, known := m.Starts[run]; !known {
			m.Starts[run] = start
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

// spreadBoots gives all runs of one boot the time of the boot, if one of them has it: a store in memory may have learnt
// it.
func (m *beginning) spreadBoots(b *bolt.Bucket) error {
	known := map[string]int64{}
	for _, run := range slices.Sorted(maps.Keys(m.Starts)) { // the last run has the best time
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

// namedRuns returns the runs of which accounts, or gaps that wait for the clock, still need a time.
func (m *beginning) namedRuns() map[uint64]bool {
	named := map[uint64]bool{}
	// own is for the time without an agent before an outbox in memory.
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
