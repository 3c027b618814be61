package store

import (
	"cmp"
	"slices"
	"time"

	"noi-agent/objects"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// Range is a stretch of time: from From on and before To. A zero end is open.
type Range struct{ From, To time.Time }

// Has reports whether a time lies in the range.
func (r Range) Has(t time.Time) bool {
	return !t.Before(r.From) && (r.To.IsZero() || t.Before(r.To))
}

// Kept is one sweep in the outbox, even if no integration waits for it any more.
type Kept struct {
	Seq   uint64
	Store string        // id of the store that took it; after a recovery it differs from Store.ID
	Sweep objects.Sweep // not to be changed
	known Stamp         // the known time of its run
}

// Delivery returns one sample of the sweep as a Delivery.
func (k *Kept) Delivery(index int) Delivery {
	d := deliveryOf(k.Store, k.Seq, k.Sweep, index)
	d.Stamp.SameBoot, d.Stamp.Booted, d.Stamp.Floor = k.known.SameBoot, k.known.Booted, k.known.Floor
	return d
}

func deliveryOf(from string, seq uint64, sw objects.Sweep, index int) Delivery {
	sample := sw.Samples[index]
	d := Delivery{
		Seq: seq, Index: index, Store: from, Run: sw.Run, Source: sw.Source, Sample: sample,
		Stamp: Stamp{Unsure: sw.Unsure, Uptime: -1},
	}
	if !sw.BootedAt.IsZero() {
		d.Stamp.Uptime = sample.SampledAt.Sub(sw.BootedAt)
	}
	return d
}

// scanSamples is about how many samples one step of a Scan takes into memory: about a megabyte.
const scanSamples = 8192

// Scan reads the content of the outbox at its begin, oldest first, in steps. No transaction is open between two steps,
// so the reader may be slow. Sweeps that are deleted meanwhile may be missing. A Scan is for one goroutine.
type Scan struct {
	store *Store
	view  func(func(*bolt.Tx) error) error
	r     Range
	next  uint64 // number of the next sweep to read
	until uint64 // number of the first sweep that was offered after the begin

	// Of the running step.
	found   []Kept
	damaged []uint64

	skipped uint64
}

// Scan begins to read the outbox. It finds the sweeps with samples in the range by their stored time; the caller
// selects the single samples. It also finds all sweeps whose clock was not known to be right, at any stored time,
// because the caller corrects their times.
func (s *Store) Scan(r Range) *Scan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Scan{store: s, view: s.view, r: r, until: s.next}
}

// Damaged returns the number of unreadable records so far. Their content and times are not known.
func (c *Scan) Damaged() uint64 { return c.skipped }

// Step returns the sweeps of the next 1,024 records, or of fewer large ones; often there are none. more is false at the
// end of the scan. It fails with ErrClosed, and with the error that stopped the store.
func (c *Scan) Step() (found []Kept, more bool, err error) {
	memory, ends, err := c.inMemory()
	if err != nil {
		return nil, false, err
	}
	c.found, c.damaged = nil, nil
	if ends = min(ends, c.until); c.next < ends {
		err = c.view(func(tx *bolt.Tx) error { return c.read(tx, ends) })
	} else {
		c.takeOffered(memory)
	}
	if err != nil {
		return nil, false, err
	}
	c.complete()
	return c.found, c.next < c.until, nil
}

// inMemory returns the sweeps from next on that may not be in the file. ends is the number of the first of them: sweeps
// before ends are in the file, or deleted.
func (c *Scan) inMemory() (memory offers, ends uint64, err error) {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return nil, 0, err
	}
	ends = s.offered.from(s.next)
	for _, f := range s.offered {
		if f.seq >= c.next && !f.refused {
			memory = append(memory, f)
		}
	}
	return memory, ends, nil
}

// read reads the records before the number ends, a limited number at a time.
func (c *Scan) read(tx *bolt.Tx, ends uint64) error {
	ns := record.Names(c.store.names.Published())
	cur := tx.Bucket(file.BucketSweeps).Cursor()
	looked, samples := 0, 0
	for k, v := cur.Seek(record.SeqKey(c.next)); k != nil; k, v = cur.Next() {
		seq, ok := record.KeySeq(k)
		if !ok {
			continue
		}
		if seq >= ends {
			break
		}
		if looked++; looked > scanStep || samples >= scanSamples {
			c.next = seq
			return nil
		}
		c.store.mapping.hasRead(tx, len(v))
		sw, ok := record.DecodeSweep(ns, k, v)
		if !ok {
			c.damaged = append(c.damaged, seq)
			continue
		}
		samples += len(sw.Samples)
		c.take(seq, sw)
	}
	c.next = ends
	return nil
}

func (c *Scan) takeOffered(memory offers) {
	for _, f := range memory {
		if f.seq < c.until {
			c.take(f.seq, f.sweep)
		}
	}
	c.next = c.until
}

func (c *Scan) take(seq uint64, sw objects.Sweep) {
	if !c.wants(sw) {
		return
	}
	from := record.Identity{ID: c.store.id, Origins: c.store.origins}.Of(seq)
	c.found = append(c.found, Kept{Seq: seq, Store: from, Sweep: sw})
}

func (c *Scan) wants(sw objects.Sweep) bool {
	if sw.Unsure {
		return true
	}
	for i := range sw.Samples {
		if c.r.Has(sw.Samples[i].SampledAt) {
			return true
		}
	}
	return false
}

// complete adds the data that only the store's memory has, and reports unreadable records to the store.
func (c *Scan) complete() {
	c.skipped += uint64(len(c.damaged))
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportDamagedLocked(c.damaged)
	for i := range c.found {
		c.found[i].known = s.stamp(c.found[i].Sweep.Run, Stamp{})
	}
}

// Settled returns the samples of a kept sweep that the integration has settled: accepted, or rejected for good. It
// fails with ErrUnknownIntegration, with ErrClosed, and with the error that stopped the store.
func (s *Store) Settled(integration string, k *Kept) ([]Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return nil, err
	}
	var out []Delivery
	for _, route := range k.Sweep.Routes {
		by := it
		switch owner, lane := record.IsLane(route.Integration); {
		case lane && owner == integration && it.lane != nil:
			by = it.lane
		case route.Integration != integration:
			continue
		}
		for _, i := range route.Picked {
			if by.isSettled(k.Seq, i) {
				out = append(out, k.Delivery(i))
			}
		}
	}
	slices.SortFunc(out, func(a, b Delivery) int { return cmp.Compare(a.Index, b.Index) }) // the lane has its own
	return out, nil
}

// isSettled reports whether the integration has settled a sample.
func (it *integration) isSettled(seq uint64, index int) bool {
	e := it.find(seq)
	switch {
	case seq < it.At:
		return true
	case e != nil:
		return e.settled.Has(index)
	case seq < it.scanned:
		return true
	}
	return it.Settled[seq].Has(index)
}
