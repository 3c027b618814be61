package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"noi-agent/objects"
	"noi-agent/store/internal/record"
)

// maxWaiting is how many samples may wait for a commit before the commit is made early, and how many more may be
// offered during the commit.
const maxWaiting = 1 << 16

// offered is a sweep that was offered, and is in no commit yet. Forwarders get it at once. If every integration has
// settled it by the end of the commit window, it is never written.
type offered struct {
	seq    uint64
	sweep  objects.Sweep // never changed; its routes name lanes
	routes []record.Picks

	// The sweep was refused. It stays in Store.offered until the commit, so that an integration that has not read it
	// yet learns this. Guarded by Store.mu.
	refused bool
}

func (f *offered) at() record.Instant { return record.InstantOf(f.sweep, 0) }

// offers are sweeps that were offered, and that may not be in the file, the oldest first.
type offers []*offered

// find returns the sweep with a number; nil if it is not there.
func (all offers) find(seq uint64) *offered {
	i, ok := slices.BinarySearchFunc(all, seq,
		func(f *offered, seq uint64) int { return compareEntry(entry{seq: f.seq}, seq) })
	if !ok {
		return nil
	}
	return all[i]
}

// from returns the number of the oldest sweep, or head, the number of the next new one, if there is none. So the file
// has all sweeps before it.
func (all offers) from(head uint64) uint64 {
	if len(all) > 0 {
		return all[0].seq
	}
	return head
}

// take adds the sweeps of results to sweeps, and returns the numbers of those that are not there.
func (all offers) take(results []Result, sweeps map[uint64]objects.Sweep) (missing map[uint64]bool) {
	missing = map[uint64]bool{}
	for _, r := range results {
		if f := all.find(r.Seq); f != nil {
			sweeps[r.Seq] = f.sweep
		} else {
			missing[r.Seq] = true
		}
	}
	return missing
}

// needed reports whether one of the sweeps must be written: an integration waits for it, or sweeps are retained.
func (all offers) needed(by integrations, retained bool) bool {
	return slices.ContainsFunc(all, func(f *offered) bool {
		return !f.refused && (retained || by.waitFor(f))
	})
}

// Pledge is the promise of a commit for offered sweeps.
type Pledge struct{ group *commitGroup }

// Done is closed when the promise is kept or broken. A nil Pledge promises nothing, and is kept.
func (p *Pledge) Done() <-chan struct{} {
	if p == nil {
		return closedChannel
	}
	return p.group.done
}

// Err returns nil when all offered sweeps are in the file or accepted by every integration. Otherwise it returns an
// error of Append. It may be called after Done is closed.
func (p *Pledge) Err() error {
	if p == nil {
		return nil
	}
	return p.group.err
}

// closedChannel is for callers that have nothing to wait for.
var closedChannel = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Offer hands sweeps to the store and returns at once. Forwarders get them from now on, and the next commit writes the
// samples that are not accepted by then. The Pledge reports when the sweeps are durable. Offer waits only while more
// than 65,536 samples wait for a commit that does not end, and at most until ctx ends. Its errors are those of Append
// that are known at once, and ctx's.
func (s *Store) Offer(ctx context.Context, sweeps ...objects.Sweep) (*Pledge, error) {
	for {
		s.mu.Lock()
		if busy := s.busy; busy != nil && s.samplesWaiting() >= maxWaiting {
			s.mu.Unlock()
			select {
			case <-busy[0].done:
				continue
			case <-ctx.Done():
				return nil, fmt.Errorf("append: waiting for the commit before: %w", ctx.Err())
			}
		}
		b, err := s.joinLocked(sweeps)
		s.mu.Unlock()
		switch {
		case err != nil:
			return nil, fmt.Errorf("append: %w", err)
		case b == nil:
			return nil, nil
		}
		return &Pledge{b}, nil
	}
}

// Append makes sweeps durable: when it returns nil they are committed and fsynced, or every integration that gets them
// has settled them. Appends within one commit window share a commit. An Urgent sweep ends the window. Sweeps without
// routes are skipped. The caller must not change the sweeps any more. ctx ends only the wait: the sweeps may still be
// kept. Append fails with ErrUnknownIntegration for a route to an unknown integration, and with a plain error for a
// sweep that breaks a rule (then none of the sweeps is kept); with ErrFull, with ErrClosed, and with the error that
// stopped the store.
func (s *Store) Append(ctx context.Context, sweeps ...objects.Sweep) error {
	p, err := s.Offer(ctx, sweeps...)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		return p.Err()
	case <-ctx.Done():
		return fmt.Errorf("append: waiting for the commit: %w", ctx.Err())
	}
}

// joinLocked puts the sweeps into the waiting group; nil if there is nothing to keep.
func (s *Store) joinLocked(sweeps []objects.Sweep) (*commitGroup, error) {
	if err := s.usableLocked(); err != nil {
		return nil, err
	}
	for _, sw := range sweeps {
		if err := s.integrations.check(sw); err != nil {
			return nil, err
		}
	}
	var joined *commitGroup
	for _, sw := range sweeps {
		if len(sw.Routes) == 0 {
			continue
		}
		joined = s.openGroup(time.Now(), s.opts.CommitEvery)
		joined.samples += len(sw.Samples)
		joined.sweeps++
		s.urgent = s.urgent || sw.Urgent
		s.takeLocked(sw)
	}
	if joined != nil {
		s.urgent = s.urgent || s.samplesWaiting() >= maxWaiting
		s.wakeWriter()
	}
	return joined, nil
}

func ascending(picked []int, n int) bool {
	last := -1
	for _, i := range picked {
		if i <= last || i >= n {
			return false
		}
		last = i
	}
	return len(picked) > 0
}

// takeLocked gives a sweep its number, and adds it to the backlog of its integrations.
func (s *Store) takeLocked(sw objects.Sweep) {
	f := &offered{seq: s.next, sweep: sw}
	f.sweep.Routes = nil
	s.next++
	for _, route := range sw.Routes {
		set := record.NewBitset(len(sw.Samples))
		for _, i := range route.Picked {
			set.Set(i)
		}
		it := s.integrations[route.Integration]
		for _, p := range it.lanes(f.seq, sw.Samples, set) {
			f.routes = append(f.routes, p)
			f.sweep.Routes = append(f.sweep.Routes,
				objects.Route{Integration: p.Integration, Picked: p.Indexes(len(sw.Samples))})
			s.integrations[p.Integration].expect(f.seq, f.at(), p.Set)
		}
		it.wake()
	}
	s.offered = append(s.offered, f)
}

// expect counts a new sweep. It takes the sweep into the window if no earlier sweep waits outside of the window.
func (it *integration) expect(seq uint64, at record.Instant, picked record.Bitset) {
	whole := it.complete() && len(it.window) < maxWindow
	it.Backlog += uint64(picked.Count())
	it.modified = true
	if whole {
		it.enter(seq, at, picked)
		it.scanned = seq + 1
		it.trim(seq + 1)
	}
}

// pendingIn returns how many samples of a sweep the integration has not settled.
func (it *integration) pendingIn(seq uint64, picked record.Bitset) uint64 {
	switch e := it.find(seq); {
	case seq < it.At:
		return 0
	case e != nil:
		return uint64(e.left)
	case seq < it.scanned:
		return 0
	}
	return uint64(picked.Count() - picked.And(it.Settled[seq]).Count())
}

// refuse settles the remaining samples of a sweep as lost. Unlike with evict, the sweep may be the newest.
func (it *integration) refuse(seq uint64, picked record.Bitset, lose func(index int)) {
	n := it.pendingIn(seq, picked)
	if n == 0 {
		return
	}
	e := it.find(seq)
	for i := range 8 * len(picked) {
		if e != nil && e.pending(i) || e == nil && picked.Has(i) {
			lose(i)
		}
	}
	if e != nil {
		it.abandon(e)
	} else {
		it.reduce(n)
	}
	it.Dropped += n
	it.modified = true
}
