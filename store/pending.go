package store

import (
	"fmt"
	"slices"

	"noi-agent/objects"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// Delivery is one sample on its way to one integration. Seq and Index are its place in the outbox; a Result refers to
// it by them.
type Delivery struct {
	Seq      uint64
	Index    int
	Store    string // id of the store that took the sample; after a recovery it differs from Store.ID
	Run      uint64
	Source   objects.Source
	Sample   objects.Sample
	Stamp    Stamp
	Attempts int // attempts that ended in Retrying, if its trigger row is still kept
}

// scanStep is how many records one read transaction looks at: a transaction that stays open keeps
// the writer from using the pages that are freed meanwhile.
const scanStep = 1024

// Pending returns up to limit unsettled deliveries of the integration, oldest first, committed or not; none when no
// sample waits. A sample stays pending until Settle gets Accepted or Failed for it. Pending reads at most 4,096 sweeps
// from the first unsettled one on. It fails with ErrUnknownIntegration, with ErrClosed, and with the error that stopped
// the store.
//
// The deliveries are in the memory of room, if they fit. Then they replace its content. nil: they get their own memory.
func (s *Store) Pending(integration string, limit int, room []Delivery) ([]Delivery, error) {
	if limit <= 0 {
		return nil, nil
	}
	for {
		l, err := s.startLook(integration, limit)
		if err != nil {
			return nil, fmt.Errorf("pending: %w", err)
		}
		l.found = room[:0]
		if err := l.run(); err != nil {
			return nil, fmt.Errorf("pending %s: %w", integration, err)
		}
		out, more := l.finish()
		if len(out) == limit || !more && (len(out) > 0 || l.integration == integration) {
			return out, nil
		}
	}
}

// Changed returns a channel that is closed when a new sample for the integration comes after its last call of Pending,
// or when the store stops. So call Pending until it returns none, then wait for Changed: a sample that came in between
// has already closed the channel. For an unknown integration it returns nil, which is never ready.
func (s *Store) Changed(integration string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.integrations[integration]; it != nil {
		return it.changed
	}
	return nil
}

// look is one reading of the outbox for one integration: first the sweeps of the window, then the sweeps after the last
// look. It reads without the lock, and therefore works on copies.
type look struct {
	store       *Store
	integration string
	limit       int
	wanted      []entry // unsettled ones of the window
	from, until uint64  // the range of sweeps to read
	room        int     // number of entries for which the window has room
	memory      offers  // sweeps that the file may not hold

	found   []Delivery
	entered []entry
	damaged []uint64
	end     uint64 // all sweeps before this number were read
}

// startLook begins a look at the lane, if its samples go first; otherwise at all other samples.
func (s *Store) startLook(integration string, limit int) (*look, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return nil, err
	}
	it.rearm()
	if lane := it.first(); lane != nil {
		return lane.lookForLocked(limit), nil
	}
	return it.lookForLocked(limit), nil
}

// lookForLocked plans a look.
func (it *integration) lookForLocked(limit int) *look {
	s := it.store
	if it.complete() {
		it.scanned = s.next // the sweeps between are not for this integration
		it.trim(s.next)
	}
	l := &look{store: s, integration: it.ID, limit: limit, from: it.scanned, until: s.next, memory: s.offered}
	for _, e := range it.window {
		if limit <= 0 {
			break
		}
		if e.left > 0 {
			e.settled = append(record.Bitset(nil), e.settled...) // the original changes meanwhile
			l.wanted = append(l.wanted, e)
			limit -= e.left
		}
	}
	l.room = maxWindow - len(it.window)
	l.end = l.from
	return l
}

// fileEnds returns the number from which on all sweeps are in memory too.
func (l *look) fileEnds() uint64 {
	return l.memory.from(l.until)
}

// needsFile reports whether a wanted sweep is only in the file.
func (l *look) needsFile() bool {
	return len(l.wanted) > 0 && l.wanted[0].seq < l.fileEnds() || l.from < l.fileEnds()
}

// run reads the file as far as needed, and the memory.
func (l *look) run() error {
	if l.needsFile() {
		if err := l.store.view(l.read); err != nil {
			return err
		}
	} else {
		l.takeWanted(nil, nil)
	}
	for _, f := range l.memory {
		if f.seq < l.end || l.end < l.fileEnds() {
			continue
		}
		if f.seq >= l.until || l.full() {
			return nil
		}
		l.end = f.seq + 1
		l.scanOffered(f)
	}
	if l.end >= l.fileEnds() {
		l.end = l.until
	}
	return nil
}

func (l *look) full() bool { return len(l.found) >= l.limit || len(l.entered) >= l.room }

// read is the part that needs the file.
func (l *look) read(tx *bolt.Tx) error {
	b, ns := tx.Bucket(file.BucketSweeps), record.Names(l.store.names.Published())
	l.takeWanted(ns, b)
	c := b.Cursor()
	steps := scanStep
	end := min(l.until, l.fileEnds())
	for k, v := c.Seek(record.SeqKey(l.from)); l.end < end && !l.full() && steps > 0; k, v = c.Next() {
		seq, ok := record.KeySeq(k)
		if k == nil || ok && seq >= end {
			l.end = end
			break
		}
		steps--
		l.store.mapping.hasRead(tx, len(v))
		if ok {
			l.end = seq + 1
			l.scan(ns, k, v, seq)
		}
	}
	return nil
}

// takeWanted adds the pending deliveries of the window.
func (l *look) takeWanted(ns record.Names, b *bolt.Bucket) {
	for _, e := range l.wanted {
		if f := l.memory.find(e.seq); f != nil {
			l.take(f.sweep, e, l.limit-len(l.found))
			continue
		}
		if sw, ok := l.store.sweepAt(ns, b, e.seq); ok {
			l.take(sw, e, l.limit-len(l.found))
		} else {
			l.damaged = append(l.damaged, e.seq)
		}
	}
}

// scan reads one record that was not read before.
func (l *look) scan(ns record.Names, key, value []byte, seq uint64) {
	h, ok := record.Peek(ns, key, value)
	if !ok {
		l.damaged = append(l.damaged, seq)
		return
	}
	picked := h.Of(l.integration)
	if picked == nil {
		return
	}
	sw, ok := record.DecodeSweep(ns, key, value)
	if !ok {
		l.damaged = append(l.damaged, seq)
		return
	}
	l.enter(sw, entry{seq: seq, at: h.Instant(), picked: picked})
}

// scanOffered is scan for a sweep in memory.
func (l *look) scanOffered(f *offered) {
	if picked := (record.Heading{Routes: f.routes}).Of(l.integration); picked != nil {
		l.enter(f.sweep, entry{seq: f.seq, at: f.at(), picked: picked})
	}
}

func (l *look) enter(sw objects.Sweep, e entry) {
	l.take(sw, e, len(sw.Samples)) // only finish knows which samples an earlier run has settled
	l.entered = append(l.entered, e)
}

// take adds the unsettled deliveries of one sweep, room of them at most.
func (l *look) take(sw objects.Sweep, e entry, room int) {
	from := record.Identity{ID: l.store.id, Origins: l.store.origins}.Of(e.seq)
	left := e.picked.Count() - e.settled.Count()
	l.found = slices.Grow(l.found, max(0, min(room, left))) // not by the limit, which may be any number
	for i := range sw.Samples {
		if room > 0 && e.pending(i) {
			room--
			l.found = append(l.found, deliveryOf(from, e.seq, sw, i))
		}
	}
}

// finish takes over the result of the look, and returns the deliveries that are still pending. more: another look may
// find more.
func (l *look) finish() (out []Delivery, more bool) {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.integrations[l.integration]
	if it == nil {
		return nil, false
	}
	s.reportDamagedLocked(l.damaged)
	for _, seq := range l.damaged {
		if e := it.find(seq); e != nil {
			it.abandon(e)
		}
	}
	if it.scanned == l.from { // otherwise another scan was faster, or sweeps were deleted: scan again
		for _, e := range l.entered {
			if f := l.memory.find(e.seq); f == nil || !f.refused {
				it.enter(e.seq, e.at, e.picked)
			}
		}
		it.scanned = l.end
	}
	it.trim(s.next)
	out = l.found[:0]
	held := false // the following samples wait for the lane
	for _, d := range l.found {
		if len(out) == l.limit {
			break
		}
		if d.Seq >= it.until() {
			held = true
			break
		}
		if e := it.find(d.Seq); e != nil && e.pending(d.Index) {
			if w := it.owner().open[record.Place{Seq: d.Seq, Index: d.Index}]; w != nil {
				d.Attempts = w.Attempts
			}
			d.Stamp = s.stamp(d.Run, d.Stamp)
			out = append(out, d)
		}
	}
	unread := it.scanned < l.until && !it.complete() && len(it.window) < maxWindow
	missed := len(out) == 0 && it.seen() > 0 // all wanted samples were settled meanwhile, or are unreadable
	return out, unread && (!held || len(out) == 0) || missed
}

// lookAhead finds the oldest unsettled sweep of an integration that reads no backlog now, for the age in Stats. The
// writer calls it after a commit.
func (w *writer) lookAhead() error {
	w.mu.Lock()
	var looks []*look
	for _, it := range w.integrations.ordered() {
		if it.Backlog > 0 && len(it.window) == 0 {
			looks = append(looks, it.lookForLocked(1))
		}
	}
	w.mu.Unlock()
	for _, l := range looks {
		if err := l.run(); err != nil {
			return err
		}
		l.finish()
	}
	return nil
}
