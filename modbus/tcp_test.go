package modbus_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// dialLine opens a line to a port of any kind.
func dialLine(t *testing.T, port string, timeout time.Duration) *modbus.Line {
	t.Helper()
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: port, Baud: 115200}, Timeout: timeout})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = line.Close() })
	return line
}

func TestModbusTCPReads(t *testing.T) {
	line := dialLine(t, "tcp://"+modbustest.ServeTCP(t, ownAddress(1)), 2*time.Second)
	for _, count := range []uint16{1, 8, 125} {
		mustRead(t, line, 0x12, count)
	}
	id, err := line.Identify(t.Context(), 1)
	if err != nil || id.ProductCode != "PS-PWM-30M" {
		t.Errorf("%+v %v", id, err)
	}
	if c := line.Counters(); c.Probes != 0 {
		t.Errorf("%d probes, want none: transaction ids are enough", c.Probes)
	}
}

// TestDeviceThatClosesAfterEachReply: a TriStar MPPT closes the connection after each reply.
func TestDeviceThatClosesAfterEachReply(t *testing.T) {
	slave := ownAddress(1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			modbustest.ServeOne(conn, slave)
		}
	}()
	line := dialLine(t, "tcp://"+listener.Addr().String(), 2*time.Second)
	for i := range uint16(20) {
		mustRead(t, line, 0x10*i, 8)
	}
	// A request is repeated if its connection ends, so there may be more than 20 requests.
	if c := line.Counters(); c.Requests < 20 || c.Timeouts != 0 || c.Reopens != 0 {
		t.Errorf("%+v", c)
	}
}

func TestNobodyListensIsAnOpenErrorWithAHint(t *testing.T) {
	address := modbustest.FreeAddress(t)
	for _, scheme := range []string{"tcp://", "rtu+tcp://"} {
		line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: scheme + address}})
		var failed *modbus.OpenError
		if err := line.Open(); !errors.As(err, &failed) || failed.Hint == "" {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

func TestStreamThatIsNotModbusTCPIsReopened(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			defer conn.Close()
		}
	}()
	line := dialLine(t, "tcp://"+listener.Addr().String(), 2*time.Second)
	_, err = line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 8)
	if !errors.Is(err, modbus.ErrPort) || strings.Contains(err.Error(), "serial") {
		t.Errorf("%v, want ErrPort without advice for serial ports", err)
	}
}

// The storm in real time: short timeouts, over each kind of port. Eight lines run at once, because they mostly wait
// (TestMain allows this). There are 2,000 reads over ptys, and fewer over TCP.
const (
	realTimeout = 20 * time.Millisecond
	realLines   = 8
)

func TestNoWrongValueOverPTY(t *testing.T) {
	t.Parallel()
	realStorm(t, 250, func(t *testing.T, s *storm) string {
		return modbustest.MustServe(t, 115200, bits, s.slaves...).Path()
	})
}

func TestNoWrongValueOverModbusTCP(t *testing.T) {
	t.Parallel()
	realStorm(t, 60, func(t *testing.T, s *storm) string {
		s.network = true
		return "tcp://" + modbustest.ServeTCP(t, s.slaves...)
	})
}

// TestNoWrongValueOverGateway is the storm of a serial line behind a gateway without ids, in virtual time.
func TestNoWrongValueOverGateway(t *testing.T) {
	t.Parallel()
	for range realLines {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { gatewayWeather(t, newStorm(seed, timeout)) })
		})
	}
}

func gatewayWeather(t *testing.T, s *storm) {
	line := modbus.NewLine(modbus.Options{
		Settings: modbus.Settings{Port: "rtu+tcp://us", Baud: 115200}, Timeout: timeout,
		Connect: modbustest.ConnectGateway(modbustest.NewPipe(115200, bits, s.slaves...)),
	})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	defer func() { line.Close(); <-time.After(time.Minute) }() // in this time the gateway ends
	good := 0
	const reads = 250
	for range reads {
		if s.poll(t, line, s.ask()) == nil {
			good++
		}
		<-time.After(upTo(s.rng, 200*time.Millisecond))
	}
	s.calm.Store(true)
	<-time.After(time.Minute) // by then all late replies have come
	s.heals(t, line)
	t.Logf("%d reads, %d with values; %+v", s.read.Load(), good, line.Counters())
	if good < reads/20 {
		t.Errorf("%d values of %d reads are too few to prove anything", good, reads)
	}
}

// realStorm makes at least so many reads, and continues until there was a value: the number of values depends on the
// machine. The limits only end a broken test.
func realStorm(t *testing.T, reads int, serve func(*testing.T, *storm) string) {
	const limit = 20
	for range realLines {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			s := newStorm(seed, realTimeout)
			line := dialLine(t, serve(t, s), realTimeout)
			good := 0
			for n := 0; n < reads || good == 0 && n < limit*reads; n++ {
				if s.poll(t, line, s.ask()) == nil {
					good++
				}
			}
			s.calm.Store(true)
			calm := time.After(10 * realTimeout) // by then all late replies have come
			<-calm
			_ = line.Open()
			// on a busy machine the slave may be too slow for the timeout
			for try := 0; s.poll(t, line, s.ask()) != nil; try++ {
				if try == limit*reads {
					t.Fatal("no read succeeds after the last fault")
				}
			}
			t.Logf("%d reads, %d with values; %+v", s.read.Load(), good, line.Counters())
			if good == 0 {
				t.Errorf("%d reads without a value prove nothing", limit*reads)
			}
		})
	}
}
