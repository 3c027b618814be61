package store

import (
	"testing"
	"time"
)

// TestAWindowEndsSliceBySlice: a window has slices. Each slice is due one window's length after its own begin.
func TestAWindowEndsSliceBySlice(t *testing.T) {
	const every = 8 * time.Second
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	w := window{newest: newGroup()}
	var offered []*commitGroup
	for s := range 10 { // one sweep a second
		b := w.openGroup(at(s), every)
		b.sweeps, b.samples = b.sweeps+1, b.samples+3
		offered = append(offered, b)
	}
	if left := w.untilDue(at(5), every); left != 3*time.Second {
		t.Errorf("the first batch waits for %v more", left)
	}
	due, sweeps := w.due(at(9), every, false)
	if len(due) != 2 || sweeps != 2 || due[0] != offered[0] || due[1] != offered[1] || w.samplesWaiting() != 30 {
		t.Errorf("%d batches with %d sweeps are due, %d samples wait", len(due), sweeps, w.samplesWaiting())
	}
	w.takeGroups(len(due))
	if all, sweeps := w.due(at(9), every, true); len(all) != 8 || sweeps != 8 {
		t.Errorf("left: %d batches with %d sweeps", len(all), sweeps)
	}
	w.takeGroups(8)
	if w.samplesWaiting() != 0 || w.newest == offered[9] {
		t.Error("the last batch still takes sweeps")
	}
}
