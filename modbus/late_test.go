package modbus_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	goburrow "github.com/goburrow/modbus"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// storm is a line with two slaves and a script of faults. The value of each register tells unit,
// function, address and which read of the test it was taken for, so that a reply to anything but the very
// request in hand shows.
type storm struct {
	rng    *rand.Rand
	calm   bool
	addr   uint16 // asked last
	read   int    // number of the read in hand
	slaves []*modbustest.Slave
}

// stormRegisters is how many addresses a stamp has room for.
const stormRegisters = 1 << 10

// stamp packs a register's value: unit 1 bit, function 1, read 4, address 10.
func stamp(unit, function byte, addr uint16, read int) uint16 {
	return uint16(unit&1)<<15 | uint16(function&1)<<14 | uint16(read&15)<<10 | addr
}

func newStorm(seed uint64) *storm {
	s := &storm{rng: rand.New(rand.NewPCG(seed, 2))}
	for _, unit := range []byte{1, 2} {
		slave := ownAddress(unit)
		slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
			if int(addr)+int(count) > stormRegisters {
				return nil, modbustest.IllegalAddress
			}
			regs := make([]uint16, count)
			for i := range regs {
				regs[i] = stamp(unit, function, addr+uint16(i), s.read)
			}
			return regs, 0
		}
		slave.Script = s.fault
		s.slaves = append(s.slaves, slave)
	}
	return s
}

// fault draws what happens to one reply: well in half of the cases, and everything else at times.
func (s *storm) fault(modbustest.Request) modbustest.Fault {
	if s.calm {
		return modbustest.Fault{}
	}
	upTo := func(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d))) }
	var f modbustest.Fault
	switch s.rng.IntN(20) {
	case 0, 1:
		f.Late = upTo(2 * timeout)
	case 2:
		f.Late = upTo(6 * timeout)
	case 3:
		f.TornAt, f.Pause = 1+s.rng.IntN(12), upTo(2*timeout)
	case 4:
		f.Silent = true
	case 5:
		f.Exception = byte(1 + s.rng.IntN(6))
	case 6:
		f.Mangle = modbustest.Noise(s.rng)
	case 7:
		f.Unit = 3 // not on this line: two slaves of one id are beyond any master
	case 8:
		f.More = s.rng.IntN(5) - 2
	case 9:
		f.Duplicate, f.Gap = true, upTo(40*time.Millisecond)
	case 10: // misfortunes seldom come singly
		f.Late, f.Duplicate, f.Gap = upTo(2*timeout), true, upTo(40*time.Millisecond)
	}
	return f
}

type question struct {
	unit, function byte
	addr, count    uint16
}

// ask draws a read. Few lengths, so that most reads have the shape of another one; never the same
// address twice in a row, whose repeated frame is that register's value still.
func (s *storm) ask() question {
	counts := []uint16{1, 1, 2, 2, 3, 8, 8, 40}
	s.addr = (s.addr + 1 + uint16(s.rng.IntN(stormRegisters-50))) % (stormRegisters - 40)
	return question{
		unit:     byte(1 + s.rng.IntN(2)),
		function: byte(modbus.FuncReadHolding + s.rng.IntN(2)),
		addr:     s.addr,
		count:    counts[s.rng.IntN(len(counts))],
	}
}

// poll reads once and fails the test over any value that is not the asked register's of now.
func (s *storm) poll(t *testing.T, line *modbus.Line, q question) error {
	t.Helper()
	s.read++
	reply, err := line.Read(t.Context(), q.unit, q.function, q.addr, q.count)
	if err != nil {
		if !errors.Is(err, modbus.ErrTimeout) && !errors.Is(err, modbus.ErrFrame) && !errors.As(err, new(*modbus.Exception)) {
			t.Fatalf("read %d: an error of no known kind: %v", s.read, err)
		}
		return err
	}
	if len(reply.Registers) != int(q.count) {
		t.Fatalf("read %d: %d registers for %d", s.read, len(reply.Registers), q.count)
	}
	for i, v := range reply.Registers {
		if want := stamp(q.unit, q.function, q.addr+uint16(i), s.read); v != want {
			t.Fatalf("WRONG VALUE: read %d of %+v: register %d is %04X, want %04X", s.read, q, i, v, want)
		}
	}
	return nil
}

func TestLateReplyNeverBecomesAnotherRegistersValue(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		s := newStorm(seed)
		line, _ := pipeLine(t, s.slaves...)
		const rounds, reads = 25, 500
		good := 0
		for range rounds {
			s.calm = false
			for range reads {
				if s.poll(t, line, s.ask()) == nil {
					good++
				}
				<-time.After(time.Duration(s.rng.Int64N(int64(200 * time.Millisecond))))
			}
			s.calm = true
			<-time.After(time.Minute) // what is late has come by then
			for _, unit := range []byte{1, 2} {
				q := s.ask()
				q.unit = unit
				_ = s.poll(t, line, q)
				if err := s.poll(t, line, q); err != nil {
					t.Fatalf("read %d: not healed at the second poll: %v", s.read, err)
				}
			}
		}
		c := line.Counters()
		t.Logf("%d reads, %d with values; %+v", s.read, good, c)
		if s.read < 10_000 || good < s.read/5 {
			t.Errorf("%d reads of which %d had values prove too little", s.read, good)
		}
		for name, n := range map[string]uint64{
			"timeouts": c.Timeouts, "CRC errors": c.CRCErrors, "frame errors": c.FrameErrors,
			"exceptions": c.Exceptions, "foreign frames": c.ForeignFrames, "probes": c.Probes, "discarded bytes": c.DiscardedBytes,
		} {
			if n < 50 {
				t.Errorf("only %d %s: the script does not bite", n, name)
			}
		}
	})
}

// TestSlaveThatWasDeadForHoursHeals: however many polls went unanswered, and of however many shapes.
func TestSlaveThatWasDeadForHoursHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStorm(1)
		for _, slave := range s.slaves {
			slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: !s.calm} }
		}
		line, _ := pipeLine(t, s.slaves...)
		for polls := 1; polls < 2000; polls *= 3 {
			s.calm = false
			for range polls {
				_ = s.poll(t, line, s.ask())
				_, _ = line.Identify(t.Context(), 1)
			}
			s.calm = true
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

// The one script that everybody knows: a reply comes after its timeout, while the next register is
// asked for. Ours must not fall for it; that the plain transporter does keeps the comparison honest.

const (
	foolTimeout = 300 * time.Millisecond
	foolLate    = 500 * time.Millisecond // far from the timeout, so that a busy machine changes nothing
)

func foolingSlave() *modbustest.Slave {
	slave := ownAddress(1)
	asked := 0
	slave.Script = func(r modbustest.Request) modbustest.Fault {
		if r.Addr != 0x0012 || r.Count != 2 || asked > 0 { // another length is a probe
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
	t.Error("not fooled in five attempts; the transporter is better than its reputation")
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
	pty := modbustest.MustServe(t, baud, bits, foolingSlave())
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: pty.Path()}, Timeout: foolTimeout})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = line.Close() })
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
}
