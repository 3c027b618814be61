package store

import (
	"fmt"
	"maps"
	"noi-agent/store/internal/record"
	"slices"
	"time"
)

// announceAfter is how long a gap must not have grown before it is announced, so that a gap that grows every second is
// not announced every second.
const announceAfter = time.Minute

// OpenGaps returns the gaps of an integration with GapMessages that have not been announced, or have grown since,
// oldest first. It leaves out gaps that have grown within the last minute. It fails with ErrUnknownIntegration, with
// ErrClosed, and with the error that stopped the store.
func (s *Store) OpenGaps(integration string, limit int) ([]record.Trigger, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return nil, fmt.Errorf("open gaps: %w", err)
	}
	if !it.announces {
		return nil, nil
	}
	now := s.opts.Now()
	var out []record.Trigger
	for _, id := range slices.Sorted(maps.Keys(it.openGaps)) {
		w := it.openGaps[id]
		if rest := now.Sub(w.CompletedAt); rest >= 0 && rest < announceAfter {
			continue
		}
		if out = append(out, w.Trigger); len(out) == limit {
			break
		}
	}
	return out, nil
}

// SettleGap records the result of the announcement of a gap from OpenGaps. Accepted and Failed end it, unless the gap
// has grown meanwhile: then it is announced once more. It fails with ErrUnknownIntegration, with ErrClosed, and with
// the error that stopped the store.
func (s *Store) SettleGap(integration string, announced record.Trigger, r Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return fmt.Errorf("settle gap: %w", err)
	}
	old := it.openGaps[announced.ID]
	if old == nil {
		return nil
	}
	w := *old
	w.Attempts++
	w.PublishedAt, w.MessageID = record.ToMilli(r.PublishedAt), r.MessageID
	announced.Gap.Acknowledged = w.Gap.Acknowledged // of no interest for the cloud
	if r.Outcome != Retrying && w.Gap == announced.Gap {
		w.Open = false
		it.newGap = true // otherwise the gap would be announced again after a kill
		s.settledLateLocked()
	}
	it.keepGapLocked(&w)
	return nil
}

// keepGapLocked replaces a row about a gap in every place that has it.
func (it *integration) keepGapLocked(w *record.Row) {
	delete(it.openGaps, w.ID)
	if w.Open {
		it.openGaps[w.ID] = w
		cutGaps(it.openGaps)
	}
	it.mayGrow(w)
	it.remember(w)
	it.writeRowLocked(w)
}
