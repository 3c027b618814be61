package agent_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
)

// A topic refuses one message of each sweep, which becomes a dead letter. The problem and the last error show this
// for as long as it happens.
func TestRefusedKindIsAProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		had, takes := &seen{}, new(atomic.Bool)
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		defer s.stop()
		s.sink.answers(func(m sinks.Message) sinks.Result {
			if m.Kind == (sinks.Kind{}) {
				t.Errorf("a message without the attribute kind: %s", m.Body)
			}
			if !takes.Load() && m.Kind.Object == "Ahc_r" {
				s.sink.said("the topic's schema refuses fractions of Ahc_r (InvalidArgument: no)")
				return sinks.Failed(sinks.Reject, "InvalidArgument", "no")
			}
			return had.accept(m)
		})
		time.Sleep(25 * time.Second)
		status := s.status()
		if in := status.Integrations[0]; in.State != "ok" || in.Dead != 3 || in.LastError == "" {
			t.Errorf("state %s, %d dead letters, last error %q", in.State, in.Dead, in.LastError)
		}
		if got := codes(status); got != "kinds_refused dead_letters" {
			t.Fatalf("problems %s", got)
		}
		if p := status.Problems[0]; !strings.Contains(p.Detail, "the topic's schema refuses fractions of Ahc_r") {
			t.Errorf("%+v", p)
		}
		takes.Store(true)
		s.sink.said("")
		time.Sleep(20 * time.Second)
		if status := s.status(); codes(status) != "dead_letters" || status.Integrations[0].LastError != "" {
			t.Errorf("afterwards: %s, %+v", codes(status), status.Integrations[0])
		}
	})
}
