package agent_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
)

// A cloud's answers show that the gateway's clock is wrong. This is a problem for as long as the answers show it.
func TestAClockAwayFromTheCloudsIsAProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		had, skewed := &seen{}, new(atomic.Bool)
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		defer s.stop()
		s.sink.answers(func(m sinks.Message) sinks.Result {
			r := had.accept(m)
			r.Skewed = skewed.Load()
			return r
		})
		for _, want := range []string{"", "clock_differs", ""} {
			skewed.Store(want != "")
			time.Sleep(25 * time.Second)
			if status := s.status(); codes(status) != want || status.Integrations[0].State != "ok" {
				t.Errorf("problems %q, want %q; state %s", codes(status), want, status.Integrations[0].State)
			}
		}
	})
}
