package modbus_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// A failed exchange is recorded with its kind and the bytes of both sides, on serial and network lines.
func TestFailedExchangesAreRemembered(t *testing.T) {
	const serial = ""
	flipped := mangle(func(f []byte) []byte { f[5] ^= 4; return f })
	for _, c := range []struct {
		kind    modbus.FaultKind
		port    string
		fault   modbustest.Fault
		gateway modbustest.GatewayFault
		came    string // the received bytes; "": none
	}{
		{modbus.FaultTimeout, serial, modbustest.Fault{Silent: true}, modbustest.GatewayFault{}, ""},
		{modbus.FaultForeign, serial, modbustest.Fault{Unit: 2}, modbustest.GatewayFault{}, "02 04 04 00 20 00 21"},
		{modbus.FaultChecksum, serial, flipped, modbustest.GatewayFault{}, "01 04 04 00 20 04 21"},
		{modbus.FaultGarbled, serial, modbustest.Fault{TornAt: 4, Pause: 3 * time.Second}, modbustest.GatewayFault{}, "01 04 04 00"},
		{modbus.FaultException, serial, modbustest.Fault{Exception: 2}, modbustest.GatewayFault{}, "01 84 02"},
		{modbus.FaultTimeout, overTCP, modbustest.Fault{Silent: true}, modbustest.GatewayFault{}, ""},
		{modbus.FaultForeignID, overTCP, modbustest.Fault{}, modbustest.GatewayFault{ID: 1}, "01 04 04 00 20 00 21"},
		{modbus.FaultForeignUnit, overTCP, modbustest.Fault{Unit: 3}, modbustest.GatewayFault{}, "03 04 04 00 20 00 21"},
		{modbus.FaultException, overTCP, modbustest.Fault{Exception: 2}, modbustest.GatewayFault{}, "01 84 02"},
	} {
		t.Run(string(c.kind)+" "+c.port, func(t *testing.T) {
			slave := ownAddress(1)
			slave.Script = func(modbustest.Request) modbustest.Fault { return c.fault }
			read := func(t *testing.T, line *modbus.Line) {
				_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x20, 2)
				wantFault(t, line, c.kind, "01 04 00 20 00 02", c.came)
				if err == nil {
					t.Error("the read did not fail")
				}
			}
			if c.port == serial {
				synctest.Test(t, func(t *testing.T) {
					slave.Script = nil
					line, _ := pipeLine(t, slave)
					mustRead(t, line, 0x20, 2) // brings line and unit in step; otherwise a probe goes first
					slave.Script = func(modbustest.Request) modbustest.Fault { return c.fault }
					read(t, line)
				})
				return
			}
			g := &modbustest.Gateway{Slaves: []*modbustest.Slave{slave}}
			g.Script = func() modbustest.GatewayFault { return c.gateway }
			served(t, g, modbus.Settings{Port: c.port}, func(line *modbus.Line) { read(t, line) })
		})
	}
}

// wantFault checks the newest fault of a line. The received bytes may have a checksum after the wanted bytes.
func wantFault(t *testing.T, line *modbus.Line, kind modbus.FaultKind, sent, came string) {
	t.Helper()
	list := line.Faults()
	if len(list) == 0 {
		t.Fatal("no fault is recorded")
	}
	f := list[0]
	if got := fmt.Sprintf("% X", f.Received); f.Kind != kind || f.Unit != 1 || !strings.HasPrefix(got, came) ||
		(came == "") != (got == "") || f.Length != len(f.Received) || f.Err == nil || f.Age < 0 {
		t.Errorf("kind %s, unit %d, received %q of %d bytes, age %v, error %v, want %s and %q", f.Kind, f.Unit, got, f.Length,
			f.Age, f.Err, kind, came)
	}
	if got := fmt.Sprintf("% X", f.Request); !strings.HasPrefix(got, sent[:8]) {
		t.Errorf("request %q, want %q", got, sent)
	}
}

// A line keeps its last twenty faults, the newest first, and 64 bytes of each side. A new line on the same port
// continues this list.
func TestFaultsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, _ := pipeLine(t, slave)
		mustRead(t, line, 0, 100)
		slave.Script = func(modbustest.Request) modbustest.Fault {
			return mangle(func(f []byte) []byte { f[len(f)-1] ^= 1; return f })
		}
		for range 30 {
			_, _ = line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 100)
			time.Sleep(time.Minute) // a serial line trusts its unit again after a time, so each read is sent
		}
		list := line.Faults()
		if len(list) != 20 {
			t.Fatalf("%d faults, want 20", len(list))
		}
		for i, f := range list {
			if f.Length != 205 || len(f.Received) != 64 || len(f.Request) != 8 {
				t.Errorf("%d of %d bytes kept, request of %d", len(f.Received), f.Length, len(f.Request))
			}
			if i > 0 && f.Age <= list[i-1].Age {
				t.Errorf("fault %d is %v old, the one before it %v", i, f.Age, list[i-1].Age)
			}
		}
		next := modbus.NewLine(modbus.Options{})
		next.CountOn(line)
		if n := len(next.Faults()); n != 20 {
			t.Errorf("%d faults after a change of the line, want 20", n)
		}
	})
}

// These events are no failed exchanges and leave no fault: a good reply, a cancelled read, a port that fails.
func TestGoodAndCancelledReadsLeaveNoFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, pipe := pipeLine(t, slave)
		mustRead(t, line, 0, 8)
		slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: true} }
		short, cancel := context.WithTimeout(t.Context(), timeout/2)
		defer cancel()
		_, _ = line.Read(short, 1, modbus.FuncReadInput, 0, 8)
		pipe.Unplug()
		_, _ = line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 8)
		if list := line.Faults(); len(list) != 0 {
			t.Errorf("faults %+v", list)
		}
	})
}
