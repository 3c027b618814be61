package store

import (
	"fmt"

	"noi-agent/objects"
	"noi-agent/store/internal/record"
)

const (
	// growsWithin is how many rows may follow a row that still grows. After that the gap continues in a new row: the
	// log keeps the rows with the newest ids, and must not lose the gap that continues now.
	growsWithin = record.KeepGaps / 2
	// recentGaps is how many of them Stats shows.
	recentGaps = 20
	// maxOpenGaps limits how many gaps are kept in memory, so that they can grow instead of becoming many rows.
	maxOpenGaps = 8192
)

// Details of the reasons, behind the constants of package objects.
const (
	whyAge      = objects.GapAge + ": the outbox keeps samples for %s"
	whySize     = objects.GapSize + ": the outbox is full at %s"
	whyReject   = objects.GapRejected + ": the outbox is full at %s, and keeps what it has"
	whyDiskFull = objects.GapDiskFull
	whyRemoved  = objects.GapRemoved + ": %s after the integration was taken out of the configuration"
	whyDamaged  = objects.GapDamaged + ": a record in the outbox does not read"
)

// gapKey is equal for gaps that can share a row.
type gapKey struct {
	unit, object, reason string
	run                  uint64
}

func keyOf(g objects.Gap) gapKey { return gapKey{g.Unit, g.Object, g.Reason, g.Run} }

// continues reports whether b continues a: there is no sample between them, or the time between them is short. Each
// time without an agent has its own row.
func continues(a, b objects.Gap) bool {
	if a.Reason == objects.GapAgent {
		return false
	}
	between := b.From.Sub(a.To)
	return keyOf(a) == keyOf(b) && (b.First == 0 || b.First == a.Last+1 || between >= 0 && between < record.OneGap)
}

// join returns both as one.
func join(a, b objects.Gap) objects.Gap {
	if b.From.Before(a.From) {
		a.From = b.From
	}
	if b.To.After(a.To) {
		a.To = b.To
	}
	a.Last = max(a.Last, b.Last)
	a.Count += b.Count
	return a
}

// losses are the samples that one integration loses in one commit, as gaps.
type losses struct {
	spans []record.Span
	last  map[gapKey]int
	count uint64
}

// add counts one sample of a sweep. A sample that cannot be read is counted, and reported as a damaged record.
func (l *losses) add(sw objects.Sweep, i int, reason string) {
	l.count++
	if i >= len(sw.Samples) {
		return
	}
	sample := sw.Samples[i]
	at := record.InstantOf(sw, i)
	l.merge(record.Span{Begins: at, Ends: at, Gap: objects.Gap{
		Unit: sw.Source.Unit(), Object: sample.Object, Run: sw.Run, From: sample.SampledAt, To: sample.SampledAt,
		First: sample.Seq, Last: sample.Seq, Count: 1, Reason: reason,
	}})
}

func (l *losses) merge(sp record.Span) {
	if l.last == nil {
		l.last = map[gapKey]int{}
	}
	key := keyOf(sp.Gap)
	if i, ok := l.last[key]; ok && continues(l.spans[i].Gap, sp.Gap) {
		joined := l.spans[i].Join(sp)
		joined.Gap = join(l.spans[i].Gap, sp.Gap)
		l.spans[i] = joined
		return
	}
	l.last[key] = len(l.spans)
	l.spans = append(l.spans, sp)
}

// logLossesLocked writes what an integration lost into its log.
func (it *integration) logLossesLocked(l losses) {
	if len(l.spans) == 0 {
		return
	}
	it.store.opts.Logger.Warn("samples dropped", "integration", it.ID, "count", l.count, "reason",
		l.spans[0].Gap.Reason)
	for _, sp := range l.spans {
		it.owner().logSpanLocked(sp)
	}
}

// logGapLocked writes a gap, or extends the gap before it: an overflow that lasts hours is one row for each object.
func (it *integration) logGapLocked(g objects.Gap) {
	g.From, g.To = record.ToMilli(g.From), record.ToMilli(g.To)
	ongoing := g.Ongoing
	g.Ongoing = false
	w := &record.Row{Trigger: record.Trigger{Topic: it.Topic, CompletedAt: record.ToMilli(it.store.opts.Now()), Gap: g}}
	if last := it.grows[keyOf(g)]; last != nil && last.Undated == nil && !last.Gap.Acknowledged &&
		continues(last.Gap, g) && it.gapsMade-last.Before < growsWithin {
		w.ID, w.Integration, w.Gap, w.Before = last.ID, last.Integration, join(last.Gap, g), last.Before
		ongoing = ongoing && !last.Open
	} else {
		it.newGapRowLocked(w)
	}
	w.Error, w.Open = record.GapText(w.Gap), it.announces && !ongoing
	it.keepGapLocked(w)
}

// newGapRowLocked gives a row about a gap its number. The present commit window, or the next one, ends with a commit
// that writes the row, even if no sample must be written. Before this commit, a kill would make the gap include samples
// that were accepted after it.
func (it *integration) newGapRowLocked(w *record.Row) {
	s := it.store
	s.totals.Row++
	w.ID, w.Integration, w.Before = s.totals.Row, it.ID, it.gapsMade
	it.gapsMade++
	it.newGap, s.forced = true, true
	s.settledLateLocked()
}

// Missing writes gaps that the agent knows of into an integration's log: due moments that gave no sample. They are
// written with the trigger rows. It fails with ErrUnknownIntegration, with ErrClosed, and with the error that stopped
// the store.
func (s *Store) Missing(integration string, gaps ...objects.Gap) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return fmt.Errorf("missing: %w", err)
	}
	for _, g := range gaps {
		it.logGapLocked(g)
	}
	return nil
}
