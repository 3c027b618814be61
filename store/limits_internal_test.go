package store

import (
	"testing"
	"time"
)

// TestForgottenIntegrationsLeaveNothingToWrite: an integration that is deleted after a month leaves no rows that wait
// for a commit for ever.
func TestForgottenIntegrationsLeaveNothingToWrite(t *testing.T) {
	s := openForTest(t, Options{Limits: Limits{FlushTriggers: time.Hour}})
	list := []Integration{{ID: "aws", Topic: "T", AlarmsFirst: true}, {ID: "gcp", Topic: "U"}}
	if err := s.SetIntegrations(list); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), sweepOf(1, 10, "aws")); err != nil {
		t.Fatal(err)
	}
	pending, err := s.Pending("aws", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Settle("aws", []Result{{Seq: pending[0].Seq, Index: pending[0].Index, Outcome: Retrying,
		Error: "Unavailable: no link"}}); err != nil {
		t.Fatal(err) // the row is closed when the backlog is dropped, then it waits for a commit
	}
	if err := s.SetIntegrations(list[1:]); err != nil {
		t.Fatal(err)
	}
	begun := s.opts.Now()
	// the first call, after a day, drops the backlog; the later ones remove the rest, the lane first
	for days := range 4 {
		now := begun.AddDate(0, 0, 1+40*days)
		s.mu.Lock()
		s.opts.Now = func() time.Time { return now }
		s.mu.Unlock()
		if err := s.Append(t.Context(), sweepOf(uint64(100+10*days), 10, "gcp")); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := 0
	for _, it := range s.integrations {
		waiting += it.dirty.size()
	}
	if len(s.integrations) != 1 || s.dirtyRows != waiting {
		t.Errorf("%d integrations; dirtyRows is %d, and %d rows wait", len(s.integrations), s.dirtyRows, waiting)
	}
}
