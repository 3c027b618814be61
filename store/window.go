package store

import "time"

// window is the commit window: the batches that wait for a commit. It knows no store, and takes the time from its
// caller.
type window struct {
	older  []*commitGroup // wait for a commit, the oldest first
	newest *commitGroup   // the newest, which offers join
	busy   []*commitGroup // what the running commit took; nil: none runs
	urgent bool           // the next commit should not wait
	forced bool           // nor be left out when all is accepted
}

// newest is what was offered in one slice of the commit window, and what waits for the commit besides. Its errors are
// set before done is closed.
type commitGroup struct {
	samples  int
	sweeps   int
	opened   time.Time // when the first of them was offered
	done     chan struct{}
	err      error // of the sweeps
	stateErr error // of everything else
}

// windowSlices is into how many batches a commit window is divided. What is offered shortly before a window closes has
// a window of its own: else every sweep that is on its way just then would be written, though a cloud is about to take
// it.
const windowSlices = 8

func newGroup() *commitGroup { return &commitGroup{done: make(chan struct{})} }

func (b *commitGroup) finish(err, stateErr error) {
	b.err, b.stateErr = err, stateErr
	close(b.done)
}

func (b *commitGroup) waitState() error {
	<-b.done
	return b.stateErr
}

// untilDue is how long the oldest batch may still wait.
func (w *window) untilDue(now time.Time, every time.Duration) time.Duration {
	return max(0, every-now.Sub(w.groups()[0].opened))
}

// groups are those that wait, the oldest first; the last one is the one that offers join.
func (w *window) groups() []*commitGroup {
	return append(w.older[:len(w.older):len(w.older)], w.newest)
}

// due returns the batches whose window is over, or all, and how many sweeps are in them.
func (w *window) due(now time.Time, every time.Duration, all bool) (due []*commitGroup, sweeps int) {
	for _, b := range w.groups() {
		if !all && now.Sub(b.opened) < every {
			break
		}
		due, sweeps = append(due, b), sweeps+b.sweeps
	}
	return due, sweeps
}

// takeGroups takes the oldest batches out.
func (w *window) takeGroups(n int) {
	if n > len(w.older) {
		w.older, w.newest = nil, newGroup()
		return
	}
	w.older = append([]*commitGroup(nil), w.older[n:]...)
}

// finishGroups wakes the callers that wait for any of the batches.
func finishGroups(batches []*commitGroup, err, stateErr error) {
	for _, b := range batches {
		b.finish(err, stateErr)
	}
}

// openGroup returns the batch that takes what is offered now: that of the current slice of the window.
func (w *window) openGroup(now time.Time, every time.Duration) *commitGroup {
	if w.newest.sweeps > 0 && now.Sub(w.newest.opened) >= every/windowSlices {
		w.older, w.newest = append(w.older, w.newest), newGroup()
	}
	if w.newest.sweeps == 0 {
		w.newest.opened = now
	}
	return w.newest
}

// samplesWaiting is how many wait for a commit.
func (w *window) samplesWaiting() (n int) {
	for _, b := range w.groups() {
		n += b.samples
	}
	return n
}
