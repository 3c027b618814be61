package store

import (
	"maps"
	"slices"
	"time"

	"noi-agent/store/internal/record"
)

// rowLog is the trigger log of an integration, as far as it is in memory: rows that wait for a commit, deliveries that
// will be tried again, dead letters and gaps. Guarded by Store.mu but for the counts of rows in the file.
type rowLog struct {
	open     map[record.Place]*record.Row // rows of deliveries still being retried
	dirty    *rowSet                      // rows that are in no commit yet
	cutTo    int                          // how many of these rows were left after the last cut
	flushing *rowSet                      // rows of the running commit
	rowCount int                          // rows about deliveries in the file; only the writer uses it
	gapsKept int                          // rows about gaps in the file; only the writer uses it

	dead      map[uint64]*record.Row // rejected deliveries, by the id of their row
	deadDirty map[uint64]bool        // changed dead letters that are not in the file yet

	grows     map[gapKey]*record.Row // the newest row of each kind of gap
	undated   map[uint64]*record.Row // rows about gaps that wait for the clock, by id
	madeNow   bool                   // the integration is new in this run
	gapsMade  uint64                 // rows about gaps, those in the file included
	newGap    bool                   // a gap is in no commit yet
	announces bool                   // gaps are sent as messages too
	openGaps  map[uint64]*record.Row // gaps that are not sent yet, by id
	unseen    map[uint64]bool        // ids of the gaps that are not acknowledged; without the undated ones
	recent    []*record.Row          // the newest gaps in unseen, for Stats
}

func newRowLog() rowLog {
	return rowLog{
		open: map[record.Place]*record.Row{}, dirty: newRowSet(), flushing: newRowSet(),
		dead: map[uint64]*record.Row{}, deadDirty: map[uint64]bool{}, grows: map[gapKey]*record.Row{},
		undated: map[uint64]*record.Row{}, openGaps: map[uint64]*record.Row{}, unseen: map[uint64]bool{},
	}
}

// mayGrow notes the newest row of each kind of gap. A gap without numbers, such as the time without an agent, does not
// grow.
func (l *rowLog) mayGrow(w *record.Row) {
	if w.Undated != nil && w.Gap.First == 0 {
		return
	}
	if len(l.grows) >= maxOpenGaps {
		clear(l.grows)
	}
	if last := l.grows[keyOf(w.Gap)]; last == nil || last.ID <= w.ID {
		l.grows[keyOf(w.Gap)] = w
	}
}

// reload takes over a row about a gap from the file; the calls are in the order of the ids. A gap with numbers may
// still grow, because samples of earlier runs are deleted in this run. A gap without numbers, such as the time without
// an agent, belongs to one start.
func (l *rowLog) reload(w *record.Row) {
	w.Before = l.gapsMade
	l.gapsMade++
	if w.Undated != nil {
		l.undated[w.ID] = w
	} else {
		l.remember(w)
	}
	if w.Open {
		l.openGaps[w.ID] = w
	}
	if w.Gap.First > 0 {
		l.grows[keyOf(w.Gap)] = w
	}
}

// remember counts a gap that is not acknowledged, and keeps the newest of them for Stats.
func (l *rowLog) remember(w *record.Row) {
	if w.Gap.Acknowledged {
		l.dismiss(w.ID)
		return
	}
	l.unseen[w.ID] = true
	cutGaps(l.unseen)
	if i := slices.IndexFunc(l.recent, func(old *record.Row) bool { return old.ID == w.ID }); i >= 0 {
		l.recent[i] = w
		return
	}
	l.recent = append(l.recent, w)
	l.recent = l.recent[max(0, len(l.recent)-recentGaps):]
}

// dismiss removes an acknowledged gap from those of Stats.
func (l *rowLog) dismiss(id uint64) {
	delete(l.unseen, id)
	l.recent = slices.DeleteFunc(l.recent, func(w *record.Row) bool { return w.ID == id })
}

// cutGaps removes the oldest gaps, by id, if there are twice as many as the log keeps. The log does not have them any
// more, and memory must not grow while a cloud is out of reach.
func cutGaps[V any](gaps map[uint64]V) {
	if len(gaps) <= 2*record.KeepGaps {
		return
	}
	ids := slices.Sorted(maps.Keys(gaps))
	for _, id := range ids[:len(ids)-record.KeepGaps] {
		delete(gaps, id)
	}
}

// oldestDead returns the time at which the oldest dead letter was rejected; zero: there is none.
func (l *rowLog) oldestDead() (at time.Time) {
	for _, w := range l.dead {
		if at.IsZero() || w.CompletedAt.Before(at) {
			at = w.CompletedAt
		}
	}
	return at
}

// takeDead returns the changes of dead letters for the running commit; nil: removed.
func (l *rowLog) takeDead() map[uint64]*record.Row {
	out := map[uint64]*record.Row{}
	for id := range l.deadDirty {
		out[id] = l.dead[id]
	}
	l.deadDirty = map[uint64]bool{}
	return out
}

// waitingGaps returns how many gaps of this store wait for the clock.
func (l *rowLog) waitingGaps() (n int) {
	for _, w := range l.undated {
		if w.Undated.Begins.Run != 0 {
			n++
		}
	}
	return n
}

// owesGapRows reports whether a row about a gap waits for a commit.
func (l *rowLog) owesGapRows() bool {
	for range l.dirty.gaps() {
		return true
	}
	return false
}
