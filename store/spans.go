package store

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"noi-agent/store/internal/record"
)

// multiples returns how many multiples of an interval have passed since 1970. Objects are sampled at these multiples.
func multiples(at time.Time, every time.Duration) int64 {
	ms, step := at.UnixMilli(), max(1, every.Milliseconds())
	if ms < 0 {
		return (ms - step + 1) / step
	}
	return ms / step
}

// untilNext returns the time from a moment to the next multiple of an interval.
func untilNext(at time.Time, every time.Duration) time.Duration {
	step := max(1, every.Milliseconds())
	return time.UnixMilli((multiples(at, every) + 1) * step).Sub(at)
}

// MissingSpan writes gaps that the agent knows of into an integration's log. Their begin and end may still wait for the
// clock. The gaps are in the file with the next commit, and are shown and announced after they have their times.
// Samples that were missing before an integration existed are not in its gaps. Errors are those of Missing.
func (s *Store) MissingSpan(integration string, spans ...record.Span) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return fmt.Errorf("missing: %w", err)
	}
	for _, sp := range spans {
		if it.madeNow && sp.Begins.Run != s.run && sp.Begins.Run != 0 {
			continue
		}
		it.logSpanLocked(sp)
	}
	return nil
}

// Dark returns, by integration, the spans that begin before this store existed (a Begins of run 0). Their ends have the
// times that this store knows, because another store does not know its runs.
func (s *Store) Dark() map[string][]record.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]record.Span{}
	for id, it := range s.integrations {
		for _, w := range it.undated {
			if w.Undated.Begins.Run == 0 {
				sp := *w.Undated
				sp.Ends.At, _ = s.dateOf(sp.Ends)
				sp.Ends.Unsure = false
				out[id] = append(out[id], sp)
			}
		}
	}
	return out
}

// MissingDark writes the spans of another store's Dark into the log, as far as this file knows the integration and the
// last sample before the span. It is called before SetIntegrations, which gives the spans their times.
func (s *Store) MissingDark(dark map[string][]record.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, spans := range dark {
		for _, sp := range spans {
			before, known := s.own[record.Accounted{Unit: sp.Gap.Unit, Object: sp.Gap.Object}]
			if it := s.integrations[id]; it != nil && known && before.Until.Run < sp.Ends.Run {
				sp.Begins, sp.Every = before.Until, before.Every
				it.logUndatedLocked(sp)
			}
		}
	}
}

func (it *integration) logSpanLocked(sp record.Span) {
	g, known := it.store.date(sp)
	switch {
	case !known:
		it.logUndatedLocked(sp)
	case sp.Every == 0 || g.Count > 0:
		it.logGapLocked(g)
	}
}

// logUndatedLocked writes a row that waits for the clock, or extends the row before it.
func (it *integration) logUndatedLocked(sp record.Span) {
	w := &record.Row{Trigger: record.Trigger{Topic: it.Topic, CompletedAt: record.ToMilli(it.store.opts.Now())}}
	if last := it.grows[keyOf(sp.Gap)]; last != nil && last.Undated != nil && last.Undated.GoesOn(sp) &&
		it.gapsMade-last.Before < growsWithin {
		w.ID, w.Integration, w.Before = last.ID, last.Integration, last.Before
		sp = last.Undated.Join(sp)
	} else {
		it.newGapRowLocked(w)
	}
	w.Gap, w.Undated = sp.Gap, &sp
	w.Gap.From, w.Gap.To = record.ToMilli(sp.Begins.At), record.ToMilli(sp.Ends.At)
	it.undated[w.ID] = w
	if len(it.undated) > record.KeepGaps { // the log keeps no more
		delete(it.undated, slices.Min(slices.Collect(maps.Keys(it.undated))))
	}
	it.mayGrow(w)
	it.writeRowLocked(w)
}

// dateGapsLocked gives waiting rows their times, if these are known now. A row is deleted if no sample is missing.
func (s *Store) dateGapsLocked() {
	for _, it := range s.integrations.ordered() {
		for _, id := range slices.Sorted(maps.Keys(it.undated)) {
			old := it.undated[id]
			g, known := s.date(*old.Undated)
			if !known {
				continue
			}
			w := *old
			w.Undated, w.CompletedAt = nil, record.ToMilli(s.opts.Now())
			w.Void = old.Undated.Every > 0 && g.Count == 0
			g.From, g.To = record.ToMilli(g.From), record.ToMilli(g.To)
			w.Open = it.announces && !g.Ongoing && !w.Void
			g.Ongoing = false
			w.Gap, w.Error = g, record.GapText(g)
			delete(it.undated, id)
			it.newGap, s.forced = true, true
			s.settledLateLocked()
			if w.Void {
				it.writeRowLocked(&w)
			} else {
				it.keepGapLocked(&w)
			}
		}
	}
}
