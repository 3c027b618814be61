package store

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"noi-agent/objects"
	"noi-agent/store/internal/record"
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
	if !adopted && !s.integrations.haveNewGaps() {
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

// integrations has all integrations and their lanes by id, also those that were removed and are not forgotten yet.
// Guarded by Store.mu.
type integrations map[string]*integration

// ordered returns the integrations in the order of their ids, so that equal runs have equal results.
func (all integrations) ordered() []*integration {
	out := make([]*integration, 0, len(all))
	for _, it := range all {
		out = append(out, it)
	}
	slices.SortFunc(out, func(a, b *integration) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// check refuses a sweep that could not be read back unchanged.
func (all integrations) check(sw objects.Sweep) error {
	n := len(sw.Samples)
	if len(sw.Routes) > 0 && (n == 0 || n > record.MaxSamples) {
		return fmt.Errorf("sweep of %s: %d samples, not 1 to %d", sw.Source.Unit(), n, record.MaxSamples)
	}
	for _, sample := range sw.Samples {
		if sample.Value.Kind() == 0 {
			return fmt.Errorf("sweep of %s: %s has no value", sw.Source.Unit(), sample.Object)
		}
	}
	seen := make(map[string]bool, len(sw.Routes))
	for _, route := range sw.Routes {
		if all[route.Integration] == nil {
			return fmt.Errorf("sweep of %s: %w %q", sw.Source.Unit(), ErrUnknownIntegration, route.Integration)
		}
		if seen[route.Integration] || !ascending(route.Picked, n) {
			return fmt.Errorf("sweep of %s: route to %s: picks must be ascending indexes below %d, once each",
				sw.Source.Unit(), route.Integration, n)
		}
		seen[route.Integration] = true
	}
	return nil
}

// waitFor reports whether an integration still waits for a fresh sweep.
func (all integrations) waitFor(f *offered) bool {
	for _, p := range f.routes {
		if it := all[p.Integration]; it != nil && it.pendingIn(f.seq, p.Set) > 0 {
			return true
		}
	}
	return false
}

// refuseLocked refuses fresh sweeps that cannot be kept. An integration that has not settled them loses them. head is
// the number of the next new sweep.
func (all integrations) refuseLocked(sweeps offers, reason string, head uint64) {
	if len(sweeps) == 0 {
		return
	}
	for _, it := range all.ordered() {
		var lost losses
		for _, f := range sweeps {
			for _, p := range f.routes {
				if p.Integration == it.ID && !f.refused {
					it.refuse(f.seq, p.Set, func(i int) {
						lost.add(f.sweep, i, reason)
						it.owner().closeRowLocked(record.Place{Seq: f.seq, Index: i})
					})
				}
			}
		}
		it.logLossesLocked(lost)
		it.trim(head)
	}
	for _, f := range sweeps {
		f.refused = true
	}
}

// haveNewGaps reports whether a new row about a gap waits for a commit.
func (all integrations) haveNewGaps() bool {
	for _, it := range all {
		if it.newGap {
			return true
		}
	}
	return false
}

// orphans returns the integrations and lanes whose backlog must be deleted, because they were removed a day ago. There
// are none while the clock is not trusted.
func (all integrations) orphans(clock Clock, now time.Time) (due []*integration) {
	if !clock.old() {
		return nil
	}
	for _, it := range all.ordered() {
		if it.Backlog > 0 && !it.OrphanedAt.IsZero() && now.Sub(it.OrphanedAt) >= orphanBacklog {
			due = append(due, it)
		}
	}
	return due
}
