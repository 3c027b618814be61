package store

import (
	"maps"
	"noi-agent/store/internal/record"
	"slices"
)

const (
	// maxWindow is how many sweeps behind an unsettled one may be under way at once. It bounds
	// memory (about 100 bytes each) and the cursor's record when one sample never gets through.
	maxWindow = 4096
)

// integration is what the store knows of one destination. Memory is the truth and the file follows with each commit:
// decisions (settled, deleted) take effect here at once, and the next commit writes the record. Guarded by Store.mu but
// for the counts of rows in the file. Methods that end in Locked also need the store.
type integration struct {
	record.Cursor
	store      *Store
	main, lane *integration // of a lane: whose it is; else: its lane. nil: none
	split      bool         // faults and alarms are to go into the lane

	// Every sweep before scanned was looked at. Those of them with something for this integration that is not settled
	// are in window, ascending. Sweeps from scanned on were not looked at; Settled says what earlier runs settled of
	// them.
	scanned uint64
	window  []entry

	behind bool // it catches up: it has settled what is older than the last commit, and something waits still

	replayed uint64 // in this run
	traffic  record.Meter
	oldest   record.Instant // of the oldest unsettled sweep, as far as looked at

	rowLog

	changed  chan struct{} // closed when there is something new
	modified bool          // the record must be written
}

// entry is a sweep that is on its way to one integration.
type entry struct {
	seq             uint64
	at              record.Instant
	picked, settled record.Bitset
	left            int // picked and not settled
}

// newIntegration makes one that gets the sweeps from the next on.
func newIntegration(s *Store, id, topic string) *integration {
	it := integrationOf(record.NewCursor(id, topic, s.next))
	it.store = s
	return it
}

// integrationOf goes on from a cursor.
func integrationOf(c record.Cursor) *integration {
	return &integration{Cursor: c, scanned: c.At, rowLog: newRowLog(), changed: make(chan struct{}), modified: true}
}

// snapshot is the cursor as a commit writes it. unwritten is how much of the backlog the file will not hold.
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

// complete reports whether the window holds the whole backlog, so that nothing is left to look for.
func (it *integration) complete() bool { return it.seen() == it.Backlog }

// enter takes a sweep into the window: it was looked at, and holds something for us.
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

// abandon settles what is left of a sweep that turned out to be unreadable.
func (it *integration) abandon(e *entry) {
	it.reduce(uint64(e.left))
	e.settled, e.left = append(record.Bitset(nil), e.picked...), 0
	it.modified = true
}

func (it *integration) reduce(n uint64) { it.Backlog -= min(n, it.Backlog) }

// trim moves the cursor over what is settled. head is the number the next sweep will get.
func (it *integration) trim(head uint64) {
	if it.scanned == head {
		it.Backlog = it.seen() // what damaged records promised will not come any more
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
		if seq < it.At { // whole ones that were skipped because nothing was left to look for
			delete(it.Settled, seq)
		}
	}
	it.modified = it.modified || it.At != before
}

// giveWay takes a sweep out of the outbox as far as this integration goes and returns which of its samples were still
// unsettled. The oldest sweeps are deleted first.
func (it *integration) giveWay(seq uint64, picked record.Bitset) (lost []int) {
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

// wake closes the channel Changed gave out.
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
