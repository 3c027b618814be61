package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"noi-agent/agent"
	"noi-agent/sinks/sinktest/standin"
)

// judge compares what was due with what came and with what the log says. It knows nothing of the agent but its messages and gaps.
func (w *ledgerWorld) judge() {
	w.t.Helper()
	until := time.Now().Add(-2 * time.Second).Unix()
	for id, messages := range map[string][]standin.Message{snsID: w.sns.Messages(), pubsubID: w.pubsub.Messages()} {
		for _, object := range strings.Split(ledgerObjects, ", ") {
			w.judgeObject(id, object, messages, until)
		}
	}
	if w.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(w.dir, "log"))
		w.t.Logf("ends %+v\n%s", w.ends, log[max(0, len(log)-6000):])
	}
}

func (w *ledgerWorld) judgeObject(id, object string, messages []standin.Message, until int64) {
	w.t.Helper()
	accepted, first := map[int64]bool{}, until
	for _, m := range messages {
		b := parseBody(w.t, m.Body)
		if b.Object != object {
			continue
		}
		at, err := time.Parse(time.RFC3339, b.SampledAt)
		if err != nil || m.Attributes["clock"] != "" {
			w.t.Fatalf("%s: %s %v", id, m.Body, err)
		}
		accepted[at.Unix()], first = true, min(first, at.Unix())
	}
	gaps := w.gaps(id, object)
	uncovered, both := 0, 0
	for due := first; due <= until; due++ {
		in := 0
		for _, g := range gaps {
			if covers(g, due) {
				in++
			}
		}
		switch {
		case accepted[due] && in > 0:
			both++
			w.t.Logf("%s %s: %s is accepted, and in a gap", id, object, time.Unix(due, 0).UTC().Format(time.TimeOnly))
		case !accepted[due] && in == 0:
			uncovered++
			w.t.Logf("%s %s: %s is neither accepted nor in a gap", id, object, time.Unix(due, 0).UTC().Format(time.TimeOnly))
		}
	}
	missing, counted := int(until-first)+1-len(accepted), 0
	for _, g := range gaps {
		counted += int(g.Count)
	}
	cuts := 0
	for _, e := range w.ends {
		if e.kind == "cut" {
			cuts++
		}
	}
	// One an end: what was on its way just then. After a power cut nobody knows what was accepted since the last commit, 2 s before.
	if uncovered > len(w.ends) || both > len(w.ends)+2*cuts || counted > missing+len(w.ends)+2*cuts || counted < missing-len(w.ends) {
		w.t.Errorf("%s %s: %d accepted, %d missing, %d by gaps; %d uncovered, %d twice; %d ends: %+v", id, object, len(accepted), missing, counted, uncovered, both, len(w.ends), gaps)
	}
	w.t.Logf("%s %s: %d accepted, %d missing, %d by gaps, %d uncovered, %d twice, %d ends, %d of them power cuts", id, object, len(accepted), missing, counted, uncovered, both, len(w.ends), cuts)
}

// covers reports whether a gap is about a moment: those without an agent name the first and the last moment, others the samples around.
func covers(g agent.Gap, due int64) bool {
	if g.Reason == "agent_down" {
		return due >= g.From.Unix() && due <= g.To.Unix()
	}
	return due > g.From.Unix() && due < g.To.Unix()
}

func (w *ledgerWorld) gaps(id, object string) (out []agent.Gap) {
	w.t.Helper()
	for before := ""; ; {
		var page agent.TriggerPage
		if err := json.Unmarshal(w.get("/api/v1/triggers?gaps=true&limit=1000&integration="+id+before), &page); err != nil {
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
