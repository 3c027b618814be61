package modbus_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// storm is a line with two slaves and a script of faults. The value of each register contains the unit, the function,
// the address and the number of the test's read. So the value shows if a reply belongs to another request.
type storm struct {
	rng     *rand.Rand    // for the requests
	mu      sync.Mutex    // guards luck: over TCP an old connection may be served beside the new one
	luck    *rand.Rand    // for the faults; in real time the slave's goroutine uses it
	unit    time.Duration // unit of the times of faults: the line's timeout
	network bool          // only faults that TCP can have
	calm    atomic.Bool
	read    atomic.Int64 // number of the read in hand
	addr    uint16       // of the last request
	slaves  []*modbustest.Slave
	trace   *frameTrace // of a network; nil: none
	rtu     bool        // the frames in trace
	limits  int         // number of wrong values that docs/line.md excludes from the promise
}

// stormRegisters is the number of addresses for which a stamp has room.
const stormRegisters = 1 << 10

// stamp packs a register's value: unit 1 bit, function 1, read 4, address 10.
func stamp(unit, function byte, addr uint16, read int64) uint16 {
	return uint16(unit&1)<<15 | uint16(function&1)<<14 | uint16(read&15)<<10 | addr
}

func newStorm(seed uint64, timeout time.Duration) *storm {
	s := &storm{rng: rand.New(rand.NewPCG(seed, 2)), luck: rand.New(rand.NewPCG(seed, 3)), unit: timeout}
	for _, unit := range []byte{1, 2} {
		slave := ownAddress(unit)
		slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
			if int(addr)+int(count) > stormRegisters {
				return nil, modbustest.IllegalAddress
			}
			regs := make([]uint16, count)
			for i := range regs {
				regs[i] = stamp(unit, function, addr+uint16(i), s.read.Load())
			}
			return regs, 0
		}
		slave.Script = s.fault
		s.slaves = append(s.slaves, slave)
	}
	return s
}

func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }

// fault chooses at random what happens to one reply: nothing in half of the cases, otherwise one of the faults.
func (s *storm) fault(modbustest.Request) modbustest.Fault {
	if s.calm.Load() {
		return modbustest.Fault{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.network {
		return s.networkFault()
	}
	var f modbustest.Fault
	switch s.luck.IntN(30) {
	case 0, 1:
		f.Late = upTo(s.luck, 2*s.unit)
	case 2:
		f.Late = upTo(s.luck, 6*s.unit)
	case 3:
		f.TornAt, f.Pause = 1+s.luck.IntN(12), upTo(s.luck, 2*s.unit)
	case 4:
		f.Silent = true
	case 5:
		f.Exception = byte(1 + s.luck.IntN(6))
	case 6:
		f.Mangle = modbustest.Noise(s.luck)
	case 7:
		f.Unit = 3 // not on this line: no master can handle two slaves with one id
	case 8:
		f.More = s.luck.IntN(5) - 2
	case 9:
		f.Duplicate, f.Gap = true, upTo(s.luck, s.unit/10)
	case 10: // two faults at once
		f.Late, f.Duplicate, f.Gap = upTo(s.luck, 2*s.unit), true, upTo(s.luck, s.unit/10)
	case 11:
		f.Echo = modbustest.Same
	case 12:
		f.Echo, f.Silent = modbustest.Noise(s.luck), true // a collision: the slave did not receive the request either
	case 13:
		f.Echo, f.Late = modbustest.Same, upTo(s.luck, 2*s.unit)
	case 14, 15: // 1e-4 to 1e-2 of the bytes
		f.Mangle = modbustest.Static(s.luck, 1e-4*float64(int(1)<<s.luck.IntN(7)))
	case 16:
		f.Before = s.noise()
	case 17:
		f.Mangle = otherFunction
	}
	return f
}

// networkFault is fault for Modbus TCP, which loses and changes no bytes.
func (s *storm) networkFault() modbustest.Fault {
	var f modbustest.Fault
	switch s.luck.IntN(20) {
	case 0, 1, 2:
		f.Late = upTo(s.luck, 4*s.unit)
	case 3:
		f.TornAt, f.Pause = 1+s.luck.IntN(12), upTo(s.luck, 2*s.unit)
	case 4:
		f.Silent = true
	case 5:
		f.Exception = byte(1 + s.luck.IntN(6))
	case 6:
		f.Mangle = func([]byte) []byte { return nil } // closes the connection
	case 7:
		f.Unit = 3
	case 8:
		f.More = s.luck.IntN(5) - 2
	case 9:
		f.Duplicate = true
	}
	return f
}

// noise returns garbage, or a frame of another unit.
func (s *storm) noise() []byte {
	if s.luck.IntN(2) == 0 {
		p := make([]byte, 1+s.luck.IntN(20))
		for i := range p {
			p[i] = byte(s.luck.Uint32())
		}
		return p
	}
	return modbustest.AppendCRC([]byte{byte(3 + s.luck.IntN(5)), 4, 4, 1, 2, 3, 4})
}

// otherFunction changes a reply to that of the other read function, with a right CRC.
func otherFunction(f []byte) []byte {
	if f[1] != 3 && f[1] != 4 {
		return f
	}
	f[1] ^= 3 ^ 4
	return modbustest.AppendCRC(f[:len(f)-2])
}

type question struct {
	unit, function byte
	addr, count    uint16
}

// ask chooses a read at random. It uses few lengths, so that most reads have the shape of another read. It never uses
// the same address twice in a row, because a repeated frame would still have the right value.
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

// request is the frame of another master's request q.
func (q question) request() []byte {
	return modbustest.AppendCRC([]byte{q.unit, q.function, byte(q.addr >> 8), byte(q.addr), byte(q.count >> 8), byte(q.count)})
}

// poll reads once. It fails the test for any value that is not the present value of the wanted register. It opens a
// failed port again.
func (s *storm) poll(t *testing.T, line *modbus.Line, q question) error {
	t.Helper()
	s.read.Add(1)
	since := time.Now()
	reply, err := line.Read(t.Context(), q.unit, q.function, q.addr, q.count)
	switch {
	case errors.Is(err, modbus.ErrPort):
		_ = line.Open() // the port may still be away
		return err
	case err != nil:
		if !errors.Is(err, modbus.ErrTimeout) && !errors.Is(err, modbus.ErrFrame) && !errors.As(err, new(*modbus.Exception)) {
			t.Fatalf("read %d: an unknown kind of error: %v", s.read.Load(), err)
		}
		return err
	case len(reply.Registers) != int(q.count):
		t.Fatalf("read %d: %d registers for %d", s.read.Load(), len(reply.Registers), q.count)
	}
	for i, v := range reply.Registers {
		if want := stamp(q.unit, q.function, q.addr+uint16(i), s.read.Load()); v != want {
			if s.isDocumented(t, q, reply.Registers, since) {
				return errDocumented
			}
			t.Logf("the last frames:\n%v", s.trace)
			t.Fatalf("WRONG VALUE: read %d of %+v: register %d is %04X, want %04X", s.read.Load(), q, i, v, want)
		}
	}
	return nil
}

// errDocumented means that the value was wrong in a way that docs/line.md names.
var errDocumented = errors.New("one of the cases that no line can exclude")

// isDocumented reports whether a wrong value is a documented one. More than two in one storm are a fault.
func (s *storm) isDocumented(t *testing.T, q question, wrong []uint16, since time.Time) bool {
	t.Helper()
	if s.trace == nil || s.limits == 2 {
		return false
	}
	what := s.trace.documented(q, wrong, since, s.rtu)
	if what == "" {
		return false
	}
	s.limits++
	t.Logf("read %d of %+v: %s", s.read.Load(), q, what)
	return true
}

// heals polls each unit twice after the last fault. The second poll must return a value.
func (s *storm) heals(t *testing.T, line *modbus.Line) {
	t.Helper()
	for _, unit := range []byte{1, 2} {
		q := s.ask()
		q.unit = unit
		_ = s.poll(t, line, q)
		if err := s.poll(t, line, q); err != nil {
			t.Fatalf("read %d: the second poll after the last fault failed: %v", s.read.Load(), err)
		}
	}
}

// stormRounds is how many rounds of stormReads reads a seed gets. The race detector makes each ten times slower.
const (
	stormSeeds = 4
	stormReads = 500
)

func stormRounds() int {
	if raceEnabled {
		return 8
	}
	return 52
}

// TestNoWrongValueEver is the promise. It makes 100,000 reads (fewer under the race detector) with scripts of
// everything that can go wrong on a line, including another master and unplugged adapters.
func TestNoWrongValueEver(t *testing.T) {
	t.Parallel()
	for range stormSeeds {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { weather(t, seed) })
		})
	}
}

func weather(t *testing.T, seed uint64) {
	s := newStorm(seed, timeout)
	line, pipe := pipeLine(t, s.slaves...)
	good := 0
	for range stormRounds() {
		s.calm.Store(false)
		for range stormReads {
			s.disturb(pipe)
			if s.poll(t, line, s.ask()) == nil {
				good++
			}
			<-time.After(upTo(s.rng, 200*time.Millisecond))
		}
		s.calm.Store(true)
		pipe.Plug()
		<-time.After(time.Minute) // by then all late replies have come
		_ = line.Open()
		s.heals(t, line)
	}
	s.bites(t, line.Counters(), good)
}

// disturb sends another master's request, before ours or at the same time, or unplugs the adapter.
func (s *storm) disturb(pipe *modbustest.Pipe) {
	switch s.rng.IntN(60) {
	case 0:
		pipe.Overhear(s.ask().request())
	case 1, 2:
		request, wait := s.ask().request(), upTo(s.rng, s.unit)
		go func() {
			<-time.After(wait)
			pipe.Overhear(request)
		}()
	case 3:
		if s.rng.IntN(3) == 0 {
			pipe.Unplug()
			back := upTo(s.rng, 10*s.unit)
			time.AfterFunc(back, pipe.Plug)
		}
	}
}

// bites checks that the script was hard enough to prove something.
func (s *storm) bites(t *testing.T, c modbus.Counters, good int) {
	t.Helper()
	t.Logf("%d reads, %d with values; %+v", s.read.Load(), good, c)
	if good < int(s.read.Load())/5 {
		t.Errorf("%d reads, %d of them with values, are too few to prove anything", s.read.Load(), good)
	}
	for name, n := range map[string]uint64{
		"timeouts": c.Timeouts, "CRC errors": c.CRCErrors, "frame errors": c.FrameErrors, "exceptions": c.Exceptions,
		"foreign frames": c.ForeignFrames, "probes": c.Probes, "discarded bytes": c.DiscardedBytes, "echoes": c.Echoes,
		"resyncs": c.Resyncs, "reopens": c.Reopens,
	} {
		if n < 5 {
			t.Errorf("only %d %s: the script is too easy", n, name)
		}
	}
}
