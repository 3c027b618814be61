package agent_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
)

// cloud is a sink that records each attempt.
type cloud struct {
	mu       sync.Mutex
	answer   func() sinks.Result // nil accepts
	hangs    bool                // until the attempt's time is up
	attempts []attempt
	lags     []time.Duration // from sampling to acceptance
}

type attempt struct {
	at    time.Time
	asked int
}

func (c *cloud) Publish(ctx context.Context, messages []sinks.Message) []sinks.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts = append(c.attempts, attempt{time.Now(), len(messages)})
	r := sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}
	switch {
	case c.hangs:
		c.mu.Unlock()
		<-ctx.Done()
		c.mu.Lock()
		r = sinks.Failed(sinks.Retry, sinks.CodeTimeout, "no answer in time")
	case c.answer != nil:
		r = c.answer()
	}
	if r.Outcome == sinks.Accepted {
		for _, m := range messages {
			_, after, _ := strings.Cut(string(m.Body), `"sampled_at":"`)
			at, _ := time.Parse(time.RFC3339, after[:len("2000-01-01T00:00:00Z")])
			c.lags = append(c.lags, time.Since(at))
		}
	}
	return sinks.Repeat(r, len(messages))
}

func (c *cloud) Window() int  { return 100 }
func (c *cloud) Close() error { return nil }

// becomes changes what the cloud does from now on.
func (c *cloud) becomes(hangs bool, answer func() sinks.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangs, c.answer = hangs, answer
}

func fails(o sinks.Outcome, code string, after time.Duration) func() sinks.Result {
	return func() sinks.Result {
		r := sinks.Failed(o, code, "as the test has it")
		r.After = after
		return r
	}
}

// since returns the attempts from a moment on.
func (c *cloud) since(t time.Time) (out []attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.attempts {
		if !a.at.Before(t) {
			out = append(out, a)
		}
	}
	return out
}

// startClouds runs an agent whose integrations, named a, b and so on, have these clouds.
func startClouds(t *testing.T, keys string, clouds ...*cloud) (stop func()) {
	t.Helper()
	config := "device_id: 5300520006504b5957343920\nstate_dir: " + t.TempDir() + "\n" +
		"lines:\n  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: Et_float, intervals: {\"*\": 10s}}]}\nintegrations:\n"
	byName := map[string]publish.Sink{}
	for i, c := range clouds {
		name := string(rune('a' + i))
		byName[name] = c
		config += fmt.Sprintf("  - {name: %s, type: gcp, topic: projects/test-project/topics/Main%s}\n", name, keys)
	}
	pipe := modbustest.NewPipe(9600, 11, controller(1))
	return begin(t, config, agent.Options{
		NewSink:  func(in configs.Integration, _ string) (publish.Sink, error) { return byName[in.Name], nil },
		OpenPort: func(modbus.Settings) (modbus.Port, error) { return pipe.Dial() },
	}).stop
}

// TestABlackHoleDoesNotSlowTheOtherIntegration measures the same hour twice, with and without an integration that
// never gets an answer.
func TestABlackHoleDoesNotSlowTheOtherIntegration(t *testing.T) {
	hour := func(hangs bool) (lags []time.Duration, probes []attempt) {
		synctest.Test(t, func(t *testing.T) {
			good, hole := &cloud{}, &cloud{hangs: hangs}
			stop := startClouds(t, "", good, hole)
			time.Sleep(time.Hour)
			synctest.Wait()
			lags, probes = good.lags, hole.attempts
			stop()
		})
		return lags, probes
	}
	beside, probes := hour(true)
	alone, _ := hour(false)
	if len(alone) < 360 || fmt.Sprint(beside) != fmt.Sprint(alone) {
		t.Errorf("with another integration that gets no answer, %d samples arrived after at most %v; without it %d after %v", len(beside), most(beside), len(alone), most(alone))
	}
	if len(probes) < 30 || len(probes) > 65 { // each takes a minute, with up to a minute between them
		t.Errorf("%d attempts to the black hole in the hour", len(probes))
	}
	for i, p := range probes {
		if p.asked > 1 && i > 0 {
			t.Errorf("attempt %d to the black hole had %d messages", i, p.asked)
		}
	}
}

func most(lags []time.Duration) (m time.Duration) {
	for _, l := range lags {
		m = max(m, l)
	}
	return m
}

func TestAWaitThatTheCloudAskedForIsKeptEvenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{answer: fails(sinks.Retry, "ThrottlingException", 10*time.Minute)}
		stop := startClouds(t, "", c)
		time.Sleep(2 * time.Hour)
		stop()
		for i := range c.attempts[1:] {
			if wait := c.attempts[i+1].at.Sub(c.attempts[i].at); wait < 10*time.Minute || wait > 11*time.Minute+time.Second {
				t.Errorf("attempt %d came after %v", i+1, wait)
			}
		}
		if n := len(c.attempts); n < 10 || n > 13 {
			t.Errorf("%d attempts in two hours", n)
		}
	})
}

func TestAfterAnOutageOneMessageGoesAheadAndTheBacklogFollowsInItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{}
		stop := startClouds(t, ", catch_up: {spread: 4m}", c)
		time.Sleep(time.Hour)
		c.becomes(false, fails(sinks.Retry, sinks.CodeNetwork, 0))
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		c.becomes(false, nil)
		back := time.Now()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		got := c.since(back)
		stop()
		if len(got) < 3 || got[0].asked != 1 || got[1].asked != 100 || got[2].asked < 80 {
			t.Fatalf("after the outage: %+v; want a probe, then full windows", got)
		}
		if rest := got[1].at.Sub(got[0].at); rest < 2*time.Second || rest > 4*time.Minute {
			t.Errorf("the backlog followed after %v", rest)
		}
		if next := got[2].at.Sub(got[1].at); next > time.Millisecond {
			t.Errorf("its second window followed after %v", next)
		}
	})
}

func TestTheEndDoesNotWaitForTheGatewaysTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{}
		stop := startClouds(t, ", pacing: 1h", c)
		time.Sleep(45 * time.Second)
		begin := time.Now()
		stop()
		if took := time.Since(begin); len(c.lags) != 5 || took > time.Second {
			t.Errorf("%d samples at the end, want all 5, in %v", len(c.lags), took)
		}
	})
}

func TestPacedSamplesGoTogetherAtTheGatewaysPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{}
		stop := startClouds(t, ", pacing: 1m", c)
		time.Sleep(time.Hour)
		synctest.Wait()
		samples, attempts := len(c.lags), len(c.attempts)
		stop()
		if longest := most(c.lags[:samples]); longest < 2*time.Second || longest > time.Minute+2*time.Second {
			t.Errorf("samples arrived after up to %v", longest)
		}
		if samples < 350 || attempts > samples/2 {
			t.Errorf("%d samples in %d requests", samples, attempts)
		}
	})
}

// TestAMessageThatNobodyKnowsWhatIsWrongWithDoesNotBlockTheRest: a cloud refuses one message again and again, with an
// unknown error, even when the message is sent alone.
func TestAMessageThatNobodyKnowsWhatIsWrongWithDoesNotBlockTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, bad, tried := &memorySink{window: 10}, "", 0
		sink.answer = func(m sinks.Message) sinks.Result {
			_, body, _ := strings.Cut(string(m.Body), `"data"`)
			if tried++; tried == 25 {
				bad = body
			}
			if body == bad {
				return sinks.Failed(sinks.Wait, "SomethingNew", "of this message alone")
			}
			return sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}
		}
		s := startIn(t, t.TempDir(), "device_id: 5300520006504b5957343920\n"+
			"lines:\n  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: Et_float, intervals: {\"*\": 10s}}]}\n"+
			"integrations:\n  - {name: a, type: gcp, topic: projects/test-project/topics/Main}\n",
			map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))}, "", sink)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(sink.bodies()); n < 340 {
			t.Errorf("%d of 360 samples have arrived", n)
		}
		s.stop()
	})
}

// TestATopicThatRejectsEverythingIsNotFedTheWholeBacklog: the set-up is wrong, and the messages are good. Until an
// operator acts, there are much fewer dead letters than the limit, and the integration shows that it waits. When the
// topic is repaired, all other samples arrive.
func TestATopicThatRejectsEverythingIsNotFedTheWholeBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memorySink{window: 10}
		sink.answers(func(sinks.Message) sinks.Result {
			return sinks.Failed(sinks.Reject, "InvalidArgument", "it fits no schema")
		})
		s := startIn(t, t.TempDir(), "device_id: 5300520006504b5957343920\n"+
			"lines:\n  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float], intervals: {\"*\": 10s}}]}\n"+
			"integrations:\n  - {name: a, type: gcp, topic: projects/test-project/topics/Main}\n",
			map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))}, "", sink)
		time.Sleep(3 * time.Hour) // 2,162 samples
		synctest.Wait()
		in := s.status().Integrations[0]
		if in.Dead < 64 || in.Dead > 250 || in.State != "waiting" || in.LastError != "InvalidArgument: it fits no schema" {
			t.Errorf("%d dead letters, %s: %s", in.Dead, in.State, in.LastError)
		}
		sink.answers(nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if after := s.status().Integrations[0]; after.State != "ok" || after.Backlog != 0 || after.Sent+uint64(after.Dead) < 2_200 || after.Dead != in.Dead {
			t.Errorf("after the repair of the topic: %+v", after)
		}
		s.stop()
	})
}
