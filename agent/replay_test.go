package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent/publish"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

const keepingDay = "buffer: {retain_after_ack: 24h}\n"

// seen records whole messages. memorySink records only bodies.
type seen struct {
	mu       sync.Mutex
	messages []sinks.Message
}

// accept is an answer of memorySink that accepts and records each message.
func (s *seen) accept(m sinks.Message) sinks.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Body, m.Attributes = slices.Clone(m.Body), slices.Clone(m.Attributes) // a sink must not keep the message's memory
	s.messages = append(s.messages, m)
	return sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}
}

func (s *seen) all() []sinks.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// attribute returns one attribute of a message, "" if it has none of that name.
func attribute(m sinks.Message, name string) string {
	for _, a := range m.Attributes {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// replaySite has sampled for 25 seconds: three objects, three times.
func replaySite(t *testing.T) (*site, *seen) {
	t.Helper()
	had := &seen{}
	s := start(t, oneSlave+keepingDay, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
	s.sink.answers(had.accept)
	time.Sleep(25 * time.Second)
	if n := len(had.all()); n != 9 {
		t.Fatalf("%d messages before the replay, want 9", n)
	}
	return s, had
}

// asking is a running replay.
type asking struct {
	cancel context.CancelFunc
	done   chan error

	mu    sync.Mutex
	lines []api.Replay
}

func (s *site) replay(r store.Range) *asking {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	a := &asking{cancel: cancel, done: make(chan error, 1)}
	id := s.status().Integrations[0].ID
	go func() {
		defer cancel()
		a.done <- s.agent.Replay(ctx, id, r, func(line any) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.lines = append(a.lines, line.(api.Replay))
			return nil
		})
	}()
	return a
}

func (a *asking) last() api.Replay {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lines[len(a.lines)-1]
}

func TestReplaySendsAgainInOrderMarkedAndCountedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, had := replaySite(t)
		first := had.all()
		a := s.replay(store.Range{})
		if err := <-a.done; err != nil {
			t.Fatal(err)
		}
		again := had.all()[9:]
		if last := a.last(); last.State != "done" || last.Sent != 9 || len(again) != 9 {
			t.Fatalf("%+v and %d messages, want 9", last, len(again))
		}
		for i, m := range again {
			if attribute(first[i], "replayed") != "" || attribute(m, "replayed") != "true" || attribute(m, "sample_id") != first[i].SampleID {
				t.Errorf("message %d has %v, the first time %v", i, m.Attributes, first[i].Attributes)
			}
			if want := first[i].SampleID + "-r1-1"; m.SampleID != want || m.Key != first[i].Key {
				t.Errorf("message %d has the deduplication id %s, want %s", i, m.SampleID, want)
			}
			if unstamped(t, m.Body) != unstamped(t, first[i].Body) {
				t.Errorf("message %d is %s, the first time %s", i, m.Body, first[i].Body)
			}
		}
		checkReplayRows(t, s)
		if in := s.status().Integrations[0]; in.Sent != 9 || in.Replayed != 9 || in.Backlog != 0 || in.Failed != 0 {
			t.Errorf("%+v", in)
		}
		b := s.replay(store.Range{})
		if err := <-b.done; err != nil {
			t.Fatal(err)
		}
		if m := had.all()[18]; m.SampleID != first[0].SampleID+"-r1-2" {
			t.Errorf("a second replay has the same deduplication id %s", m.SampleID)
		}
		s.stop()
	})
}

// unstamped is a body without published_at.
func unstamped(t *testing.T, body []byte) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "published_at")
	return fmt.Sprint(m)
}

func checkReplayRows(t *testing.T, s *site) {
	t.Helper()
	answer, err := s.agent.Triggers(api.TriggerQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	page := answer
	if len(page.Triggers) != 18 {
		t.Fatalf("%d rows, want 18", len(page.Triggers))
	}
	for i, row := range page.Triggers {
		if row.Replayed != (i < 9) || !row.Success || row.Attempts != 1 {
			t.Errorf("row %d, newest first, is %+v", i, row)
		}
	}
}

func TestReplayTakesTheRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, had := replaySite(t)
		ten := time.Date(2000, 1, 1, 0, 0, 10, 0, time.UTC) // the samples of the full minute are a moment earlier
		a := s.replay(store.Range{From: ten, To: ten.Add(10 * time.Second)})
		if err := <-a.done; err != nil {
			t.Fatal(err)
		}
		for _, m := range had.all()[9:] {
			if !strings.Contains(string(m.Body), `"sampled_at":"2000-01-01T00:00:10Z"`) {
				t.Errorf("sent again: %s", m.Body)
			}
		}
		if last := a.last(); last.Sent != 3 || !last.SampledAt.Equal(ten) {
			t.Errorf("%+v", last)
		}
		a = s.replay(store.Range{From: ten.AddDate(1, 0, 0)})
		if err := <-a.done; err != nil || a.last().Sent != 0 || a.last().State != "done" {
			t.Errorf("of nothing: %v, %+v", err, a.last())
		}
		s.stop()
	})
}

// A range may begin or end in the middle of a sweep.
func TestReplaySortsOutTheSamplesOfASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := replaySite(t)
		ten, parts := time.Date(2000, 1, 1, 0, 0, 10, 0, time.UTC), 0
		for k := range 60 { // the reads of one sweep are some 20 ms apart
			a := s.replay(store.Range{From: ten.Add(time.Duration(k) * 5 * time.Millisecond), To: ten.Add(5 * time.Second)})
			if err := <-a.done; err != nil {
				t.Fatal(err)
			}
			if n := a.last().Sent; n > 0 && n < 3 {
				parts++
			}
		}
		if parts == 0 {
			t.Error("every sweep was sent completely or not at all: the test proves nothing")
		}
		s.stop()
	})
}

func TestReplaySurvivesAnOutageAndNewSamplesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, had := replaySite(t)
		s.sink.answers(func(m sinks.Message) sinks.Result {
			if attribute(m, "object") == "Ahc_r" {
				return had.accept(m)
			}
			return sinks.Failed(sinks.Retry, "Unavailable", "no link")
		})
		a := s.replay(store.Range{})
		time.Sleep(2 * time.Second)
		if last := a.last(); last.State != "retrying" || last.Sent != 3 || last.Error != "Unavailable: no link" {
			t.Errorf("during the outage: %+v", last)
		}
		time.Sleep(30 * time.Second) // new samples wait now
		s.sink.answers(had.accept)
		if err := <-a.done; err != nil {
			t.Fatal(err)
		}
		if last := a.last(); last.Sent != 9 || last.Rejected != 0 {
			t.Errorf("%+v", last)
		}
		checkNewFirst(t, had.all()[9:])
		in := s.status().Integrations[0]
		if in.Replayed != 9 || in.State != "ok" || in.Failed != 0 {
			t.Errorf("%+v", in)
		}
		s.stop()
	})
}

// checkNewFirst checks that, after the cloud is back, no replayed message is sent before a new one.
func checkNewFirst(t *testing.T, messages []sinks.Message) {
	t.Helper()
	var order []string
	for _, m := range messages {
		if attribute(m, "object") == "Ahc_r" {
			continue // messages of other integrations were always accepted
		}
		kind := "new"
		if attribute(m, "replayed") != "" {
			kind = "replayed"
		}
		if len(order) == 0 || order[len(order)-1] != kind {
			order = append(order, kind)
		}
	}
	if got := strings.Join(order[:min(2, len(order))], " "); got != "new replayed" {
		t.Errorf("sent %s", order)
	}
}

func TestReplayNotesWhatTheCloudWillNeverTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := replaySite(t)
		s.sink.answers(func(sinks.Message) sinks.Result { return sinks.Failed(sinks.Reject, "InvalidParameter", "no") })
		a := s.replay(store.Range{})
		if err := <-a.done; err != nil || a.last().Rejected != 9 || a.last().Sent != 0 {
			t.Errorf("%v, %+v", err, a.last())
		}
		if in := s.status().Integrations[0]; in.Failed != 0 || in.Replayed != 0 {
			t.Errorf("%+v", in)
		}
		s.stop()
	})
}

// dead refuses all messages.
func dead(sinks.Message) sinks.Result { return sinks.Failed(sinks.Wait, "Denied", "no") }

func TestReplayEndsWithWhoAskedAndAnotherCanBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, had := replaySite(t)
		s.sink.answers(dead)
		a := s.replay(store.Range{})
		time.Sleep(time.Second)
		b := s.replay(store.Range{})
		if err := <-b.done; !errors.Is(err, publish.ErrReplaying) || len(b.lines) != 0 {
			t.Errorf("a second replay at the same time: %v, %d lines", err, len(b.lines))
		}
		a.cancel()
		if err := <-a.done; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		time.Sleep(time.Minute)
		s.sink.answers(had.accept)
		time.Sleep(10 * time.Minute)
		for _, m := range had.all() {
			if attribute(m, "replayed") != "" {
				t.Fatalf("sent after the replay was cancelled: %s", m.Body)
			}
		}
		c := s.replay(store.Range{To: time.Date(2000, 1, 1, 0, 0, 25, 0, time.UTC)})
		if err := <-c.done; err != nil || c.last().Sent != 9 {
			t.Errorf("the next one: %v, %+v", err, c.last())
		}
		s.stop()
	})
}

func TestReplayEndsWithTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := replaySite(t)
		s.sink.answers(dead)
		a := s.replay(store.Range{})
		time.Sleep(time.Second)
		s.stop()
		if err := <-a.done; err == nil || !strings.Contains(err.Error(), "cut short") {
			t.Errorf("%v", err)
		}
	})
}

func TestReplayIsRefusedWhereItCannotBe(t *testing.T) {
	for _, c := range []struct {
		config, id string
		want       error
	}{
		{oneSlave + keepingDay, "nobody", publish.ErrNoIntegration},
		{oneSlave, "", publish.ErrNotKept},
		{strings.Replace(oneSlave, "name: x,", "name: x, enabled: false,", 1) + keepingDay, "", publish.ErrPaused},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, c.config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
			id := c.id
			if id == "" {
				id = s.status().Integrations[0].ID
			}
			err := s.agent.Replay(t.Context(), id, store.Range{}, func(any) error { t.Error("it begins"); return nil })
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			s.stop()
		})
	}
}
