package modbus_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

func TestLineStaysQuietForAWholeReplyAfterATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, pipe := pipeLine(t, slave, ownAddress(2))
		mustRead(t, line, 0, 8)
		slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: true} }
		if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 100); !errors.Is(err, modbus.ErrTimeout) {
			t.Fatal(err)
		}
		missed, before := time.Now(), len(pipe.Written())
		quiet := modbus.Settings{}.WireTime(5 + 2*100)
		go func() { // a request to another unit would also collide with the late reply
			<-time.After(quiet - time.Millisecond)
			if len(pipe.Written()) != before {
				t.Errorf("something was sent %v after the timeout", time.Since(missed))
			}
		}()
		if _, err := line.Read(t.Context(), 2, modbus.FuncReadInput, 0, 8); err != nil {
			t.Error(err)
		}
	})
}

func TestForeignFrameOnTheIdleLineIsDistrusted(t *testing.T) {
	for _, c := range []struct {
		name   string
		stray  []byte
		probes uint64
	}{
		{"another master's request", modbustest.AppendCRC([]byte{1, 4, 0, 0x20, 0, 8}), 1},
		{"a glitch", []byte{0xFF}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				line, pipe := pipeLine(t, ownAddress(1))
				mustRead(t, line, 0, 8)
				before := line.Counters()
				pipe.Inject(c.stray)
				mustRead(t, line, 0, 8)
				after := line.Counters()
				if got := after.DiscardedBytes - before.DiscardedBytes; got != uint64(len(c.stray)) {
					t.Errorf("%d bytes discarded, want %d", got, len(c.stray))
				}
				if got := after.Probes - before.Probes; got != c.probes {
					t.Errorf("%d probes, want %d", got, c.probes)
				}
			})
		})
	}
}

// TestRepetitionIsNotTheNextAnswer: a frame comes twice. The second time it comes while the next register is asked
// for.
func TestRepetitionIsNotTheNextAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, _ := pipeLine(t, slave)
		mustRead(t, line, 0, 8)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Duplicate: r.Count == 8, Gap: 20 * time.Millisecond}
		}
		for i := range uint16(20) {
			mustRead(t, line, 0x10*i, 8)
		}
	})
}

// TestWrongCountThatComesLate: a slave sends a reply that is late and has a wrong length. The length is the one that
// the next read asks for.
func TestWrongCountThatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, _ := pipeLine(t, slave)
		mustRead(t, line, 0, 8)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if r.Count != 8 {
				return modbustest.Fault{}
			}
			return modbustest.Fault{Late: 3 * timeout, More: 1}
		}
		_, _ = line.Read(t.Context(), 1, modbus.FuncReadInput, 0x40, 8)
		slave.Script = nil
		for range 5 {
			reply, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x80, 9)
			if err == nil && reply.Registers[0] != 0x80 {
				t.Fatalf("WRONG VALUE %04X", reply.Registers)
			}
		}
		mustRead(t, line, 0x80, 9)
	})
}

// TestSilentSlaveCostsOneTimeout: if no reply begins, the line does not wait for the time of a long reply.
func TestSilentSlaveCostsOneTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, _ := pipeLine(t, slave)
		mustRead(t, line, 0, 8)
		slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: true} }
		start := time.Now()
		_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 125)
		if took := time.Since(start); !errors.Is(err, modbus.ErrTimeout) || took < timeout || took > timeout+timeout/5 {
			t.Errorf("%v after %v", err, took)
		}
	})
}
