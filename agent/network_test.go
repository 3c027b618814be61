package agent_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// networkTrouble is one fault of a network line, and the problem that reports it.
type networkTrouble struct {
	code   string
	rtu    bool // rtu+tcp://; false: tcp://
	slave  modbustest.Fault
	reply  modbustest.GatewayFault
	dial   error // nil: the gateway is there
	shared bool  // another program sends requests, and every reply goes to both
}

func networkTroubles() []networkTrouble {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	away := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}
	return []networkTrouble{
		{code: "slave_silent", slave: modbustest.Fault{Silent: true}},
		{code: "slave_silent", rtu: true, slave: modbustest.Fault{Silent: true}},
		{code: "slave_garbled", rtu: true, reply: modbustest.GatewayFault{Damage: true}},
		{code: "line_shared", shared: true},
		{code: "line_shared", rtu: true, shared: true},
		{code: "slave_late", slave: modbustest.Fault{Late: 700 * time.Millisecond}},
		{code: "slave_late", rtu: true, slave: modbustest.Fault{Late: 700 * time.Millisecond}},
		{code: "slave_transaction_id", reply: modbustest.GatewayFault{ID: 1}},
		{code: "slave_other_unit", slave: modbustest.Fault{Unit: 3}},
		{code: "slave_other_unit", rtu: true, slave: modbustest.Fault{Unit: 3}},
		{code: "slave_wrong_length", slave: modbustest.Fault{More: 2}},
		{code: "slave_wrong_length", rtu: true, slave: modbustest.Fault{More: 2}},
		{code: "gateway_fails", reply: modbustest.GatewayFault{Damage: true}},
		{code: "gateway_refuses", dial: refused},
		{code: "gateway_refuses", rtu: true, dial: refused},
		{code: "gateway_unreachable", dial: away},
		{code: "gateway_unreachable", dial: &net.DNSError{Err: "no such host", Name: "gw", IsNotFound: true}},
	}
}

// TestProblemsOfNetworkLinesSayWhatIsWrong: the problem has its own code or that of a serial line, and its text does
// not mention wires.
func TestProblemsOfNetworkLinesSayWhatIsWrong(t *testing.T) {
	for i, c := range networkTroubles() {
		t.Run(fmt.Sprintf("%d %s", i, c.code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.check(t) })
		})
	}
}

// start runs a site with the trouble. Call end after the site has stopped.
func (c networkTrouble) start(t *testing.T) (s *site, end func()) {
	slave := controller(1)
	slave.Script = func(modbustest.Request) modbustest.Fault { return c.slave }
	g := &modbustest.Gateway{RTU: c.rtu, Slaves: []*modbustest.Slave{slave}}
	g.Script = func() modbustest.GatewayFault { return c.reply }
	port := "tcp://gw"
	if c.rtu {
		port = "rtu+tcp://gw:502"
	}
	if c.shared { // values change, because a reply equal to the last one could be a repetition
		g.Route = modbustest.ToAll
		var n uint16
		slave.Read = func(_ byte, _, count uint16) ([]uint16, byte) {
			n++
			return slices.Repeat([]uint16{0x4A00 + n%64}, int(count)), 0
		}
	}
	g.Start()
	if c.shared {
		askAlong(t, g)
	}
	connect := func(string) (net.Conn, error) {
		if c.dial != nil {
			return nil, c.dial
		}
		return g.Connect("us")
	}
	text := "state_dir: " + t.TempDir() + "\n" + strings.Split(strings.Replace(oneSlave, "/dev/ttyA", port, 1), "integrations:")[0]
	s = begin(t, text, agent.Options{OpenPort: func(m modbus.Settings) (modbus.Port, error) { return modbus.DialOver(m, connect) }})
	return s, func() {
		g.Stop()
		time.Sleep(time.Second) // time for the other program to notice
	}
}

func (c networkTrouble) check(t *testing.T) {
	wires := regexp.MustCompile(`A and B|parity|baud|adapter|cable's|master|wiring|screen`)
	s, end := c.start(t)
	time.Sleep(time.Minute)
	status := s.status()
	s.stop()
	end()
	if len(status.Problems) == 0 {
		t.Fatalf("no problem, want %s", c.code)
	}
	p := status.Problems[0]
	if p.Code != c.code || wires.MatchString(p.Title+p.Detail+p.Remedy) {
		t.Errorf("want %s first: %+v", c.code, status.Problems)
	}
	if n := status.Lines[0].Counters.BadHeaders; (n > 0) != (c.code == "gateway_fails") {
		t.Errorf("%d malformed headers", n)
	}
}

// TestAGatewayWithoutAnAnswerHasOneProblem: if all of several controllers are silent, or the gateway reports each as
// absent, the cause is behind the gateway.
func TestAGatewayWithoutAnAnswerHasOneProblem(t *testing.T) {
	for _, fault := range []modbustest.Fault{{Silent: true}, {Exception: 0x0B}} {
		synctest.Test(t, func(t *testing.T) {
			one, two := controller(1), controller(2)
			one.Script = func(modbustest.Request) modbustest.Fault { return fault }
			two.Script = one.Script
			g := &modbustest.Gateway{Slaves: []*modbustest.Slave{one, two}}
			g.Start()
			text := "state_dir: " + t.TempDir() + "\n" + strings.Split(strings.Replace(onePair, "/dev/ttyA", "tcp://gw", 1), "integrations:")[0]
			connect := func(string) (net.Conn, error) { return g.Connect("us") }
			s := after(2*time.Minute, begin(t, text, agent.Options{OpenPort: func(m modbus.Settings) (modbus.Port, error) { return modbus.DialOver(m, connect) }}))
			problems := s.status().Problems
			s.stop()
			g.Stop()
			if len(problems) != 1 || problems[0].Code != "line_silent" || len(problems[0].Folded) != 2 {
				t.Fatalf("%+v: %+v", fault, problems)
			}
			if p := problems[0]; !strings.Contains(p.Title, "behind the gateway a") || !strings.Contains(p.Remedy, "serial side") {
				t.Errorf("%q: %q", p.Title, p.Remedy)
			}
		})
	}
}

// askAlong is another program that reads through the gateway until g stops.
func askAlong(t *testing.T, g *modbustest.Gateway) {
	t.Helper()
	conn, err := g.Connect("other")
	if err != nil {
		t.Fatal(err)
	}
	request := []byte{0x00, 0x01, 0, 0, 0, 6, 1, modbus.FuncReadInput, 0x00, 0x08, 0x00, 0x04}
	if g.RTU {
		request = modbustest.AppendCRC(request[6:])
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	go func() {
		for {
			if _, err := conn.Write(request); err != nil {
				return
			}
			time.Sleep(700 * time.Millisecond)
		}
	}()
}
