package agent_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/store"
)

// slowSink takes some time for each request and counts them.
type slowSink struct {
	memorySink
	wait     time.Duration
	requests atomic.Int64
}

func (m *slowSink) Publish(ctx context.Context, messages []sinks.Message) []sinks.Result {
	m.requests.Add(1)
	time.Sleep(m.wait)
	return m.memorySink.Publish(ctx, messages)
}

// A round ends with the samples that waited at its begin, even if a request takes longer than the log interval.
func TestRoundEndsThoughTheCloudIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &slowSink{wait: 1100 * time.Millisecond}
		config := strings.NewReplacer("10s", "1s", "topics/Main}", "topics/Main, publish_every: 5m}").Replace(oneObject)
		pipe := modbustest.NewPipe(9600, 11, controller(1))
		s := begin(t, "state_dir: "+t.TempDir()+"\n"+config, agent.Options{
			NewSink:  func(configs.Integration, string) (publish.Sink, error) { return sink, nil },
			OpenPort: func(modbus.Settings) (modbus.Port, error) { return pipe.Dial() },
		})
		time.Sleep(20 * time.Minute)
		requests, sent := sink.requests.Load(), len(sink.bodies())
		s.stop()
		// Four or five rounds of 300 samples, with 100 in a request.
		if requests < 3*3 || requests > 5*3+2 || sent < 3*300 {
			t.Errorf("%d requests and %d samples in 20 minutes", requests, sent)
		}
	})
}

const every2h = "topics/Main, publish_every: 2h, catch_up: {spread: 0s}}"

// The backlog of an outage or a pause does not wait for the next regular moment, even after a change of the
// configuration.
func TestBacklogDoesNotWaitForARoundAfterAnEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := strings.NewReplacer("10s", "1m", "topics/Main}", every2h).Replace(oneObject)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		s.sink.answers(func(sinks.Message) sinks.Result { return sinks.Failed(sinks.Wait, "AccessDenied", "no") })
		time.Sleep(3 * time.Hour)
		before := s.status().Integrations[0]
		s.sink.answers(nil)
		s.reload(strings.Replace(config, "name: x", "name: x, id: "+before.ID+", attributes: none", 1))
		time.Sleep(time.Minute)
		if n := uint64(len(s.sink.bodies())); before.Backlog < 179 || n < before.Backlog {
			t.Errorf("%d of %d waiting samples were sent in the first minute after the edit", n, before.Backlog)
		}
		s.stop()
	})
}

func TestBacklogDoesNotWaitForARoundAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := strings.NewReplacer("10s", "1m", "topics/Main}", every2h).Replace(oneObject)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(time.Minute)
		s.reload(strings.Replace(config, "publish_every", "enabled: false, publish_every", 1))
		time.Sleep(5 * time.Hour)
		backlog := s.status().Integrations[0].Backlog
		s.reload(config)
		time.Sleep(time.Minute)
		if n := uint64(len(s.sink.bodies())); backlog < 299 || n < backlog {
			t.Errorf("%d of %d waiting samples were sent in the first minute after the pause", n, backlog)
		}
		time.Sleep(10 * time.Minute)
		if n := s.status().Integrations[0].Backlog; n < 10 {
			t.Errorf("only %d samples wait ten minutes later: samples are no longer collected", n)
		}
		s.stop()
	})
}

// A replay or a retry does not wait for the next regular moment. Collected samples do.
func TestReplayDoesNotWaitForARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := strings.NewReplacer("10s", "1m", "topics/Main}", every2h).Replace(oneObject) + keepingDay
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		afterARound(s)
		sent, waiting := len(s.sink.bodies()), s.status().Integrations[0].Backlog
		begun := time.Now()
		a := s.replay(store.Range{})
		if err := <-a.done; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("the replay took %v", took)
		}
		if n := len(s.sink.bodies()) - sent; n != sent {
			t.Errorf("%d messages, want the %d of the round again", n, sent)
		}
		if n := s.status().Integrations[0].Backlog; n < waiting {
			t.Errorf("%d samples wait, %d waited before the replay: the replay has sent collected samples too",
				n, waiting)
		}
		s.stop()
	})
}

// afterARound sleeps until a round has ended and some samples wait for the next one.
func afterARound(s *site) {
	s.t.Helper()
	for range 3 * 60 {
		time.Sleep(time.Minute)
		if in := s.status().Integrations[0]; in.Sent+in.Failed > 0 && in.Backlog > 0 {
			return
		}
	}
	s.t.Fatal("no round in three hours")
}

func TestDeadLettersDoNotWaitForARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := strings.NewReplacer("10s", "1m", "topics/Main}", every2h).Replace(oneObject)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		var rejected atomic.Bool
		s.sink.answers(func(sinks.Message) sinks.Result {
			if !rejected.Swap(true) {
				return sinks.Failed(sinks.Reject, "InvalidParameter", "no such thing")
			}
			return sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}
		})
		afterARound(s)
		in := s.status().Integrations[0]
		if in.Dead != 1 {
			t.Fatalf("%d dead letters", in.Dead)
		}
		begun := time.Now()
		if err := s.agent.RetryDeadLetters(t.Context(), in.ID, nil, func(any) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("the retry took %v", took)
		}
		s.stop()
	})
}

// An alarm ends the wait of integrations that have its object, and of no other one.
func TestAlarmOfAnotherIntegrationEndsNoWait(t *testing.T) {
	const config = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [array_fault, load_fault, adc_vbterm], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main, objects: [adc_vbterm, load_fault], publish_every: 1h}
  - {name: y, type: gcp, topic: projects/test-project/topics/Other, objects: [array_fault], publish_every: 1h}
`
	synctest.Test(t, func(t *testing.T) {
		slave, fault := collected()
		clouds := map[string]*memorySink{"x": {}, "y": {}}
		pipe := modbustest.NewPipe(9600, 11, slave)
		s := begin(t, "state_dir: "+t.TempDir()+"\n"+config, agent.Options{
			NewSink:  func(in configs.Integration, _ string) (publish.Sink, error) { return clouds[in.Name], nil },
			OpenPort: func(modbus.Settings) (modbus.Port, error) { return pipe.Dial() },
		})
		for i := range 120 {
			time.Sleep(time.Minute)
			fault.Store(uint32(i % 2))
		}
		s.sink = clouds["x"]
		without, _ := s.publications()
		s.sink = clouds["y"]
		with, _ := s.publications()
		s.stop()
		if len(without) > 3 {
			t.Errorf("%d publications in two hours of the integration that does not list the alarm", len(without))
		}
		if len(with) < 110 {
			t.Errorf("%d publications in two hours of the integration that lists the alarm", len(with))
		}
	})
}
