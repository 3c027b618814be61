package history

import (
	"encoding/json"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
)

// Question selects an object and a time up to now.
type Question struct {
	Key
	Span   time.Duration
	Uptime time.Duration // uptime of the machine now
	Booted time.Time     // time of the boot, by the present clock
	Why    string        // the reason of a gap that continues, if the list of missing samples does not have it yet
}

// Object returns the values of an object; false if it had no sample since the start.
func (h *Store) Object(q Question) (api.History, bool) {
	if h == nil {
		return api.History{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.series[q.Key]
	if s == nil || s.first < 0 {
		return api.History{}, false
	}
	a := answer{Question: q, series: s, reasons: h.reasons, from: q.Uptime - min(q.Span, h.span)}
	a.since = max(s.first, q.Uptime-h.span)
	if s.kind == objects.KindNumber {
		a.buckets()
	} else {
		a.runs()
	}
	a.out.Line, a.out.UnitID, a.out.Object, a.out.Unit = q.Line, int(q.UnitID), q.Object, s.unit
	a.out.Kind, a.out.Step = kindOf(s.kind), s.step.String()
	a.out.From, a.out.To, a.out.KeptSince = a.wall(a.from), a.wall(q.Uptime), a.wall(a.since)
	return a.out, true
}

// Empty returns the answer for an object without a sample.
func (h *Store) Empty(q Question, unit string) api.History {
	a := answer{Question: q, from: q.Uptime - min(q.Span, h.Span())}
	out := api.History{Line: q.Line, UnitID: int(q.UnitID), Object: q.Object, Unit: unit, Kind: api.HistoryNumber,
		From: a.wall(a.from), To: a.wall(q.Uptime), KeptSince: a.wall(q.Uptime), Step: "0s",
		Buckets: []api.Bucket{}, Runs: []api.Run{}, Gaps: []api.HistoryGap{}}
	if h != nil {
		out.KeptSince, out.Step = a.wall(h.begins), h.step(0).String()
	}
	return out
}

// answer is an answer that is being made.
type answer struct {
	Question
	series      *series
	reasons     []string
	from, since time.Duration // uptimes of the begin of the requested time, and of the kept history
	out         api.History
}

// wall returns the time of an uptime by the present clock.
func (a *answer) wall(uptime time.Duration) time.Time {
	return a.Booted.Add(uptime).UTC().Truncate(time.Millisecond)
}

// buckets fills in the buckets with samples, and the gaps between them.
func (a *answer) buckets() {
	s := a.series
	a.out.Runs, a.out.Gaps = []api.Run{}, []api.HistoryGap{}
	first, now := int64(max(a.from, a.since, 0)/s.step), int64(a.Uptime/s.step)
	a.out.Buckets = make([]api.Bucket, 0, min(now-first+1, int64(len(s.n))))
	empty := first
	for number := first; number <= s.newest; number++ {
		b := s.at(number)
		if b.n == 0 {
			continue
		}
		a.between(empty, number)
		empty = number + 1
		a.out.Buckets = append(a.out.Buckets, api.Bucket{From: a.wall(time.Duration(number) * s.step),
			Min: b.min, Mean: b.mean, Max: b.max, N: int(b.n)})
	}
	a.goesOn(max(a.from, time.Duration(empty)*s.step), s.step)
}

// between adds a gap for the empty buckets from number empty to number-1, if samples are missing there. A bucket may be
// empty although no sample is missing, because an object is sometimes read a little late. So without a known reason the
// time must have two log intervals.
func (a *answer) between(empty, number int64) {
	from, to := time.Duration(empty)*a.series.step, time.Duration(number)*a.series.step
	if from == to {
		return
	}
	every := a.series.every
	if from <= a.series.changed {
		every = max(every, a.series.was)
	}
	reason, known := a.series.why(from, to)
	switch {
	case known:
		a.gap(from, to, a.reasons[reason])
	case to-from >= 2*every:
		a.gap(from, to, api.GapNoValue)
	}
}

// goesOn adds the gap from `from` to now, if samples are missing there. A time shorter than least is no gap.
func (a *answer) goesOn(from, least time.Duration) {
	if a.Uptime-from < least {
		return
	}
	reason, known := a.series.why(from, a.Uptime)
	switch {
	case a.Uptime-a.series.last >= 2*a.series.every && a.Why != "":
		a.gap(from, a.Uptime, a.Why)
	case known:
		a.gap(from, a.Uptime, a.reasons[reason])
	case a.Uptime-a.series.last >= 2*a.series.every:
		a.gap(from, a.Uptime, api.GapNoValue)
	}
}

// gap adds the part of a gap that is in the requested time.
func (a *answer) gap(from, to time.Duration, reason string) {
	if from = max(from, a.from); from < to {
		a.out.Gaps = append(a.out.Gaps, api.HistoryGap{From: a.wall(from), To: a.wall(to), Reason: reason})
	}
}

// runs fills in the runs of states, and the gaps between them.
func (a *answer) runs() {
	a.out.Buckets, a.out.Runs, a.out.Gaps = []api.Bucket{}, []api.Run{}, []api.HistoryGap{}
	for _, r := range a.series.runs {
		if r.to >= a.from {
			a.out.Runs = append(a.out.Runs, api.Run{Value: json.RawMessage(r.value), From: a.wall(max(r.from, a.from)),
				To: a.wall(r.to)})
		}
	}
	for _, g := range a.series.gaps {
		if g.to <= a.series.last {
			a.gap(max(g.from, a.since), g.to, a.reasons[g.reason])
		}
	}
	a.goesOn(max(a.from, a.series.last), max(a.series.step, 2*a.series.every))
}
