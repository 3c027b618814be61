package store

import (
	"fmt"

	"noi-agent/store/internal/record"
)

// Replayed is a settled delivery that is sent again. Attempts counts the attempts of this replay.
type Replayed struct {
	Delivery
	Row uint64 // its row of the trigger log; 0: it has none yet
}

// LogReplay writes the result of one attempt into the trigger log: the first into a new row, marked as replayed, later
// ones into the same row. It keeps row and attempts in d. The delivery stays settled whatever the outcome, and the
// counters of what was sent, failed and dropped stay as they are. It fails with ErrUnknownIntegration, with ErrClosed,
// and with the error that stopped the store.
func (s *Store) LogReplay(integration string, d *Replayed, r Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return fmt.Errorf("log replay: %w", err)
	}
	d.Attempts++
	sample := d.Sample
	if !r.SampledAt.IsZero() {
		sample.SampledAt = r.SampledAt
	}
	sample.SampledAt = record.ToMilli(sample.SampledAt)
	w := &record.Row{Place: record.Place{Seq: d.Seq, Index: d.Index}, Trigger: record.Trigger{
		ID: d.Row, Integration: it.ID, Topic: it.Topic, Success: r.Outcome == Accepted, Replayed: true,
		CompletedAt: record.ToMilli(r.CompletedAt), PublishedAt: record.ToMilli(r.PublishedAt), Attempts: d.Attempts,
		MessageID: r.MessageID, Error: record.CutError(r.Error), Run: d.Run, Source: d.Source, Sample: sample,
	}, Estimated: r.Estimated}
	if r.Outcome == Accepted {
		it.replayed++
		it.traffic.Replayed++
		it.arrivedLocked(w.Place)
	}
	if w.ID != 0 {
		it.writeRowLocked(w)
		return nil
	}
	it.addRowLocked(w)
	d.Row = w.ID
	return nil
}
