package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"noi-agent/objects"
	"noi-agent/store/internal/file"
	"noi-agent/store/internal/record"
)

// tidyEvery is how often a store to which nothing is appended looks at its limits.
const tidyEvery = 10 * time.Minute

// checkSweep refuses what could not be read back as it was.
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

// touchLocked says that something waits which may wait a while.
func (s *Store) touchLocked() {
	s.dirty = true
	s.wakeWriter()
}

// hurryLocked asks for a commit now and returns the batch that is done when it is made.
func (s *Store) hurryLocked() *commitGroup {
	s.urgent, s.forced, s.dirty = true, true, true
	s.wakeWriter()
	return s.window.newest
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

// hold keeps it from going off, and from being started, until it is stopped.
func (d *delay) hold() {
	d.timer.Stop()
	d.c = make(chan time.Time)
}

func (d *delay) stop() {
	if d.c != nil {
		d.timer.Stop()
		d.c = nil
	}
}

// cursorEvery is how long the cursor of an integration that catches up waits for a commit. With the time that the
// answer of the cloud and a commit take, what a kill has sent twice was accepted in the last two seconds. An
// integration that is up to date needs no such commit: what is accepted inside the commit window the file never had,
// and what is accepted later is of the last commit only.
const cursorEvery = 1500 * time.Millisecond

// writer is the goroutine that owns the write side. An offered sweep opens the commit window; when
// it closes, one commit writes what is not accepted by then, and what was settled. Trigger rows
// ride on such a commit when none has carried any for nearly as long as FlushTriggers, and get one of their own when
// they have waited it all: at a sweep a minute that is one commit a minute.
func (s *Store) writer() {
	defer close(s.done)
	var window, flush, cursors delay
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	rows := false
	every := s.opts.FlushTriggers
	for {
		s.writeNote(false)
		fresh, settled, unsaved, now := s.waiting()
		if every != s.opts.FlushTriggers { // SetLimits: what waits does so by the new time, from now on
			every = s.opts.FlushTriggers
			flush.stop()
		}
		if fresh {
			window.start(s.windowLeft())
		}
		if settled {
			flush.start(s.opts.FlushTriggers)
		} else {
			flush.stop()
			rows = false
		}
		if unsaved {
			cursors.start(cursorEvery)
		} else {
			cursors.stop()
		}
		late := false
		if !now {
			select {
			case <-s.kick:
				continue
			case <-tidy.C:
				s.tidy()
				if s.oversized() {
					s.compact()
				}
				continue
			case <-s.fatal:
				s.giveUp()
				return
			case <-s.stop:
				s.lastCommit()
				s.writeNote(true)
				return
			case <-window.c:
			case <-cursors.c:
				late = true
			case <-flush.c:
				rows = true
				if flush.hold(); fresh {
					continue // the window is open, and ends soon
				}
			}
		}
		window.stop()
		wroteRows, wrote := s.commit(task{rows: rows, cursors: late}, now)
		if wrote || late { // a window that ends without a transaction carries no cursor
			cursors.stop()
		}
		// Rows that found no room wait as long again.
		if wroteRows || rows {
			flush.stop()
			rows = false
		}
	}
}

// waiting reports what waits for a commit, and whether it should be made now.
func (s *Store) waiting() (fresh, settled, unsaved, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false, false, false, false
	}
	fresh = len(s.offered) > 0
	return fresh, s.dirty || s.dirtyRows > 0, s.unsaved, s.urgent || fresh && s.opts.CommitEvery <= 0
}

// commit writes what waits and wakes the callers that wait for it. Rows come along when they are due, or when a commit
// is to be made anyway and none has carried any for a while; it reports whether they did, and whether there was a
// transaction at all. What every cloud has accepted by the end of its window is not written; if nothing else is, the
// younger sweeps keep their own windows. all ends these too.
func (s *Store) commit(t task, all bool) (rows, wrote bool) {
	s.mu.Lock()
	s.takeLimitsLocked()
	rows = t.rows
	must := rows || t.cursors || s.forced // whatever becomes of the sweeps
	all = all || s.forced
	due, cut := s.dueLocked(all)
	keeps := s.keepsLocked(cut)
	if keeps && !all { // one commit for all
		all = true
		due, cut = s.dueLocked(all)
	}
	s.takeGroups(len(due))
	if all {
		s.urgent, s.forced = false, false
	}
	if !must && !keeps {
		s.releaseLocked(cut, nil)
		s.mu.Unlock()
		finishGroups(due, nil, nil)
		return false, false
	}
	rows = rows || s.dirtyRows > 0 && time.Since(s.lastRows) >= s.opts.FlushTriggers*7/8
	s.busy = due
	s.mu.Unlock()
	err := s.write(task{offered: cut, rows: rows, newGaps: true, leaves: t.cursors && !rows && len(cut) == 0})
	stateErr := err
	if errors.Is(err, ErrFull) {
		s.opts.Logger.Error("store is full", "error", err)
		err, stateErr = s.makeRoom(cut)
	}
	if err == nil {
		err = s.lookAhead()
	}
	if err != nil && !errors.Is(err, ErrFull) {
		s.abort(err)
	}
	s.mu.Lock()
	s.busy = nil
	if rows = rows && stateErr == nil; rows {
		s.lastRows = time.Now()
	}
	s.mu.Unlock()
	if s.sinceLetGo++; s.sinceLetGo >= letGoEvery {
		s.sinceLetGo = 0
		s.letGo()
	}
	finishGroups(due, err, stateErr)
	return rows, true
}

// keepsLocked reports whether any of the fresh sweeps is to be written.
func (s *Store) keepsLocked(sweeps []*offered) bool {
	return slices.ContainsFunc(sweeps, func(f *offered) bool {
		return !f.refused && (s.opts.RetainAfterAck > 0 ||
			s.owedLocked(f))
	})
}

// releaseLocked lets go of the oldest fresh sweeps: they are in the file, where they have a record, or
// no caller waits for them.
func (s *Store) releaseLocked(sweeps []*offered, records [][]byte) {
	for i, f := range sweeps {
		if !f.refused && (records == nil || records[i] == nil) {
			s.spared += uint64(len(f.sweep.Samples))
		}
	}
	s.accounts.count(s, len(sweeps))
	s.offered = append([]*offered(nil), s.offered[len(sweeps):]...)
}

// tidy commits when the limits say that a quiet store should give something up.
func (s *Store) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.overdueLocked(s.opts.Now()) {
		s.hurryLocked()
	}
}

// lastCommit is Close's part.
func (s *Store) lastCommit() {
	s.mu.Lock()
	idle := len(s.offered) == 0 && !s.dirty && s.dirtyRows == 0
	failed := s.err != nil
	s.mu.Unlock()
	switch {
	case failed:
		s.giveUp()
	case !idle:
		s.commit(task{rows: true}, true)
		s.writeLastRows()
	}
}

// writeLastRows is for a disk that was too full for the last commit: the rows about what was lost by it have no later
// one. The ballast makes room for them, and those about gaps come before those of deliveries.
func (s *Store) writeLastRows() {
	for _, t := range []task{{rows: true}, {Ballast: file.Release}, {rows: true}, {rows: true, gapsOnly: true}} {
		if s.rowsLeft() == 0 {
			return
		}
		if err := s.write(t); err != nil && !errors.Is(err, ErrFull) {
			s.abort(err)
			return
		}
	}
	if n := s.rowsLeft(); n > 0 {
		s.opts.Logger.Error("no room for the last rows of the log", "rows", n)
	}
}

// rowsLeft is how many rows wait, none when the store has stopped.
func (s *Store) rowsLeft() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0
	}
	return s.dirtyRows
}

// giveUp reports to callers that wait for a commit that none will come.
func (s *Store) giveUp() {
	s.mu.Lock()
	waiting := s.groups()
	s.takeGroups(len(waiting)) // no caller joins the new one: the store has stopped
	err := s.err
	s.mu.Unlock()
	finishGroups(waiting, err, err)
}

// windowLeft is how long the oldest batch may still wait.
func (s *Store) windowLeft() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.untilDue(time.Now(), s.opts.CommitEvery)
}

// dueLocked returns the batches whose window is over, or all, and the sweeps in them.
func (s *Store) dueLocked(all bool) ([]*commitGroup, []*offered) {
	due, n := s.window.due(time.Now(), s.opts.CommitEvery, all)
	return due, s.offered[:n:n]
}
