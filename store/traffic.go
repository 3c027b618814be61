package store

import (
	"fmt"
)

// CountTraffic adds to an integration's traffic. While the clock is not known to be right, the traffic counts for the
// last known day. It fails with ErrUnknownIntegration, with ErrClosed, and with the error that stopped the store.
func (s *Store) CountTraffic(integration string, sent, received uint64) error {
	if sent == 0 && received == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integrationLocked(integration)
	if err != nil {
		return fmt.Errorf("count traffic: %w", err)
	}
	t := &it.traffic
	if s.opts.Clock.good() {
		t.Turn(s.opts.Now())
	}
	for _, n := range []*uint64{&t.TodaySent, &t.MonthSent, &t.Sent} {
		*n += sent
	}
	for _, n := range []*uint64{&t.TodayReceived, &t.MonthReceived, &t.Received} {
		*n += received
	}
	return nil
}
