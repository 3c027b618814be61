package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

// TestReadyMeansThatTheAgentWorks: no controller answers, and the agent is ready, with a problem for each. When a
// port is gone, the agent is not ready.
func TestReadyMeansThatTheAgentWorks(t *testing.T) {
	for problem, fault := range map[string]modbustest.Fault{
		"slave_refusing": {Exception: 1}, "slave_silent": {Silent: true},
	} {
		t.Run(problem, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := controller(1)
				slave.Script = func(modbustest.Request) modbustest.Fault { return fault }
				pipe := modbustest.NewPipe(9600, 11, slave)
				s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": pipe})
				defer s.stop()
				time.Sleep(time.Hour)
				if err := s.agent.Ready(); err != nil || codes(s.status()) != problem {
					t.Errorf("ready %v, problems %s", err, codes(s.status()))
				}
				pipe.Unplug()
				time.Sleep(10 * time.Minute)
				if s.agent.Ready() == nil || codes(s.status()) != "line_port_missing" {
					t.Errorf("ready without its port, problems %s", codes(s.status()))
				}
			})
		})
	}
}
