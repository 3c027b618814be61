package modbus_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	goburrow "github.com/goburrow/modbus"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// TestSlaveThatWasDeadForHoursHeals: the slave is read again at once after any number of polls without an answer, of
// any number of shapes.
func TestSlaveThatWasDeadForHoursHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStorm(1, timeout)
		for _, slave := range s.slaves {
			slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: !s.calm.Load()} }
		}
		line, _ := pipeLine(t, s.slaves...)
		for polls := 1; polls < 2000; polls *= 3 {
			s.calm.Store(false)
			for range polls {
				_ = s.poll(t, line, s.ask())
				_, _ = line.Identify(t.Context(), 1)
			}
			s.calm.Store(true)
			for _, count := range []uint16{1, 2, 3, 4, 5, 6, 40} {
				for _, function := range []byte{modbus.FuncReadHolding, modbus.FuncReadInput} {
					q := question{unit: 1, function: function, addr: 7, count: count}
					_ = s.poll(t, line, q)
					if err := s.poll(t, line, q); err != nil {
						t.Fatalf("after %d dead polls, %+v: %v", polls, q, err)
					}
				}
			}
		}
	})
}

// The best known script: a reply comes after its timeout, while the next register is asked for. This package must not
// take it. The test also shows that the plain transporter takes it, so that the comparison is fair.

const (
	foolTimeout = 300 * time.Millisecond
	foolLate    = 500 * time.Millisecond // far from the timeout, because the plain transporter runs in real time
)

func foolingSlave() *modbustest.Slave {
	slave := ownAddress(1)
	asked := 0
	slave.Script = func(r modbustest.Request) modbustest.Fault {
		if r.Addr != 0x0012 || r.Count != 2 || asked > 0 { // a request of another length is a probe
			return modbustest.Fault{}
		}
		asked++
		return modbustest.Fault{Late: foolLate}
	}
	return slave
}

func TestPlainTransporterIsFooledByALateReply(t *testing.T) {
	for range 5 { // a machine that stalls at the wrong moment spoils the script
		if plainIsFooled(t) {
			return
		}
	}
	t.Error("the plain transporter took no wrong value in five attempts")
}

// plainIsFooled plays the script to goburrow's own transporter.
func plainIsFooled(t *testing.T) bool {
	pty := modbustest.MustServe(t, baud, bits, foolingSlave())
	handler := goburrow.NewRTUClientHandler(pty.Path())
	handler.SlaveId, handler.BaudRate, handler.StopBits, handler.Parity, handler.Timeout = 1, baud, 2, "N", foolTimeout
	defer handler.Close()
	client := goburrow.NewClient(handler)
	if _, err := client.ReadInputRegisters(0x0012, 2); err == nil {
		return false
	}
	got, err := client.ReadInputRegisters(0x0020, 2)
	t.Logf("read 0x0020: % X, %v", got, err)
	return err == nil && string(got) == "\x00\x12\x00\x13"
}

func TestLineIsNotFooledByALateReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(baud, bits, foolingSlave())
		line := modbus.NewLine(modbus.Options{Timeout: foolTimeout, Open: func() (modbus.Port, error) { return pipe.Dial() }})
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x0012, 2); !errors.Is(err, modbus.ErrTimeout) {
			t.Fatalf("first read: %v, want ErrTimeout", err)
		}
		for range 20 {
			reply, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x0020, 2)
			if err == nil && (reply.Registers[0] != 0x20 || reply.Registers[1] != 0x21) {
				t.Fatalf("WRONG VALUE %04X", reply.Registers)
			}
			if err == nil {
				return
			}
		}
		t.Error("no reply in twenty polls")
	})
}
