package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
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
		time.Sleep(2 * time.Hour) // 1,442 samples
		synctest.Wait()
		s.sink.answers(nil)
		backlog := s.status().Integrations[0].Backlog
		begin := time.Now()
		for s.status().Integrations[0].Backlog > 20 {
			time.Sleep(time.Second)
		}
		took := time.Since(begin).Seconds()
		// While it is sent at 2 a second, 0.2 a second are added.
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
