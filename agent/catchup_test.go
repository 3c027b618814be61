package agent_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/store"
)

const metered = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main, catch_up: {rate: 2, spread: 0s}}
`

func TestABacklogIsSentNoFasterThanItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, metered, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		s.sink.answers(func(sinks.Message) sinks.Result { return sinks.Failed(sinks.Retry, "Unavailable", "no link") })
		time.Sleep(time.Hour) // 722 samples
		synctest.Wait()
		s.sink.answers(nil)
		backlog := s.status().Integrations[0].Backlog
		begin := time.Now()
		for s.status().Integrations[0].Backlog > 20 {
			time.Sleep(time.Second)
		}
		took := time.Since(begin).Seconds()
		// The backlog is sent at 2 a second, while 0.2 a second are added.
		least, most := float64(backlog)/2, float64(backlog)/1.8+70
		if took < least || took > most {
			t.Errorf("%d samples took %.0f s, want %.0f to %.0f", backlog, took, least, most)
		}
		before := s.status().Integrations[0].Sent
		time.Sleep(time.Minute)
		if n := s.status().Integrations[0].Sent - before; n < 12 {
			t.Errorf("%d samples in a minute after that, want all 12", n)
		}
		s.stop()
	})
}

func TestAReplayKeepsTheRateOfABacklog(t *testing.T) {
	for _, envelope := range []string{"single", "batch"} {
		synctest.Test(t, func(t *testing.T) {
			config := keepingDay + strings.Replace(metered, "type: gcp", "type: gcp, envelope: "+envelope, 1)
			s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
			time.Sleep(20 * time.Minute)
			synctest.Wait()
			had, begin := s.status().Integrations[0].Sent, time.Now()
			a := s.replay(store.Range{To: begin})
			waited := 0
			for range 30 {
				time.Sleep(time.Second)
				synctest.Wait()
				waited += int(min(1, s.status().Integrations[0].Backlog))
			}
			if waited > 0 {
				t.Errorf("%s: new samples wait for the replay in %d of 30 seconds", envelope, waited)
			}
			if on := s.status().Integrations[0]; on.Sent < had+6 || on.Replayed > 80 {
				t.Errorf("%s: after half a minute %d new samples and %d of the replay, want 6 and 60", envelope, on.Sent-had, on.Replayed)
			}
			if err := <-a.done; err != nil {
				t.Fatal(err)
			}
			took, least := time.Since(begin).Seconds(), float64(had)/2-10 // no wait after the last ten seconds' worth
			if last := a.last(); last.Sent < had || took < least || took > 1.3*least+20 {
				t.Errorf("%s: %d samples took %.0f s, want %.0f", envelope, last.Sent, took, least)
			}
			s.stop()
		})
	}
}
