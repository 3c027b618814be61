package agent_test

import (
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
)

type objectT = objects.Object

// watcher has the start of an agent, and the samples and gaps that the agent has reported.
type watcher struct {
	s     *site
	begun time.Time
}

func watch(s *site) *watcher { return &watcher{s, time.Now()} }

// stretch is a time from which there are no samples.
type stretch struct {
	from, to time.Time
	reason   string
}

// samples returns the times of the samples of each object, from the messages. It works for one slave only.
func (w *watcher) samples() map[string][]time.Time {
	w.s.t.Helper()
	out := map[string][]time.Time{}
	for _, m := range w.s.messages() {
		at, err := time.Parse(time.RFC3339, m.SampledAt)
		if err != nil {
			w.s.t.Fatal(err)
		}
		out[m.Object] = append(out[m.Object], at)
	}
	return out
}

// gaps returns the gaps of a unit's object.
func (w *watcher) gaps(unit, object string) (out []stretch) {
	w.s.t.Helper()
	add := func(g *api.Gap) {
		if g != nil && g.Unit == unit && g.Object == object {
			out = append(out, stretch{*g.From, *g.To, g.Reason})
		}
	}
	for before := uint64(0); ; {
		answer, err := w.s.agent.Triggers(api.TriggerQuery{Limit: 1000, Gaps: true, Before: before})
		if err != nil { // the agent has ended: the status has the newest twenty
			for _, g := range w.s.status().Integrations[0].Gaps {
				add(&g)
			}
			return out
		}
		page := answer
		for _, row := range page.Triggers {
			add(row.Gap)
		}
		if page.Next == nil {
			return out
		}
		before = *page.Next
	}
}

// untold returns the due moments in a time that are not in a gap and have no sample before the next moment. It leaves
// out the last moment, because its sample may be on its way.
func (w *watcher) untold(unit, object string, every time.Duration, from, to time.Time) (bad []string) {
	samples, gaps := w.samples()[object], w.gaps(unit, object)
	next := 0
	for m := from.Truncate(every).Add(every); m.Add(every).Before(to); m = m.Add(every) {
		for next < len(samples) && samples[next].Before(m) {
			next++
		}
		told := next < len(samples) && samples[next].Before(m.Add(every))
		for _, g := range gaps {
			told = told || g.from.Before(m.Add(every)) && !g.to.Before(m)
		}
		if !told {
			bad = append(bad, m.Sub(from).String())
		}
	}
	return bad
}
