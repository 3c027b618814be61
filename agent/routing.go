package agent

import (
	"math"
	"reflect"
	"time"

	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/store"
)

// routing has the integrations to which samples are routed. It also has their earlier filters, because a filter may
// change during a gap. Then the integration gets only the part of the gap in which it got the object. A routing never
// changes.
type routing struct {
	list []configs.Integration
	past map[string][]filter // by the id of the integration, the oldest first
}

// filter is the filter of an integration, from a moment on.
type filter struct {
	in *configs.Integration // nil: the integration was removed
	at time.Duration        // uptime; 0: since the agent started
}

// mostFilters limits the filters that are kept of an integration.
const mostFilters = 32

// newRouting returns the routing after before, from an uptime on. before is nil at the start of the agent.
func newRouting(list []configs.Integration, before *routing, uptime time.Duration) *routing {
	r := &routing{list, map[string][]filter{}}
	for i := range list {
		in := &list[i]
		if before == nil {
			r.past[in.ID] = []filter{{in, 0}}
			continue
		}
		past := before.past[in.ID]
		if n := len(past); n == 0 || !sameFilter(past[n-1].in, in) {
			past = append(past[:n:n], filter{in, uptime})
		}
		r.past[in.ID] = past[max(0, len(past)-mostFilters):]
	}
	if before == nil {
		return r
	}
	for id, past := range before.past {
		n := len(past)
		switch last := past[n-1]; {
		case r.past[id] != nil, last.in == nil && uptime-last.at > 2*poll.SoFarEvery: // its gaps are reported
		case last.in == nil:
			r.past[id] = past
		default:
			r.past[id] = append(past[:n:n], filter{nil, uptime})
		}
	}
	return r
}

func sameFilter(a, b *configs.Integration) bool {
	return a != nil && reflect.DeepEqual(a.Objects, b.Objects) && reflect.DeepEqual(a.Slaves, b.Slaves)
}

// parts returns the parts of a gap in which an integration got the object, also by an earlier filter. gets reports
// whether an integration gets the object. The number of missing samples in a part may be wrong by one.
func (r *routing) parts(integration string, span store.Span,
	gets func(*configs.Integration) bool) (parts []store.Span) {
	past := r.past[integration]
	wants := func(in *configs.Integration) bool { return in != nil && gets(in) }
	if span.Begins.Run != span.Ends.Run { // a time before this run
		if wants(past[0].in) && past[0].at == 0 {
			parts = append(parts, span)
		}
		return parts
	}
	for i := 0; i < len(past); i++ {
		if !wants(past[i].in) {
			continue
		}
		from, to := past[i].at, span.Ends.Uptime
		for i++; i < len(past); i++ {
			if !wants(past[i].in) {
				to = min(to, past[i].at)
				break
			}
		}
		if part, ok := within(span, from, to); ok {
			parts = append(parts, part)
		}
	}
	return parts
}

// within returns the part of a gap between two uptimes; false: no sample is missing there.
func within(span store.Span, from, to time.Duration) (part store.Span, ok bool) {
	begin, end := span.Begins.Uptime, span.Ends.Uptime
	if from <= begin && to >= end {
		return span, true
	}
	from, to = max(from, begin), min(to, end)
	if from >= to {
		return span, false
	}
	before := func(at time.Duration) uint64 { // missing samples before an uptime
		return uint64(math.Round(float64(span.Gap.Count) * float64(at-begin) / float64(end-begin)))
	}
	part = span
	part.Begins.At, part.Begins.Uptime = span.Begins.At.Add(from-begin), from
	part.Ends.At, part.Ends.Uptime = span.Ends.At.Add(to-end), to
	part.Gap.From, part.Gap.To = part.Begins.At, part.Ends.At
	part.Gap.First, part.Gap.Last = span.Gap.First+before(from), span.Gap.First+before(to)-1
	part.Gap.Count = before(to) - before(from)
	part.Gap.Ongoing = span.Gap.Ongoing && to == end
	return part, part.Gap.Count > 0
}
