package store

import (
	"math"

	"noi-agent/objects"
	"noi-agent/store/internal/record"
)

// A lane is a second cursor of an integration, for its faults and alarms. Samples of the lane are sent first. In the
// outbox a lane is an integration like others, with an id that no integration has. Its rows and counters are those of
// the integration to which it belongs. An object is in only one of the two, so that its samples keep their order.
//
// When the lane is new, samples of its objects may still wait among the others. The lane is blocked until these are
// settled: until the cursor has passed the sweep at which the lane began. While the lane has samples, no other sample
// of that sweep or of a later one is sent. A lane that is no longer wanted is emptied before the other samples
// continue. If it is wanted again, it gets no samples before it is empty, and then begins again.

// laneClosed is in the place of the topic: the lane was not wanted at the last SetIntegrations.
const laneClosed = "closed"

// owner returns the integration that has log and counters: of a lane its integration, otherwise the integration itself.
func (it *integration) owner() *integration {
	if it.main != nil {
		return it.main
	}
	return it
}

// openLaneLocked gives an integration its lane, or closes it. It reports whether anything changed.
func (it *integration) openLaneLocked(wanted bool) (changed bool) {
	s := it.store
	it.split = wanted
	lane := it.lane
	if lane == nil {
		if !wanted {
			return false
		}
		lane = newIntegration(s, it.ID+record.LaneSuffix, "")
		lane.main, it.lane = it, lane
		s.integrations[lane.ID] = lane
		return true
	}
	if lane.OrphanedAt != it.OrphanedAt {
		lane.OrphanedAt, changed = it.OrphanedAt, true
	}
	if !wanted && lane.Topic != laneClosed {
		lane.Topic, changed = laneClosed, true
	}
	lane.modified = lane.modified || changed
	return changed
}

// takes reports whether the alarms of the sweep with the number head go into the lane. A closed lane opens when it is
// empty.
func (it *integration) takes(head uint64) bool {
	if it.lane == nil || !it.split {
		return false
	}
	if it.lane.Topic == laneClosed {
		if it.lane.Backlog > 0 {
			return false
		}
		it.lane.Topic, it.lane.Born, it.lane.modified = "", head, true
	}
	return true
}

// linkLanes finds the lanes among the integrations of a file.
func (m *beginning) linkLanes() {
	for id, it := range m.integrations {
		owner, ok := record.IsLane(id)
		if main := m.integrations[owner]; ok && main != nil {
			it.main, main.lane = main, it
		}
	}
}

// first returns the lane if its samples must be sent first now, otherwise nil.
func (it *integration) first() *integration {
	if it.lane != nil && it.lane.Backlog > 0 && it.At >= it.lane.Born {
		return it.lane
	}
	return nil
}

// until returns the number of the first sweep that must not be sent before the samples of the lane.
func (it *integration) until() uint64 {
	if it.lane != nil && it.lane.Backlog > 0 {
		return it.lane.Born
	}
	return math.MaxUint64
}

// holder returns the one that waits for a delivery, the integration or its lane, and the entry there; nil if neither
// waits.
func (it *integration) holder(at record.Place) (*integration, *entry) {
	if e := it.find(at.Seq); e != nil && e.pending(at.Index) {
		return it, e
	}
	if it.lane != nil {
		if e := it.lane.find(at.Seq); e != nil && e.pending(at.Index) {
			return it.lane, e
		}
	}
	return nil, nil
}

// lanes divides the samples of a new sweep between the integration and its lane.
func (it *integration) lanes(seq uint64, samples []objects.Sample, set record.Bitset) []record.Picks {
	if !it.takes(seq) {
		return []record.Picks{{Integration: it.ID, Set: set}}
	}
	others, alarms := record.NewBitset(len(samples)), record.NewBitset(len(samples))
	for i := range samples {
		switch {
		case set.Has(i) && samples[i].Alarm:
			alarms.Set(i)
		case set.Has(i):
			others.Set(i)
		}
	}
	out := make([]record.Picks, 0, 2)
	for _, p := range []record.Picks{{Integration: it.ID, Set: others}, {Integration: it.lane.ID, Set: alarms}} {
		if p.Set.Count() > 0 {
			out = append(out, p)
		}
	}
	return out
}
