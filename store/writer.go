package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"noi-agent/objects"
)

const (
	// maxWaiting is how many samples may wait for a commit before it is made early.
	maxWaiting = 1 << 16
	// tidyEvery is how often a store to which nothing is appended looks at its limits.
	tidyEvery = 10 * time.Minute
)

// batch is what shares one commit. Its errors are set before done is closed.
type batch struct {
	sweeps   []objects.Sweep
	samples  int
	done     chan struct{}
	err      error // of the sweeps
	stateErr error // of everything else
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func (b *batch) finish(err, stateErr error) {
	b.err, b.stateErr = err, stateErr
	close(b.done)
}

func (b *batch) waitState() error {
	<-b.done
	return b.stateErr
}

// Append makes sweeps durable: when it returns nil they are committed and fsynced. Appends inside
// one commit window share a commit. Sweeps without routes are skipped. The caller must not change
// the sweeps until then. ctx ends only the waiting: the sweeps may still be kept. It fails with
// ErrUnknownIntegration for a route that leads nowhere and with a plain error for a sweep that
// breaks a rule (then none of the sweeps is kept), with ErrFull, with ErrClosed, and with what
// stopped the store.
func (s *Store) Append(ctx context.Context, sweeps ...objects.Sweep) error {
	s.mu.Lock()
	b, err := s.join(sweeps)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	if b == nil {
		return nil
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("append: waiting for the commit: %w", ctx.Err())
	}
}

// join puts the sweeps into the waiting batch; nil when there is nothing to keep. s.mu is held.
func (s *Store) join(sweeps []objects.Sweep) (*batch, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	for _, sw := range sweeps {
		if err := s.checkSweep(sw); err != nil {
			return nil, err
		}
	}
	var joined *batch
	for _, sw := range sweeps {
		if len(sw.Routes) > 0 {
			joined = s.batch
			joined.sweeps = append(joined.sweeps, sw)
			joined.samples += len(sw.Samples)
		}
	}
	if joined != nil {
		s.urgent = s.urgent || joined.samples >= maxWaiting
		s.wakeWriter()
	}
	return joined, nil
}

// checkSweep refuses what could not be read back as it was.
func (s *Store) checkSweep(sw objects.Sweep) error {
	n := len(sw.Samples)
	if len(sw.Routes) > 0 && (n == 0 || n > maxSamples) {
		return fmt.Errorf("sweep of %s: %d samples, not 1 to %d", sw.Source.Unit(), n, maxSamples)
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
			return fmt.Errorf("sweep of %s: route to %s: picks must be ascending indexes below %d, once each", sw.Source.Unit(), route.Integration, n)
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

// touch says that something waits which may wait a while. s.mu is held.
func (s *Store) touch() {
	s.dirty = true
	s.wakeWriter()
}

// hurry asks for a commit now and returns the batch that tells when it is made. s.mu is held.
func (s *Store) hurry() *batch {
	s.urgent, s.dirty = true, true
	s.wakeWriter()
	return s.batch
}

func (s *Store) wakeWriter() {
	select {
	case s.kick <- struct{}{}:
	default: // it will look anyway
	}
}

// delay is a timer that is started once and stays set until it is stopped.
type delay struct {
	timer *time.Timer
	c     <-chan time.Time // nil while not set
}

func (d *delay) start(wait time.Duration) {
	if d.c == nil {
		d.timer = time.NewTimer(wait)
		d.c = d.timer.C
	}
}

func (d *delay) stop() {
	if d.c != nil {
		d.timer.Stop()
		d.c = nil
	}
}

// writer is the goroutine that owns the write side. An append opens the commit window, which the
// commit closes; what is only settled waits for such a commit, but no longer than for the flush,
// which takes the trigger rows along.
func (s *Store) writer() {
	defer close(s.done)
	var window, flush delay
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	for {
		appends, settled, now := s.waiting()
		if appends {
			window.start(s.opts.CommitEvery)
		}
		if settled {
			flush.start(s.opts.FlushTriggers)
		} else {
			flush.stop()
		}
		rows := false
		if !now {
			select {
			case <-s.kick:
				continue
			case <-tidy.C:
				s.tidy()
				continue
			case <-s.fatal:
				s.giveUp()
				return
			case <-s.stop:
				s.lastCommit()
				return
			case <-window.c:
			case <-flush.c:
				flush.stop()
				rows = true
			}
		}
		window.stop()
		s.commit(rows)
	}
}

// waiting reports what waits for a commit, and whether it should be made now.
func (s *Store) waiting() (appends, settled, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false, false, false
	}
	appends = len(s.batch.sweeps) > 0
	return appends, s.dirty || s.dirtyRows > 0, s.urgent || appends && s.opts.CommitEvery <= 0
}

// commit writes what waits and tells those who wait for it. Rows come along when they are due, or
// when there are too many of them.
func (s *Store) commit(rows bool) {
	s.mu.Lock()
	rows = rows || s.dirtyRows >= maxDirty
	b := s.batch
	s.batch, s.urgent = newBatch(), false
	s.mu.Unlock()
	err := s.write(task{sweeps: b.sweeps, rows: rows})
	stateErr := err
	if errors.Is(err, ErrFull) {
		s.opts.Logger.Error("store is full", "error", err)
		err, stateErr = s.makeRoom(b.sweeps)
	}
	if err == nil {
		err = s.lookAhead()
	}
	if err != nil && !errors.Is(err, ErrFull) {
		s.abort(err)
	}
	b.finish(err, stateErr)
}

// tidy commits when the limits say that a quiet store should give something up.
func (s *Store) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.overdue(s.opts.Now()) {
		s.hurry()
	}
}

// lastCommit is Close's part.
func (s *Store) lastCommit() {
	s.mu.Lock()
	idle := len(s.batch.sweeps) == 0 && !s.dirty && s.dirtyRows == 0
	failed := s.err != nil
	s.mu.Unlock()
	switch {
	case failed:
		s.giveUp()
	case !idle:
		s.commit(true)
	}
}

// giveUp tells those who wait for a commit that none will come.
func (s *Store) giveUp() {
	s.mu.Lock()
	b := s.batch
	s.batch = newBatch() // nobody joins it: the store has stopped
	err := s.err
	s.mu.Unlock()
	b.finish(err, err)
}
