package agent_test

import (
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// TestProblemsOfNetworkLinesSayWhatIsWrong: by their own code, and without a word about wires.
func TestProblemsOfNetworkLinesSayWhatIsWrong(t *testing.T) {
	wires := regexp.MustCompile(`A and B|parity|baud|adapter|cable's`)
	for _, c := range []struct {
		code  string
		fault modbustest.Fault
		id    uint16
	}{
		{"unit_silent", modbustest.Fault{Silent: true}, 0},
		{"slave_late", modbustest.Fault{Late: 700 * time.Millisecond}, 0},
		{"slave_transaction_id", modbustest.Fault{}, 1},
		{"slave_other_unit", modbustest.Fault{Unit: 3}, 0},
		{"slave_wrong_length", modbustest.Fault{More: 2}, 0},
		{"gateway_unreachable", modbustest.Fault{}, 0},
	} {
		t.Run(c.code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := controller(1)
				slave.Script = func(modbustest.Request) modbustest.Fault { return c.fault }
				g := &modbustest.Gateway{Slaves: []*modbustest.Slave{slave}}
				g.Script = func() modbustest.GatewayFault { return modbustest.GatewayFault{ID: c.id} }
				g.Start()
				connect := func(string) (net.Conn, error) { return g.Connect("us") }
				if c.code == "gateway_unreachable" {
					connect = func(string) (net.Conn, error) {
						return nil, &net.DNSError{Err: "no such host", Name: "gw", IsNotFound: true}
					}
				}
				text := "state_dir: " + t.TempDir() + "\n" + strings.Split(strings.Replace(oneSlave, "/dev/ttyA", "tcp://gw", 1), "integrations:")[0]
				s := begin(t, text, agent.Options{OpenPort: func(m modbus.Settings) (modbus.Port, error) { return modbus.DialOver(m, connect) }})
				time.Sleep(time.Minute)
				problems := s.status().Problems
				s.stop()
				g.Stop()
				if len(problems) == 0 || problems[0].Code != c.code || wires.MatchString(problems[0].Title+problems[0].Detail+problems[0].Remedy) {
					t.Errorf("want %s first: %+v", c.code, problems)
				}
			})
		})
	}
}
