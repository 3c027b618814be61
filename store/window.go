package store

import "time"

// window is the commit window: the groups of sweeps that wait for a commit. It has no store and no clock; the caller
// gives the time.
type window struct {
	older  []*commitGroup // groups that wait for a commit, the oldest first
	newest *commitGroup   // the newest group, to which new sweeps are added
	busy   []*commitGroup // groups of the running commit; nil: none runs
	urgent bool           // the next commit must not wait for the end of the window
	forced bool           // the next commit is made even if every sweep is accepted
}

// commitGroup is the sweeps that were offered in one slice of the commit window, and the callers that wait for the
// commit. Its errors are set before done is closed.
type commitGroup struct {
	samples  int
	sweeps   int
	opened   time.Time // when the first sweep was offered
	done     chan struct{}
	err      error // of the sweeps
	stateErr error // of everything else
}

// windowSlices is the number of groups in a commit window. A sweep that is offered shortly before a window ends then
// has its own window. With one group, every sweep in flight at that moment would be written, although a cloud is about
// to accept it.
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

// untilDue returns how long the oldest group may still wait.
func (w *window) untilDue(now time.Time, every time.Duration) time.Duration {
	return max(0, every-now.Sub(w.groups()[0].opened))
}

// groups returns the waiting groups, the oldest first. New sweeps join the last one.
func (w *window) groups() []*commitGroup {
	return append(w.older[:len(w.older):len(w.older)], w.newest)
}

// due returns the groups whose window is over, or all groups, and the number of their sweeps.
func (w *window) due(now time.Time, every time.Duration, all bool) (due []*commitGroup, sweeps int) {
	for _, b := range w.groups() {
		if !all && now.Sub(b.opened) < every {
			break
		}
		due, sweeps = append(due, b), sweeps+b.sweeps
	}
	return due, sweeps
}

// takeGroups removes the n oldest groups.
func (w *window) takeGroups(n int) {
	if n > len(w.older) {
		w.older, w.newest = nil, newGroup()
		return
	}
	w.older = append([]*commitGroup(nil), w.older[n:]...)
}

// finishGroups wakes the callers that wait for these groups.
func finishGroups(batches []*commitGroup, err, stateErr error) {
	for _, b := range batches {
		b.finish(err, stateErr)
	}
}

// openGroup returns the group for sweeps that are offered now: that of the present slice of the window.
func (w *window) openGroup(now time.Time, every time.Duration) *commitGroup {
	if w.newest.sweeps > 0 && now.Sub(w.newest.opened) >= every/windowSlices {
		w.older, w.newest = append(w.older, w.newest), newGroup()
	}
	if w.newest.sweeps == 0 {
		w.newest.opened = now
	}
	return w.newest
}

// samplesWaiting returns how many samples wait for a commit.
func (w *window) samplesWaiting() (n int) {
	for _, b := range w.groups() {
		n += b.samples
	}
	return n
}
