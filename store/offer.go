package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"noi-agent/objects"
	"noi-agent/store/internal/record"
)

// maxWaiting is how many samples may wait for a commit before it is made early, and how many more
// may be offered while it is made.
const maxWaiting = 1 << 16

// offered is a sweep that was offered, and is in no commit yet. Forwarders get it at once. If every integration has
// settled it by the end of the commit window, it is never written.
type offered struct {
	seq    uint64
	sweep  objects.Sweep // never changed; its routes name lanes
	routes []record.Picks

	// The sweep was refused. It stays in Store.fresh until the commit, so that an integration that has not read it yet
	// learns this. Guarded by Store.mu.
	refused bool
}

func (f *offered) at() record.Instant { return record.InstantOf(f.sweep, 0) }

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
		if err := s.checkSweep(sw); err != nil {
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

// checkSweep refuses a sweep that could not be read back unchanged.
func (s *Store) checkSweep(sw objects.Sweep) error {
	n := len(sw.Samples)
	if len(sw.Routes) > 0 && (n == 0 || n > record.MaxSamples) {
		return fmt.Errorf("sweep of %s: %d samples, not 1 to %d", sw.Source.Unit(), n, record.MaxSamples)
	}
	for _, sample := range sw.Samples {
		if sample.Value.Kind() == 0 {
			return fmt.Errorf("sweep of %s: %s has no value", sw.Source.Unit(), sample.Object)
		}
	}
	seen := make(map[string]bool, len(sw.Routes))
	for _, route := range sw.Routes {
		if s.integrations[route.Integration] == nil {
			return fmt.Errorf("sweep of %s: %w %q", sw.Source.Unit(), ErrUnknownIntegration, route.Integration)
		}
		if seen[route.Integration] || !ascending(route.Picked, n) {
			return fmt.Errorf("sweep of %s: route to %s: picks must be ascending indexes below %d, once each",
				sw.Source.Unit(), route.Integration, n)
		}
		seen[route.Integration] = true
	}
	return nil
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

// owedLocked reports whether an integration still waits for a fresh sweep.
func (s *Store) owedLocked(f *offered) bool {
	for _, p := range f.routes {
		if it := s.integrations[p.Integration]; it != nil && it.pendingIn(f.seq, p.Set) > 0 {
			return true
		}
	}
	return false
}

// findOffered returns the sweep with a number from a part of Store.fresh; nil if it is not there.
func findOffered(all []*offered, seq uint64) *offered {
	i, ok := slices.BinarySearchFunc(all, seq,
		func(f *offered, seq uint64) int { return compareEntry(entry{seq: f.seq}, seq) })
	if !ok {
		return nil
	}
	return all[i]
}

// refuseLocked refuses fresh sweeps that cannot be kept. An integration that has not settled them loses them.
func (s *Store) refuseLocked(sweeps []*offered, reason string) {
	if len(sweeps) == 0 {
		return
	}
	for _, it := range s.orderedLocked() {
		var lost losses
		for _, f := range sweeps {
			for _, p := range f.routes {
				if p.Integration == it.ID && !f.refused {
					it.refuse(f.seq, p.Set, func(i int) {
						lost.add(f.sweep, i, reason)
						it.owner().closeRowLocked(record.Place{Seq: f.seq, Index: i})
					})
				}
			}
		}
		it.logLossesLocked(lost)
		it.trim(s.next)
	}
	for _, f := range sweeps {
		f.refused = true
	}
}

// refuse settles the remaining samples of a sweep as lost. Unlike with giveWay, the sweep may be the newest.
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
