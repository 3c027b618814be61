package store

import (
	"errors"
	"slices"
	"time"

	"noi-agent/store/internal/file"
)

// tidyEvery is how often a store to which nothing is appended looks at its limits.
const tidyEvery = 10 * time.Minute

// writer is the goroutine that does all writes. Its methods are called on this goroutine only, and by Open before it
// begins.
type writer struct{ *Store }

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

// loop is the goroutine. An offered sweep opens the commit window; when
// it closes, one commit writes what is not accepted by then, and what was settled. Trigger rows
// ride on such a commit when none has carried any for nearly as long as FlushTriggers, and get one of their own when
// they have waited it all: at a sweep a minute that is one commit a minute.
func (w *writer) loop() {
	defer close(w.done)
	var window, flush, cursors delay
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	rows := false
	every := w.opts.FlushTriggers
	for {
		w.writeNote(false)
		fresh, settled, unsaved, now := w.waiting()
		if every != w.opts.FlushTriggers { // SetLimits: what waits does so by the new time, from now on
			every = w.opts.FlushTriggers
			flush.stop()
		}
		if fresh {
			window.start(w.windowLeft())
		}
		if settled {
			flush.start(w.opts.FlushTriggers)
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
			case <-w.kick:
				continue
			case <-tidy.C:
				w.tidy()
				if w.oversized() {
					w.compact()
				}
				continue
			case <-w.fatal:
				w.giveUp()
				return
			case <-w.stop:
				w.lastCommit()
				w.writeNote(true)
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
		wroteRows, wrote := w.commit(task{rows: rows, cursors: late}, now)
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
func (w *writer) waiting() (fresh, settled, unsaved, now bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return false, false, false, false
	}
	fresh = len(w.offered) > 0
	return fresh, w.dirty || w.dirtyRows > 0, w.unsaved, w.urgent || fresh && w.opts.CommitEvery <= 0
}

// commit writes what waits and wakes the callers that wait for it. Rows come along when they are due, or when a commit
// is to be made anyway and none has carried any for a while; it reports whether they did, and whether there was a
// transaction at all. What every cloud has accepted by the end of its window is not written; if nothing else is, the
// younger sweeps keep their own windows. all ends these too.
func (w *writer) commit(t task, all bool) (rows, wrote bool) {
	w.mu.Lock()
	w.takeLimitsLocked()
	rows = t.rows
	must := rows || t.cursors || w.forced // whatever becomes of the sweeps
	all = all || w.forced
	due, cut := w.dueLocked(all)
	keeps := w.keepsLocked(cut)
	if keeps && !all { // one commit for all
		all = true
		due, cut = w.dueLocked(all)
	}
	w.takeGroups(len(due))
	if all {
		w.urgent, w.forced = false, false
	}
	if !must && !keeps {
		w.releaseLocked(cut, nil)
		w.mu.Unlock()
		finishGroups(due, nil, nil)
		return false, false
	}
	rows = rows || w.dirtyRows > 0 && time.Since(w.lastRows) >= w.opts.FlushTriggers*7/8
	w.busy = due
	w.mu.Unlock()
	err := w.write(task{offered: cut, rows: rows, newGaps: true, leaves: t.cursors && !rows && len(cut) == 0})
	stateErr := err
	if errors.Is(err, ErrFull) {
		w.opts.Logger.Error("store is full", "error", err)
		err, stateErr = w.makeRoom(cut)
	}
	if err == nil {
		err = w.lookAhead()
	}
	if err != nil && !errors.Is(err, ErrFull) {
		w.abort(err)
	}
	w.mu.Lock()
	w.busy = nil
	if rows = rows && stateErr == nil; rows {
		w.lastRows = time.Now()
	}
	w.mu.Unlock()
	w.letGo()
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
func (w *writer) tidy() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.overdueLocked(w.opts.Now()) {
		w.hurryLocked()
	}
}

// lastCommit is Close's part.
func (w *writer) lastCommit() {
	w.mu.Lock()
	idle := len(w.offered) == 0 && !w.dirty && w.dirtyRows == 0
	failed := w.err != nil
	w.mu.Unlock()
	switch {
	case failed:
		w.giveUp()
	case !idle:
		w.commit(task{rows: true}, true)
		w.writeLastRows()
	}
}

// writeLastRows is for a disk that was too full for the last commit: the rows about what was lost by it have no later
// one. The ballast makes room for them, and those about gaps come before those of deliveries.
func (w *writer) writeLastRows() {
	for _, t := range []task{{rows: true}, {Ballast: file.Release}, {rows: true}, {rows: true, gapsOnly: true}} {
		if w.rowsLeft() == 0 {
			return
		}
		if err := w.write(t); err != nil && !errors.Is(err, ErrFull) {
			w.abort(err)
			return
		}
	}
	if n := w.rowsLeft(); n > 0 {
		w.opts.Logger.Error("no room for the last rows of the log", "rows", n)
	}
}

// rowsLeft is how many rows wait, none when the store has stopped.
func (w *writer) rowsLeft() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0
	}
	return w.dirtyRows
}

// giveUp reports to callers that wait for a commit that none will come.
func (w *writer) giveUp() {
	w.mu.Lock()
	waiting := w.groups()
	w.takeGroups(len(waiting)) // no caller joins the new one: the store has stopped
	err := w.err
	w.mu.Unlock()
	finishGroups(waiting, err, err)
}

// windowLeft is how long the oldest batch may still wait.
func (w *writer) windowLeft() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.untilDue(time.Now(), w.opts.CommitEvery)
}

// dueLocked returns the batches whose window is over, or all, and the sweeps in them.
func (w *writer) dueLocked(all bool) ([]*commitGroup, []*offered) {
	due, n := w.window.due(time.Now(), w.opts.CommitEvery, all)
	return due, w.offered[:n:n]
}
