package store

import (
	"errors"
	"time"

	"noi-agent/store/internal/file"
	"noi-agent/store/internal/record"
)

// tidyEvery is how often a store without new samples checks its limits.
const tidyEvery = 10 * time.Minute

// writer is the goroutine that does all writes. Its methods are called on this goroutine only, and by Open before it
// begins.
type writer struct {
	*Store
	noteNames *record.Dictionary // the names in its notes
}

// touchLocked notes that something waits for a commit, and is not urgent.
func (s *Store) touchLocked() {
	s.dirty = true
	s.wakeWriter()
}

// hurryLocked requests a commit at once. It returns the group that is done after this commit.
func (s *Store) hurryLocked() *commitGroup {
	s.urgent, s.forced, s.dirty = true, true, true
	s.wakeWriter()
	return s.window.newest
}

// wakeWriter makes the writer look what waits.
func (s *signals) wakeWriter() {
	select {
	case s.kick <- struct{}{}:
	default: // the writer will run in any case
	}
}

// delay is a timer that is started once and stays set until it is stopped.
type delay struct {
	timer *time.Timer
	c     <-chan time.Time // nil: not set
}

func (d *delay) start(wait time.Duration) {
	if d.c == nil {
		d.timer = time.NewTimer(wait)
		d.c = d.timer.C
	}
}

// hold prevents the timer from ending, and from being started, until it is stopped.
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

// cursorEvery is how long the cursor of an integration that catches up waits for a commit. Together with the time of
// the cloud's answer and of a commit, this means: a kill repeats only samples of the last two seconds. An integration
// without a backlog needs no such commit. The file never had the samples that were accepted inside the commit window,
// and samples that are accepted later are of the last commit only.
const cursorEvery = 1500 * time.Millisecond

// loop is the goroutine. An offered sweep opens the commit window. When the window ends, one commit writes the samples
// that are not accepted by then, and the settlements. If trigger rows have waited for nearly FlushTriggers, such a
// commit also writes them. If they have waited for the whole FlushTriggers, they get their own commit: with a sweep a
// minute this is one commit a minute.
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
		if every != w.opts.FlushTriggers { // SetLimits: waiting rows use the new time from now on
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
					continue // the window is open and ends soon
				}
			}
		}
		window.stop()
		wroteRows, wrote := w.commit(task{rows: rows, cursors: late}, now)
		if wrote || late { // a window that ends without a transaction writes no cursor
			cursors.stop()
		}
		// Rows without room wait for the same time again.
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

// commit writes everything that waits, and wakes the callers. It also writes the rows if they are due, or nearly due
// and a commit is made in any case. Sweeps that every cloud has accepted by the end of their window are not written. If
// there is no other sweep to write, the newer sweeps keep their own windows; all ends these windows too. commit reports
// whether it wrote rows, and whether there was a transaction.
func (w *writer) commit(t task, all bool) (rows, wrote bool) {
	w.mu.Lock()
	w.takeLimitsLocked()
	rows = t.rows
	must := rows || t.cursors || w.forced // independent of the sweeps
	all = all || w.forced
	due, cut := w.dueLocked(all)
	keeps := cut.needed(w.integrations, w.opts.RetainAfterAck > 0)
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
	w.letGoPages()
	finishGroups(due, err, stateErr)
	return rows, true
}

// releaseLocked drops the oldest fresh sweeps from memory: they are in the file if they have a record, or every
// integration has settled them.
func (s *Store) releaseLocked(sweeps offers, records [][]byte) {
	for i, f := range sweeps {
		if !f.refused && (records == nil || records[i] == nil) {
			s.spared += uint64(len(f.sweep.Samples))
		}
	}
	s.accounts.count(s, len(sweeps))
	s.offered = append(offers(nil), s.offered[len(sweeps):]...)
}

// tidy makes a commit if a store without new samples has something to delete by its limits.
func (w *writer) tidy() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.overdueLocked(w.opts.Now()) {
		w.hurryLocked()
	}
}

// lastCommit makes the commit of Close.
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

// writeLastRows is for a disk that was too full for the last commit: there is no later commit for the rows about the
// lost samples. The ballast makes room. Rows about gaps come before rows of deliveries.
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

// rowsLeft returns how many rows wait; 0 if the store has stopped.
func (w *writer) rowsLeft() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0
	}
	return w.dirtyRows
}

// giveUp wakes the callers that wait for a commit: there will be none.
func (w *writer) giveUp() {
	w.mu.Lock()
	waiting := w.groups()
	w.takeGroups(len(waiting)) // no caller joins the new one: the store has stopped
	err := w.err
	w.mu.Unlock()
	finishGroups(waiting, err, err)
}

// windowLeft returns how long the oldest group may still wait.
func (w *writer) windowLeft() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.untilDue(time.Now(), w.opts.CommitEvery)
}

// dueLocked returns the groups whose window is over, or all groups, and their sweeps.
func (w *writer) dueLocked(all bool) ([]*commitGroup, offers) {
	due, n := w.window.due(time.Now(), w.opts.CommitEvery, all)
	return due, w.offered[:n:n]
}
