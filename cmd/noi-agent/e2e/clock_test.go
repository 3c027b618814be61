package e2e

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/status/api"
)

// TestGatewayThatBootsIn1970 runs the program with `source: auto`, a clock that begins in 1970 and a time service
// that has not set it. Nothing is published until the service has set the clock. Then every message has the true time
// of its sample.
func TestGatewayThatBootsIn1970(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	config := w.config(`objects: adc_vbterm, intervals: {"*": 50ms}`, "adc_vbterm")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), "clock: {source: system}", "clock: {source: auto}", 1)
	begun := time.Now()
	var right atomic.Bool
	daemon := w.start(clitest.WriteConfig(t, text), func(p *cli.Program) {
		p.Now = func() time.Time {
			if right.Load() {
				return time.Now()
			}
			return time.Unix(100, 0).Add(time.Since(begun))
		}
		p.Time = clock.Source{
			Boot: "5cf3eb5a-9f0b-4a5e-9f8f-3f8d5c0a7f11", Uptime: func() time.Duration { return time.Since(begun) + 100*time.Second },
			Built: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
			Probe: func(context.Context) clock.Synch {
				if !right.Load() {
					return clock.Synch{Service: "timesyncd"}
				}
				return clock.Synch{Service: "timesyncd", Synched: true, At: time.Now()}
			},
		}
	})
	var s struct{ Clock api.Clock }
	clock := func() api.Clock {
		if err := json.Unmarshal(w.get("/api/v1/status"), &s); err != nil {
			t.Fatal(err)
		}
		return s.Clock
	}
	unset := func() bool { // other problems may come from a slow machine
		return slices.ContainsFunc(w.status().Problems, func(p problemView) bool { return p.Code == "clock_unset" })
	}
	eventually(t, "samples wait for the clock", func() bool { return clock().Held > 10 })
	if st := w.status(); w.sns.Taken()+w.pubsub.Taken() > 0 || st.Integrations[0].State != "waiting_for_clock" || !unset() {
		t.Errorf("in 1970: %d published, %+v %+v", w.sns.Taken(), st.Integrations, st.Problems)
	}
	right.Store(true)
	eventually(t, "both clouds have them", func() bool { return w.sns.Taken() > 20 && w.pubsub.Taken() > 20 })
	eventually(t, "the status knows", func() bool { return clock().State == "good" && !unset() })
	var rows api.Triggers // the oldest row is last; its sample was taken in 1970
	if err := json.Unmarshal(w.get("/api/v1/triggers?limit=500&integration="+snsID), &rows); err != nil {
		t.Fatal(err)
	}
	// gaps of a slow machine
	rows.Triggers = slices.DeleteFunc(rows.Triggers, func(r api.Trigger) bool { return r.Gap != nil })
	first := parseBody(t, rows.Triggers[len(rows.Triggers)-1].PublishedData)
	if at := first.SampledAt; at != parseBody(t, w.sns.Messages()[0].Body).SampledAt {
		t.Errorf("the first sample in the trigger log has the time %s", at)
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
	for _, messages := range [][]standin.Message{w.sns.Messages(), w.pubsub.Messages()} {
		var sampled []string
		for _, m := range messages {
			at := parseBody(t, m.Body).SampledAt
			sampled = append(sampled, at)
			when, err := time.Parse(time.RFC3339, at)
			if err != nil || when.Before(begun.Add(-time.Second)) || when.After(time.Now()) {
				t.Errorf("sampled at %s, %v; the program began at %v", at, err, begun.UTC())
			}
			if mark := m.Attributes["clock"]; mark != "" {
				t.Errorf("marked as %s", mark)
			}
		}
		if !slices.IsSorted(sampled) {
			t.Errorf("out of order: %v", sampled)
		}
	}
}
