package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"noi-agent/objects"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/status/api"
)

// nearEnd is how far from an end of a run its moment may be: a sweep may wait so long for a commit, or for its turn
// at a start.
const nearEnd = 4 * time.Second

// judge compares the due moments with the received samples and with the log. It knows nothing about the agent except
// its messages and gaps.
func (w *ledgerWorld) judge() {
	w.t.Helper()
	until := time.Now().Add(-3 * time.Second).Unix()
	for id, messages := range map[string][]standin.Message{snsID: w.sns.Messages(), pubsubID: w.pubsub.Messages()} {
		for _, object := range strings.Split(ledgerObjects, ", ") {
			w.judgeObject(id+" "+object, w.accepted(object, messages), w.gaps(id, object), until)
		}
	}
	if w.t.Failed() {
		w.t.Logf("%s: %s", w.place(), w.log())
	}
}

// accepted returns the moments of which a cloud has a sample, with the sample's id. Estimated times must also be in
// the time of the test: a boot with a wrong clock ends only after the agent has learnt the time, so each estimate is
// by a clock that was right, but not known to be right.
func (w *ledgerWorld) accepted(object string, messages []standin.Message) map[int64]string {
	w.t.Helper()
	out, contents := map[int64]string{}, map[string]string{}
	for _, m := range messages {
		b := parseBody(w.t, m.Body)
		if b.Object != object {
			continue
		}
		id, content := m.Attributes["sample_id"], b.SampledAt+" "+string(b.Data)
		if first, twice := contents[id]; twice && first != content {
			w.t.Errorf("%s: sample %s of %s has two contents: %s, and %s", w.place(), id, object, first, content)
		}
		contents[id] = content
		at, err := time.Parse(time.RFC3339, b.SampledAt)
		if err != nil {
			w.t.Fatalf("%s %v", m.Body, err)
		}
		switch {
		case !at.Before(w.begun.Add(-time.Second)) && at.Before(time.Now().Add(time.Second)):
			out[at.Unix()] = id
		default:
			w.t.Errorf("%s, %s: a sample of %s, clock %q", w.place(), m.Attributes["sample_id"], b.SampledAt, m.Attributes["clock"])
		}
	}
	return out
}

// fault is an error near one end of the daemon.
type fault struct{ uncovered, twice, miscounted int }

// judgeObject allows each end of a run one wrong moment: that of the sample on its way. After a power cut the samples
// accepted since the last commit, at most two seconds before, are not known. After a kill this is so only while a new
// gap waits for its commit: the gap of the kill then includes the sample after it. The time of a commit depends on
// the machine.
func (w *ledgerWorld) judgeObject(name string, accepted map[int64]string, gaps []api.Gap, until int64) {
	w.t.Helper()
	gaps = slices.DeleteFunc(gaps, func(g api.Gap) bool {
		outside := g.From.Before(w.begun.Add(-time.Minute)) || g.To.After(time.Now().Add(time.Minute))
		if outside {
			w.t.Errorf("%s, %s: a gap outside of the time of the test: %+v", w.place(), name, g)
		}
		return outside
	})
	faults := make([]fault, len(w.ends))
	near := func(due int64, what string) *fault {
		i := w.endNear(due)
		w.t.Logf("%s: %s %s, near end %d: %v", name, clockTime(due), what, i, w.ends[max(0, i)])
		if i < 0 {
			w.t.Errorf("%s, %s: %s %s, and no end of a run is near", w.place(), name, clockTime(due), what)
			return &fault{}
		}
		return &faults[i]
	}
	for due := slices.Min(slices.Collect(maps.Keys(accepted))); due <= until; due++ {
		in := slices.ContainsFunc(gaps, func(g api.Gap) bool { return covers(g, due, accepted) && !excused(g, accepted) })
		known := in || slices.ContainsFunc(gaps, func(g api.Gap) bool { return covers(g, due, accepted) })
		switch {
		case accepted[due] != "" && in:
			near(due, "is accepted ("+accepted[due]+"), and in a gap").twice++
		case accepted[due] == "" && !known:
			near(due, "is neither accepted nor in a gap").uncovered++
		}
	}
	for _, g := range gaps {
		if wrong := int(g.Count) - missingIn(g, accepted); wrong != 0 && g.Reason != objects.GapAgent {
			near(g.To.Unix(), fmt.Sprintf("ends a gap that miscounts by %d: %+v", wrong, g)).miscounted += max(wrong, -wrong)
		} else if whole := int(g.To.Unix()-g.From.Unix()) + 1; g.Reason == objects.GapAgent && int(g.Count) != whole {
			w.t.Errorf("%s, %s: the count of the gap differs from its seconds: %+v", w.place(), name, g)
		}
	}
	for i, f := range faults {
		most := fault{1, 1, 1}
		switch w.ends[i].kind {
		case "cut":
			most.twice += 2
		case "kill":
			most.twice++
		}
		if f.uncovered > most.uncovered || f.twice > most.twice || f.miscounted > most.miscounted {
			w.t.Errorf("%s, %s: end %d: %+v: %v; gaps there: %+v", w.place(), name, i, f, w.ends[i], gapsNear(gaps, w.ends[i]))
		}
	}
	w.t.Logf("%s: %d accepted, %d gaps, %d ends", name, len(accepted), len(gaps), len(w.ends))
}

// gapsNear returns the gaps of the seconds around an end.
func gapsNear(gaps []api.Gap, e end) (near []api.Gap) {
	for _, g := range gaps {
		if g.From.Before(e.back.Add(2*nearEnd)) && g.To.After(e.at.Add(-2*nearEnd)) {
			near = append(near, g)
		}
	}
	return near
}

func clockTime(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.TimeOnly) }

// endNear returns the end that is near a moment; below zero: none is near.
func (w *ledgerWorld) endNear(due int64) int {
	best, nearest := -1, nearEnd
	for i, e := range w.ends {
		at := time.Unix(due, 0)
		if away := max(0, e.at.Sub(at), at.Sub(e.back)); away <= nearest {
			best, nearest = i, away
		}
	}
	return best
}

// covers reports whether a gap includes a moment. Gaps of missing replies begin with the sample before, or with the
// run, and end with the sample after, or with the run. All other gaps have the first and the last missing moment.
func covers(g api.Gap, due int64, accepted map[int64]string) bool {
	reason, _, _ := strings.Cut(g.Reason, ":")
	if slices.Contains([]string{objects.GapBus, objects.GapLine, objects.GapOverrun, objects.GapIdentity, objects.GapQueue}, reason) {
		return due > g.From.Unix() && (due < g.To.Unix() || due == g.To.Unix() && accepted[due] == "")
	}
	return due >= g.From.Unix() && due <= g.To.Unix()
}

// missingIn returns the number of moments in a gap that have no sample.
func missingIn(g api.Gap, accepted map[int64]string) (n int) {
	for due := g.From.Unix(); due <= g.To.Unix(); due++ {
		if covers(g, due, accepted) && accepted[due] == "" {
			n++
		}
	}
	return n
}

// excused reports whether a gap may have samples in it: gaps with one reason and a short time between them share a
// row, which counts only the missing samples.
func excused(g api.Gap, accepted map[int64]string) bool {
	return g.Reason != objects.GapAgent && int(g.Count) == missingIn(g, accepted)
}

func (w *world) gaps(id, object string) (out []api.Gap) {
	w.t.Helper()
	for before := ""; ; {
		var page api.Triggers
		if err := json.Unmarshal(w.get("/api/v1/triggers?gaps=true&limit=500&integration="+id+before), &page); err != nil {
			w.t.Fatal(err)
		}
		for _, row := range page.Triggers {
			if row.Gap != nil && row.Gap.Object == object {
				out = append(out, *row.Gap)
			}
		}
		if page.Next == nil || *page.Next == 0 {
			return out
		}
		before = fmt.Sprint("&before=", *page.Next)
	}
}
