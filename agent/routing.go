package agent

import (
	"math"
	"reflect"
	"time"

	"noi-agent/configs"
	"noi-agent/store"
)

// routing has the integrations to which samples are routed. It also has their earlier filters, because a gap may begin
// before an integration gets the object. Then the integration gets only the later part of the gap. A routing never
// changes.
type routing struct {
	list []configs.Integration
	past map[string][]filter // by the id of the integration, the oldest first
}

// filter is the filter of an integration, from a moment on.
type filter struct {
	in *configs.Integration
	at time.Duration // uptime; 0: since the agent started
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
	return r
}

func sameFilter(a, b *configs.Integration) bool {
	return reflect.DeepEqual(a.Objects, b.Objects) && reflect.DeepEqual(a.Slaves, b.Slaves)
}

// cut returns the part of a gap since an integration gets the object; false: there is none. wants reports whether an
// integration gets the object. The number of missing samples in the part may be wrong by one.
func (r *routing) cut(integration string, span store.Span, wants func(*configs.Integration) bool) (store.Span, bool) {
	since, past := time.Duration(0), r.past[integration]
	for i := len(past) - 1; i >= 0 && wants(past[i].in); i-- {
		since = past[i].at
	}
	inRun := span.Begins.Run == span.Ends.Run
	switch {
	case since == 0, inRun && span.Begins.Uptime >= since:
		return span, true
	case !inRun, span.Ends.Uptime <= since:
		return span, false
	}
	whole, part := span.Ends.Uptime-span.Begins.Uptime, span.Ends.Uptime-since
	n := uint64(math.Round(float64(span.Gap.Count) * float64(part) / float64(whole)))
	span.Begins.At, span.Begins.Uptime = span.Begins.At.Add(whole-part), since
	span.Gap.From, span.Gap.Count, span.Gap.First = span.Begins.At, n, span.Gap.Last+1-n
	return span, n > 0
}
