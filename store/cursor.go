package store

import (
	"maps"
	"noi-agent/store/internal/record"
	"slices"
)

const (
	// maxWindow is how many sweeps from the first unsettled one on may be in the window. It limits the memory (about
	// 100 bytes per sweep) and the cursor's record if one sample is never accepted.
	maxWindow = 4096
)

// integration is what the store knows of one destination. Decisions (settled, deleted) apply here at once, and the next
// commit writes them to the file. Guarded by Store.mu but for the counts of rows in the file. Methods that end in
// Locked also need the store.
type integration struct {
	record.Cursor
	store      *Store
	main, lane *integration // main: the integration of a lane; lane: the lane of an integration. nil: none
	split      bool         // faults and alarms go into the lane

	// Every sweep before scanned was read. The window has those with unsettled samples for this integration, ascending.
	// Sweeps from scanned on were not read yet; Settled has the samples of them that earlier runs settled.
	scanned uint64
	window  []entry

	behind bool // the integration catches up: it has settled samples older than the last commit, and others still wait

	replayed uint64 // in this run
	traffic  record.Meter
	oldest   record.Instant // of the oldest unsettled sweep that was read

	rowLog

	changed  chan struct{} // closed when there is a new sample
	modified bool          // the record must be written
}

// entry is a sweep with samples that an integration must still send.
type entry struct {
	seq             uint64
	at              record.Instant
	picked, settled record.Bitset
	left            int // picked and not settled
}

// newIntegration returns an integration that gets the sweeps from the next one on.
func newIntegration(s *Store, id, topic string) *integration {
	it := integrationOf(record.NewCursor(id, topic, s.next))
	it.store = s
	return it
}

// integrationOf returns an integration that continues from a cursor.
func integrationOf(c record.Cursor) *integration {
	return &integration{Cursor: c, scanned: c.At, rowLog: newRowLog(), changed: make(chan struct{}), modified: true}
}

// snapshot returns the cursor for a commit. unwritten is the number of samples of the backlog that will not be in the
// file.
func (it *integration) snapshot(unwritten uint64) record.Cursor {
	c := it.Cursor
	c.Backlog -= min(unwritten, c.Backlog)
	c.Settled = maps.Clone(it.Settled)
	for _, e := range it.window {
		if e.settled.Count() > 0 {
			c.Settled[e.seq] = e.settled
		}
	}
	return c
}

// find returns the window's entry of a sweep, nil when it has none.
func (it *integration) find(seq uint64) *entry {
	i, ok := slices.BinarySearchFunc(it.window, seq, compareEntry)
	if !ok {
		return nil
	}
	return &it.window[i]
}

func compareEntry(e entry, seq uint64) int {
	switch {
	case e.seq < seq:
		return -1
	case e.seq > seq:
		return 1
	}
	return 0
}

// seen is how many unsettled deliveries the window holds.
func (it *integration) seen() uint64 {
	n := 0
	for i := range it.window {
		n += it.window[i].left
	}
	return uint64(n)
}

// complete reports whether the window has the whole backlog, so that the file need not be read.
func (it *integration) complete() bool { return it.seen() == it.Backlog }

// enter takes a sweep into the window: it was read, and has samples for this integration.
func (it *integration) enter(seq uint64, at record.Instant, picked record.Bitset) {
	e := entry{seq: seq, at: at, picked: picked, settled: record.NewBitset(len(picked) * 8)}
	if before, ok := it.Settled[seq]; ok {
		e.settled = picked.And(before)
		delete(it.Settled, seq)
	}
	e.left = picked.Count() - e.settled.Count()
	it.window = append(it.window, e)
}

// settle marks one delivery of an entry; false when it is not pending.
func (it *integration) settle(e *entry, index int) bool {
	if !e.pending(index) {
		return false
	}
	e.settled.Set(index)
	e.left--
	it.reduce(1)
	it.modified = true
	return true
}

func (e *entry) pending(index int) bool {
	return e.picked.Has(index) && !e.settled.Has(index)
}

// abandon settles the remaining samples of an unreadable sweep.
func (it *integration) abandon(e *entry) {
	it.reduce(uint64(e.left))
	e.settled, e.left = append(record.Bitset(nil), e.picked...), 0
	it.modified = true
}

func (it *integration) reduce(n uint64) { it.Backlog -= min(n, it.Backlog) }

// trim moves the cursor past the settled sweeps. head is the number of the next new sweep.
func (it *integration) trim(head uint64) {
	if it.scanned == head {
		it.Backlog = it.seen() // the samples of damaged records cannot be read any more
	}
	before := it.At
	if it.Backlog == 0 {
		it.scanned, it.window = head, nil
		clear(it.Settled)
	}
	for len(it.window) > 0 && it.window[0].left == 0 {
		it.window = it.window[1:]
	}
	it.At = it.scanned
	if len(it.window) > 0 {
		it.At, it.oldest = it.window[0].seq, it.window[0].at
	}
	for seq := range it.Settled {
		if seq < it.At { // whole sweeps that were skipped, because the window has the whole backlog
			delete(it.Settled, seq)
		}
	}
	it.modified = it.modified || it.At != before
}

// evict removes a sweep from this integration's backlog, because the sweep is deleted. It returns which samples were
// still unsettled. The oldest sweeps are deleted first.
func (it *integration) evict(seq uint64, picked record.Bitset) (lost []int) {
	e := it.find(seq)
	switch {
	case seq < it.At:
		return nil
	case e == nil && seq >= it.scanned:
		e = &entry{picked: picked, settled: picked.And(it.Settled[seq])}
	case e == nil:
		e = &entry{}
	}
	for i := range 8 * len(e.picked) {
		if e.pending(i) {
			lost = append(lost, i)
		}
	}
	for len(it.window) > 0 && it.window[0].seq <= seq {
		it.window = it.window[1:]
	}
	delete(it.Settled, seq)
	it.At, it.scanned = seq+1, max(it.scanned, seq+1)
	it.reduce(uint64(len(lost)))
	it.Dropped += uint64(len(lost))
	it.modified = true
	return lost
}

// wake closes the channel of Changed.
func (it *integration) wake() {
	select {
	case <-it.changed:
	default:
		close(it.changed)
	}
}

// rearm makes a new channel if the last one was used up.
func (it *integration) rearm() {
	select {
	case <-it.changed:
		it.changed = make(chan struct{})
	default:
	}
}
