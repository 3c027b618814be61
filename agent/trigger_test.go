package agent_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/sinks"
	"noi-agent/status/api"
)

// rowsOf returns rows of the trigger log.
func rowsOf(t *testing.T, s *site, q api.TriggerQuery) []api.Trigger {
	t.Helper()
	page, err := s.agent.Triggers(q)
	if err != nil {
		t.Fatal(err)
	}
	return page.Triggers
}

// TestARowSaysHowFarItsMessageIs: a row shows the state of its message, and what to do in that state.
func TestARowSaysHowFarItsMessageIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer atomic.Pointer[sinks.Result]
		answer.Store(&sinks.Result{Outcome: sinks.Accepted, MessageID: "m"})
		s := startOne(t, strings.Replace(oneObject, "name: x", "name: main-solar", 1), controller(1))
		s.sink.answers(func(sinks.Message) sinks.Result { return *answer.Load() })
		for _, c := range []struct {
			result sinks.Result
			state  string
			code   string
		}{
			{sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}, api.StateDelivered, ""},
			{sinks.Failed(sinks.Reject, "InvalidParameter", "no"), api.StateSetAside, "dead_letters"},
			{sinks.Failed(sinks.Retry, sinks.CodeNetwork, "no route"), api.StateRetrying, "integration_unreachable"},
			{sinks.Failed(sinks.Wait, "NotFound", "Topic does not exist"), api.StateRefused, "integration_no_topic"},
		} {
			answer.Store(&c.result)
			after(2*time.Minute, s)
			row := rowsOf(t, s, api.TriggerQuery{State: c.state, Limit: 1})
			if len(row) != 1 || row[0].State != c.state {
				t.Fatalf("%s: %+v, all %+v", c.state, row, rowsOf(t, s, api.TriggerQuery{Limit: 3}))
			}
			d, err := s.agent.Trigger(row[0].ID)
			if err != nil || d.Code != c.code || (d.Remedy == "") != (c.code == "") || strings.Contains(d.Remedy+d.Title, "{") {
				t.Errorf("%s: %+v, %v", c.state, d, err)
			}
			if d.Object != "Et_float" || d.Integration != "main-solar" || d.SampledAt == nil || d.SampleID == "" || len(d.Value) == 0 || d.Line != "a" || d.UnitID != 1 {
				t.Errorf("%s: a part is missing: %+v", c.state, d)
			}
			open := c.state == api.StateRetrying || c.state == api.StateRefused
			if open != (d.NextAttemptAt != nil) || open == d.CanPublish || d.CanPublish == (d.WhyNot != "") {
				t.Errorf("%s: next attempt %v, can publish %t, %q", c.state, d.NextAttemptAt, d.CanPublish, d.WhyNot)
			}
			if !open {
				continue
			}
			at, err := time.Parse(time.RFC3339, *d.NextAttemptAt)
			if left := time.Until(at); err != nil || left < 0 || left > 5*time.Minute || *d.NextAttemptInS < left.Seconds()-1 || *d.NextAttemptInS > left.Seconds()+1 {
				t.Errorf("%s: the next attempt is at %v, in %v s", c.state, at, *d.NextAttemptInS)
			}
			time.Sleep(time.Until(at) + 2*time.Second)
			synctest.Wait()
			if again, err := s.agent.Trigger(row[0].ID); err != nil || again.Attempts != d.Attempts+1 {
				t.Errorf("%s: after that moment there are %d attempts, before %d: %v", c.state, again.Attempts, d.Attempts, err)
			}
		}
		s.stop()
	})
}

// TestTriggersAreFoundByFilters checks that the filters return exactly the matching rows.
func TestTriggersAreFoundByFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		s := after(95*time.Second, startOne(t, oneSlave, controller(1)))
		all := rowsOf(t, s, api.TriggerQuery{Limit: 500})
		from, to := begun.Add(30*time.Second), begun.Add(60*time.Second)
		wanted := 0
		for _, r := range all {
			at, err := time.Parse(time.RFC3339, r.CompletedAt)
			if err == nil && strings.Contains(string(r.PublishedData), `"object":"E`) && !at.Before(from) && at.Before(to) {
				wanted++
			}
		}
		got := rowsOf(t, s, api.TriggerQuery{Object: "E*_float", From: from, To: to, State: api.StateDelivered, Limit: 500})
		if wanted == 0 || len(got) != wanted || len(all) < 25 {
			t.Errorf("%d rows of %d, want %d", len(got), len(all), wanted)
		}
		if n := len(rowsOf(t, s, api.TriggerQuery{})); n != min(50, len(all)) {
			t.Errorf("%d rows without a limit", n)
		}
		for _, q := range []api.TriggerQuery{{Object: "adc_*"}, {State: api.StateDropped}, {From: time.Now().Add(time.Hour)}} {
			if n := len(rowsOf(t, s, q)); n != 0 {
				t.Errorf("%+v finds %d rows", q, n)
			}
		}
		s.stop()
	})
}

// TestATriggerIsPublishedAgain: the new message is marked as a replay and has the same sample id, each time. The
// first row does not change.
func TestATriggerIsPublishedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last atomic.Pointer[sinks.Message]
		config := strings.Replace(oneObject, "topics/Main}", "topics/Main, attributes: [sample_id]}", 1)
		s := startOne(t, config, controller(1))
		var refuse atomic.Bool
		s.sink.answers(func(m sinks.Message) sinks.Result {
			last.Store(&m)
			if refuse.Load() {
				return sinks.Failed(sinks.Retry, "Unavailable", "down")
			}
			return sinks.Result{Outcome: sinks.Accepted, MessageID: "again"}
		})
		after(12*time.Second, s)
		row := rowsOf(t, s, api.TriggerQuery{Limit: 1})[0]
		before, err := s.agent.Trigger(row.ID)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			done, err := s.agent.PublishTrigger(t.Context(), row.ID)
			if err != nil || done.Sent != 1 || done.State != "done" {
				t.Fatalf("%+v, %v", done, err)
			}
			m := last.Load()
			marked, id := "", ""
			for _, a := range m.Attributes {
				switch a.Name {
				case "replayed":
					marked = a.Value
				case "sample_id":
					id = a.Value
				}
			}
			sampled := `"sampled_at":"` + *before.SampledAt + `"`
			if marked != "true" || id != before.SampleID || !strings.Contains(string(m.Body), sampled) || m.SampleID == id {
				t.Errorf("it was published as %s %+v", m.Body, m)
			}
		}
		rows := rowsOf(t, s, api.TriggerQuery{Limit: 2})
		if !rows[0].Replayed || !rows[1].Replayed || rows[0].State != api.StateDelivered {
			t.Errorf("rows %+v", rows)
		}
		if again, err := s.agent.Trigger(row.ID); err != nil || again.Attempts != before.Attempts || again.Replayed {
			t.Errorf("the row of the first time is %+v, %v", again, err)
		}
		mustBe := func(id uint64, status int) {
			t.Helper()
			var e *api.Error
			if _, err := s.agent.PublishTrigger(t.Context(), id); !errors.As(err, &e) || e.Status != status {
				t.Errorf("trigger %d: %v, want status %d", id, err, status)
			}
		}
		mustBe(9999, 404)
		refuse.Store(true)
		mustBe(row.ID, 503)
		after(30*time.Second, s)
		mustBe(rowsOf(t, s, api.TriggerQuery{State: api.StateRetrying, Limit: 1})[0].ID, 409)
		refuse.Store(false)
		s.stop()
	})
}
