package agent_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent/publish"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

// rejectingSite is a site whose cloud rejects one of its three objects until allow is set.
func rejectingSite(t *testing.T, more string) (s *site, had *seen, allow *atomic.Bool) {
	t.Helper()
	had, allow = &seen{}, new(atomic.Bool)
	s = start(t, oneSlave+more, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
	s.sink.answers(func(m sinks.Message) sinks.Result {
		if strings.Contains(string(m.Body), "Ahc_r") && !allow.Load() {
			return sinks.Failed(sinks.Reject, "InvalidParameter", "no such thing")
		}
		return had.accept(m)
	})
	time.Sleep(25 * time.Second)
	return s, had, allow
}

func deadList(t *testing.T, s *site) []api.Trigger {
	t.Helper()
	list, err := s.agent.DeadLetters("")
	if err != nil {
		t.Fatal(err)
	}
	return list.DeadLetters
}

func TestDeadLettersAreSentWhenAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, had, allow := rejectingSite(t, "")
		defer s.stop()
		letters := deadList(t, s)
		status := s.status()
		in := status.Integrations[0]
		if len(letters) != 3 || in.Dead != 3 || in.Failed != 3 || in.Backlog != 0 {
			t.Fatalf("%d letters, %+v", len(letters), in)
		}
		if p := status.Problems; len(p) != 1 || p[0].Code != "dead_letters" || p[0].Subject != in.ID {
			t.Errorf("problems %+v", p)
		}
		if e := letters[0].IntegrationData.Error; e != "InvalidParameter: no such thing" || !strings.Contains(string(letters[0].PublishedData), `"object":"Ahc_r"`) {
			t.Errorf("letter %+v", letters[0])
		}
		retry := func(ids ...uint64) (last api.Replay) {
			t.Helper()
			err := s.agent.RetryDeadLetters(t.Context(), in.ID, ids, func(line any) error { last = line.(api.Replay); return nil })
			if err != nil {
				t.Fatal(err)
			}
			return last
		}
		if last := retry(); last.Sent != 0 || last.Rejected != 3 || len(deadList(t, s)) != 3 {
			t.Errorf("while it is rejected: %+v", last)
		}
		allow.Store(true)
		before := len(had.all())
		if last := retry(letters[1].ID); last.Sent != 1 || last.State != "done" {
			t.Errorf("one: %+v", last)
		}
		m := had.all()[before]
		if attribute(m, "replayed") != "" || attribute(m, "sample_id") != m.SampleID || strings.Contains(m.SampleID, "-r") {
			t.Errorf("sent as %s with %v", m.SampleID, m.Attributes)
		}
		if n, err := s.agent.DropDeadLetters(in.ID, []uint64{letters[0].ID}); n != 1 || err != nil {
			t.Errorf("%d dropped, %v", n, err)
		}
		if left := deadList(t, s); len(left) != 1 || left[0].ID != letters[2].ID || left[0].Attempts != 2 {
			t.Errorf("left %+v", left)
		}
		if last := retry(); last.Sent != 1 {
			t.Errorf("the rest: %+v", last)
		}
		after := s.status()
		in = after.Integrations[0]
		if in.Dead != 0 || len(after.Problems) != 0 || len(in.Gaps) != 1 || in.Failed != 3 {
			t.Errorf("afterwards %+v, %+v", in, after.Problems)
		}
		if err := s.agent.RetryDeadLetters(t.Context(), "none", nil, nil); !errors.Is(err, publish.ErrNoIntegration) {
			t.Errorf("dead letters of an unknown integration: %v", err)
		}
	})
}

// Samples that were sent as a batch are sent again as a batch, both by a replay and from the dead letters.
func TestWhatIsSentAgainKeepsTheEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		had, allow := &seen{}, new(atomic.Bool)
		s := start(t, batched+keepingDay, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		defer s.stop()
		s.sink.answers(func(m sinks.Message) sinks.Result {
			if m.Body[0] == '[' && !allow.Load() {
				return sinks.Failed(sinks.Reject, "InvalidParameter", "no such thing")
			}
			return had.accept(m)
		})
		time.Sleep(25 * time.Second)
		batches := func() (out []sinks.Message) {
			for _, m := range had.all() {
				if m.Body[0] == '[' {
					out = append(out, m)
				}
			}
			return out
		}
		if n := s.status().Integrations[0].Dead; n != 9 || len(batches()) != 0 {
			t.Fatalf("%d dead letters, want three sweeps of three", n)
		}
		allow.Store(true)
		singles := len(had.all())
		err := s.agent.RetryDeadLetters(t.Context(), "AAAAAAAAAAAAAAAAAAAA", nil, func(any) error { return nil })
		if err != nil || len(batches()) != 3 || len(had.all()) != singles+3 {
			t.Fatalf("%v, %d batches", err, len(batches()))
		}
		a := s.replay(store.Range{})
		if err := <-a.done; err != nil {
			t.Fatal(err)
		}
		all := batches()
		if sent := a.last().Sent; sent != 9 || len(all) != 6 {
			t.Fatalf("%d samples replayed, %d batches", sent, len(all))
		}
		for i, m := range all[3:] {
			if attribute(m, "replayed") != "true" || m.SampleID != all[i].SampleID+"-r1-1" || attribute(all[i], "replayed") != "" {
				t.Errorf("batch %d: %s %v, before %s %v", i, m.SampleID, m.Attributes, all[i].SampleID, all[i].Attributes)
			}
		}
	})
}
