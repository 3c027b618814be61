package modbus_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// sharedGateway serves the units 1 and 2 on a gateway that sends each reply to all its clients. It records the
// lengths of the requests. A reply takes 10 ms.
func sharedGateway(rtu bool) (g *modbustest.Gateway, counts *[]uint16) {
	g, counts = &modbustest.Gateway{RTU: rtu, Route: modbustest.ToAll}, new([]uint16)
	for _, unit := range []byte{1, 2} {
		slave := ownAddress(unit)
		slave.Delay = 10 * time.Millisecond
		slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
			*counts = append(*counts, count)
			return modbustest.OwnAddress(function, addr, count)
		}
		g.Slaves = append(g.Slaves, slave)
	}
	return g, counts
}

// otherClient connects another program to g. The returned function asks for count registers of a unit from addr. The
// program's transaction ids count from 1.
func otherClient(t *testing.T, g *modbustest.Gateway) (asks func(unit byte, addr, count uint16)) {
	t.Helper()
	conn, err := g.Connect("other")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	id := uint16(0)
	return func(unit byte, addr, count uint16) {
		id++
		adu := question{unit: unit, function: modbus.FuncReadInput, addr: addr, count: count}.request()
		if !g.RTU {
			head := binary.BigEndian.AppendUint16(nil, id)
			adu = append(append(head, 0, 0, 0, 6), adu[:6]...)
		}
		if _, err := conn.Write(adu); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	}
}

// TestEachReplyToAnotherProgramCounts: one reply comes while the line is idle, and one comes before the line's own
// reply.
func TestEachReplyToAnotherProgramCounts(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		t.Run(port, func(t *testing.T) {
			g, _ := sharedGateway(port == overRTU)
			served(t, g, modbus.Settings{Port: port}, func(line *modbus.Line) {
				other := otherClient(t, g)
				<-time.After(time.Minute) // then the line is no longer new
				mustRead(t, line, 0x20, 2)
				for i := range uint16(5) {
					other(1, 0x30+i, 7)
					<-time.After(time.Second)
				}
				mustRead(t, line, 0x20, 2)
				idle := line.Counters().Rivals
				other(1, 0x40, 7) // its reply comes while we wait for ours
				mustRead(t, line, 0x20, 2)
				if all := line.Counters().Rivals; idle != 5 || all != 6 {
					t.Errorf("%d of 5 replies were seen while the line was idle, and %d of 1 before its own reply", idle, all-idle)
				}
			})
		})
	}
}

// TestReadsTakeNoLengthOfAnotherProgram: replies to another program prove that it uses the gateway, even replies of a
// unit that the line has not read yet. The other program uses the lengths that widened reads prefer.
func TestReadsTakeNoLengthOfAnotherProgram(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		for _, unit := range []byte{1, 2} {
			t.Run(fmt.Sprintf("%s unit %d", port, unit), func(t *testing.T) {
				g, counts := sharedGateway(port == overRTU)
				served(t, g, modbus.Settings{Port: port}, func(line *modbus.Line) {
					other := otherClient(t, g)
					<-time.After(time.Minute)
					if unit == 1 {
						mustRead(t, line, 0x20, 2)
					}
					used := []uint16{2, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33}
					for _, n := range used {
						other(unit, 0x30, n)
						<-time.After(time.Second)
					}
					*counts = nil
					mustRead(t, line, 0x20, 2)
					if len(*counts) == 0 || slices.ContainsFunc(*counts, func(n uint16) bool { return slices.Contains(used, n) }) {
						t.Errorf("reads of %d registers, though the other program reads %d at a time", *counts, used)
					}
				})
			})
		}
	}
}

// TestClientThatCountsFromOneIsNotTakenForUs: another program has just started, like the line, and sends its request
// first.
func TestClientThatCountsFromOneIsNotTakenForUs(t *testing.T) {
	g, _ := sharedGateway(false)
	served(t, g, modbus.Settings{Port: overTCP}, func(line *modbus.Line) {
		other := otherClient(t, g)
		const asked = 8
		for i := range uint16(asked) {
			other(1, 0x50+i, 2)
		}
		for i := range uint16(asked) {
			reply, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x20+i, 2)
			switch {
			case err == nil && reply.Registers[0] != 0x20+i:
				t.Fatalf("0x%04X is %04X, the value of a register that another program reads", 0x20+i, reply.Registers)
			case err != nil && !errors.Is(err, modbus.ErrFrame) && !errors.Is(err, modbus.ErrTimeout):
				t.Fatal(err)
			}
		}
		if c := line.Counters(); c.Rivals != asked {
			t.Errorf("%d of %d replies to the other client were seen", c.Rivals, asked)
		}
	})
}
