package modbus_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// bitAt returns the bit of a slave at an address. Neighbours have no repeating pattern.
func bitAt(function byte, addr uint16) uint16 {
	return uint16(rand.NewPCG(uint64(function), uint64(addr)).Uint64() & 1)
}

func bitSlave(t *testing.T, most uint16) *modbustest.Slave {
	t.Helper()
	return &modbustest.Slave{Unit: 1, Read: func(function byte, addr, count uint16) ([]uint16, byte) {
		if function > modbus.FuncReadDiscrete {
			return modbustest.OwnAddress(function, addr, count)
		}
		if count > most {
			return nil, modbustest.IllegalValue
		}
		bits := make([]uint16, count)
		for i := range bits {
			bits[i] = bitAt(function, addr+uint16(i))
		}
		return bits, 0
	}}
}

// Every count of bits is read completely and in the right order, even if the reply is as long as a request.
func TestBitsAreTheAskedOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line, _ := pipeLine(t, bitSlave(t, 2000))
		counts := []uint16{2000, 1999, 257}
		for n := uint16(1); n <= 70; n++ {
			counts = append(counts, n)
		}
		for _, function := range []byte{modbus.FuncReadCoils, modbus.FuncReadDiscrete} {
			for _, count := range counts {
				// 0x03 looks like the byte count of a reply with three bytes
				for _, addr := range []uint16{0, 0x0300, 0x200C} {
					reply, err := line.Read(t.Context(), 1, function, addr, count)
					if err != nil || len(reply.Registers) != int(count) {
						t.Fatalf("function %02X 0x%04X+%d: %d bits, %v", function, addr, count, len(reply.Registers), err)
					}
					for i, bit := range reply.Registers {
						if bit != bitAt(function, addr+uint16(i)) {
							t.Fatalf("function %02X 0x%04X+%d: bit %d is %d", function, addr, count, i, bit)
						}
					}
				}
			}
		}
		if c := line.Counters(); c.Rivals+c.ForeignFrames+c.Timeouts+c.FrameErrors != 0 {
			t.Errorf("there were failed exchanges or bytes too many: %+v", c)
		}
	})
}

func TestTooManyBitsAreRefused(t *testing.T) {
	line, pipe := pipeLine(t, bitSlave(t, 2000))
	if _, err := line.Read(t.Context(), 1, modbus.FuncReadCoils, 0, 2001); !errors.Is(err, modbus.ErrRefused) {
		t.Error(err)
	}
	for _, body := range [][]byte{{1, 1, 0, 0, 0, 20}, {1, 2, 0, 0, 0x07, 0xD1}, {1, 2, 0xFF, 0xFF, 0, 2}} {
		if _, err := line.Send(modbustest.AppendCRC(body)); !errors.Is(err, modbus.ErrRefused) {
			t.Errorf("% X: %v", body, err)
		}
	}
	if n := len(pipe.Written()); n > 0 {
		t.Errorf("%d bytes were written", n)
	}
}

// A late reply to a read of bits is never taken for the reply to another read, though both have one byte.
func TestLateBitsAreNobodysValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := bitSlave(t, 2000)
		slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
			bits := make([]uint16, count)
			for i := range bits {
				bits[i] = addr & 1 // even addresses 0, odd ones 1
			}
			return bits, 0
		}
		late := 0
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if r.Function == modbus.FuncReadDiscrete && r.N%3 == 0 {
				late++
				return modbustest.Fault{Late: modbus.DefaultTimeout + 100e6}
			}
			return modbustest.Fault{}
		}
		line, _ := pipeLine(t, slave)
		good := 0
		for i := range uint16(200) {
			reply, err := line.Read(t.Context(), 1, modbus.FuncReadDiscrete, i, 1+i%5)
			if err != nil {
				continue
			}
			good++
			for _, bit := range reply.Registers {
				if bit != i&1 {
					t.Fatalf("0x%04X: a bit of another address", i)
				}
			}
		}
		if late < 20 || good < 50 {
			t.Errorf("%d late replies and %d good ones are too few to prove anything", late, good)
		}
	})
}

// Reads of bits are merged like reads of registers, by their cost on the wire. No read mixes tables, and no reply
// looks like a request.
func TestPlannerOfBits(t *testing.T) {
	span := func(function byte, addr uint16) modbus.Span {
		return modbus.Span{Function: function, Addr: addr, Count: 1}
	}
	p := modbus.NewPlanner(modbus.Settings{}, 10, nil)
	spans := []modbus.Span{
		span(modbus.FuncReadDiscrete, 0), span(modbus.FuncReadCoils, 0), span(modbus.FuncReadInput, 0), span(modbus.FuncReadHolding, 0),
		span(modbus.FuncReadDiscrete, 3), span(modbus.FuncReadDiscrete, 150), span(modbus.FuncReadDiscrete, 200), span(modbus.FuncReadCoils, 20),
	}
	plan := p.Plan(spans)
	for _, r := range plan {
		for _, m := range r.Members {
			if spans[m].Function != r.Function {
				t.Errorf("%+v serves %+v", r, spans[m])
			}
		}
		if bytes := (r.Count + 7) / 8; r.Function <= modbus.FuncReadDiscrete && (bytes == 3 || r.Count > 160) {
			t.Errorf("a read of %d bits", r.Count)
		}
	}
	if len(plan) != 6 { // two for coils 0 and 20, two for discrete 0 to 150 and 200, one for each table of registers
		t.Errorf("%d reads: %+v", len(plan), plan)
	}
}

// The number of bits that a slave gives at once is independent of the number of registers.
func TestPlannerLearnsBitsAndRegistersApart(t *testing.T) {
	p := modbus.NewPlanner(modbus.Settings{}, 50, nil)
	spans := make([]modbus.Span, 64)
	for i := range spans {
		spans[i] = modbus.Span{Function: modbus.FuncReadDiscrete, Addr: uint16(i), Count: 1}
	}
	p.Answered(modbus.Span{Function: modbus.FuncReadInput, Addr: 0, Count: 40})
	for todo := p.Plan(spans); len(todo) > 0; todo = todo[1:] {
		if r := todo[0]; r.Count <= 32 {
			p.Answered(r.Span)
		} else {
			todo = append(todo, p.Refused(r, spans)...)
		}
	}
	for _, r := range p.Plan(spans) {
		if r.Count > 48 {
			t.Errorf("the planner asks for %d bits again", r.Count)
		}
	}
	if p.MaxRegisters() != 50 || p.Learnt() != "" {
		t.Errorf("the limit of bits has limited registers to %d: %q", p.MaxRegisters(), p.Learnt())
	}
}

// Objects that share a register are read once.
func TestSharedRegistersAreReadOnce(t *testing.T) {
	shared := modbus.Span{Function: modbus.FuncReadInput, Addr: 0x3201, Count: 1}
	p := modbus.NewPlanner(modbus.Settings{}, 16, nil)
	spans := []modbus.Span{shared, shared, shared, {Function: modbus.FuncReadInput, Addr: 0x3100, Count: 2}}
	plan := p.Plan(spans)
	if len(plan) != 2 || plan[1].Span != shared || len(plan[1].Members) != 3 {
		t.Errorf("%+v", plan)
	}
	if parts := p.Refused(plan[1], spans); len(parts) > 0 {
		t.Errorf("a read of one register was split: %+v", parts)
	}
}
