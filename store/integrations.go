package store

import (
	"fmt"
	"noi-agent/store/internal/record"
	"slices"
	"time"
)

// Integration names one destination.
type Integration struct {
	ID    string // 1 to 255 bytes, the key of everything the store keeps for it
	Topic string // topic or ARN, for the trigger rows from now on

	// AlarmsFirst: from now on samples of faults and alarms are sent before all other waiting samples.
	AlarmsFirst bool

	// GapMessages: gaps that are found from now on are announced to the cloud as messages (OpenGaps).
	GapMessages bool
}

// SetIntegrations sets the list of existing integrations, including paused ones. A new integration starts at the newest
// sample. A known integration keeps its cursor, and continues with its new topic. An integration that is not in the
// list keeps its backlog for 24 h, in case it comes back. Then the backlog is deleted and counted, with a row in the
// trigger log. Its rows and counters stay for 30 days. The list, and new gaps that were written before, are durable
// when the call returns nil.
func (s *Store) SetIntegrations(list []Integration) error {
	named := make(map[string]Integration, len(list))
	for _, in := range list {
		if _, lane := record.IsLane(in.ID); lane {
			return fmt.Errorf("set integrations: id %q: ends like a name of the store's own", in.ID)
		}
		if in.ID == "" || len(in.ID) > 255 {
			return fmt.Errorf("set integrations: id %q: must have 1 to 255 bytes", in.ID)
		}
		if _, twice := named[in.ID]; twice {
			return fmt.Errorf("set integrations: two have the id %q", in.ID)
		}
		named[in.ID] = in
	}
	s.mu.Lock()
	if err := s.usableLocked(); err != nil {
		s.mu.Unlock()
		return fmt.Errorf("set integrations: %w", err)
	}
	adopted := s.adoptLocked(named)
	s.dateGapsLocked()
	if !adopted && !s.hasNewGapsLocked() {
		s.mu.Unlock()
		return nil // nothing has changed, so a start needs no commit
	}
	b := s.hurryLocked()
	s.mu.Unlock()
	return b.waitState()
}

// adoptLocked takes the list over and reports whether it changed anything.
func (s *Store) adoptLocked(named map[string]Integration) (changed bool) {
	for id, in := range named {
		it := s.integrations[id]
		if it == nil {
			s.integrations[id] = newIntegration(s, id, in.Topic)
			s.integrations[id].openLaneLocked(in.AlarmsFirst)
			s.integrations[id].announces, s.integrations[id].madeNow = in.GapMessages, !slices.Contains(s.known, id)
			changed = true
			continue
		}
		if it.Topic != in.Topic || !it.OrphanedAt.IsZero() {
			it.Topic, it.OrphanedAt, it.modified = in.Topic, time.Time{}, true
			changed = true
		}
		it.announces = in.GapMessages
		changed = it.openLaneLocked(in.AlarmsFirst) || changed
	}
	for _, it := range s.integrations {
		if _, ok := named[it.owner().ID]; !ok && it.OrphanedAt.IsZero() {
			it.OrphanedAt, it.modified = s.orphanTime(), true
			changed = true
		}
	}
	return changed
}
