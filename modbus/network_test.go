package modbus_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// gatewayLine opens a line to a gateway in memory. The test must end the gateway before its bubble ends.
func gatewayLine(t *testing.T, g *modbustest.Gateway, s modbus.Settings) *modbus.Line {
	t.Helper()
	line := modbus.NewLine(modbus.Options{
		Settings: s, Timeout: timeout,
		Connect: func(string) (net.Conn, error) { return g.Connect("us") },
	})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	return line
}

func served(t *testing.T, g *modbustest.Gateway, s modbus.Settings, check func(line *modbus.Line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g.Start()
		defer g.Stop()
		line := gatewayLine(t, g, s)
		check(line)
		_ = line.Close()
	})
}

const (
	overTCP = "tcp://us:502"
	overRTU = "rtu+tcp://us:502"
)

// TestIdleConnectionThatWasClosedCostsNoRead: gateways close idle connections, and a daemon may be idle for longer
// than that.
func TestIdleConnectionThatWasClosedCostsNoRead(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		g := &modbustest.Gateway{RTU: port == overRTU, Slaves: []*modbustest.Slave{ownAddress(1)}}
		served(t, g, modbus.Settings{Port: port}, func(line *modbus.Line) {
			for range 5 {
				mustRead(t, line, 0x20, 2)
				g.CloseIdle()
				<-time.After(6 * time.Second)
			}
			if c := line.Counters(); c.Redials < 4 || c.Reopens != 0 {
				t.Errorf("%s: %+v", port, c)
			}
		})
	}
}

// TestConnectionThatEndsDuringARequestIsMadeAgain: a connection ends by EOF or by reset.
func TestConnectionThatEndsDuringARequestIsMadeAgain(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		n := 0
		g := &modbustest.Gateway{RTU: port == overRTU, Slaves: []*modbustest.Slave{ownAddress(1)}}
		g.Script = func() modbustest.GatewayFault {
			n++
			return modbustest.GatewayFault{HangUp: n%4 == 0, Reset: n%4 == 2}
		}
		served(t, g, modbus.Settings{Port: port}, func(line *modbus.Line) {
			for i := range uint16(10) {
				mustRead(t, line, i, 2)
			}
		})
	}
}

// TestMuteConnectionIsReplaced: a connection is open, and no unit answers over it.
func TestMuteConnectionIsReplaced(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		var mute atomic.Bool
		g := &modbustest.Gateway{RTU: port == overRTU, Slaves: []*modbustest.Slave{ownAddress(1)}}
		g.Script = func() modbustest.GatewayFault { return modbustest.GatewayFault{Mute: mute.Load()} }
		served(t, g, modbus.Settings{Port: port}, func(line *modbus.Line) {
			mustRead(t, line, 0, 2)
			mute.Store(true)
			_, _ = line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 2)
			mute.Store(false)
			failed := 1
			for ; failed < 20; failed++ {
				if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 2); err == nil {
					break
				}
			}
			if c := line.Counters(); failed > 3 || c.Redials != 1 {
				t.Errorf("%s: %d reads failed; %+v", port, failed, c)
			}
		})
	}
}

// TestWhatIsNoAnswerIsNamed: each reply that is not an answer has its own error and its own counter.
func TestWhatIsNoAnswerIsNamed(t *testing.T) {
	for _, c := range []struct {
		name  string
		port  string
		fault modbustest.Fault
		id    uint16
		want  error
		text  string
		count func(modbus.Counters) uint64
	}{
		{"another id", overTCP, modbustest.Fault{}, 1, modbus.ErrForeignID, "0x", func(c modbus.Counters) uint64 { return c.ForeignIDs }},
		{"another unit", overTCP, modbustest.Fault{Unit: 3}, 0, modbus.ErrForeignUnit, "unit 3 is in the answer", func(c modbus.Counters) uint64 { return c.ForeignUnits }},
		{"another unit", overRTU, modbustest.Fault{Unit: 3}, 0, modbus.ErrForeignUnit, "unit 3 is in the answer", func(c modbus.Counters) uint64 { return c.ForeignUnits }},
		{"another length", overTCP, modbustest.Fault{More: 2}, 0, modbus.ErrLength, " came", func(c modbus.Counters) uint64 { return c.WrongLengths }},
		{"another length", overRTU, modbustest.Fault{More: 2}, 0, modbus.ErrLength, " came", func(c modbus.Counters) uint64 { return c.WrongLengths }},
		{"late", overTCP, modbustest.Fault{Late: 700 * time.Millisecond}, 0, modbus.ErrLate, "after its request", func(c modbus.Counters) uint64 { return c.Late }},
		{"late", overRTU, modbustest.Fault{Late: 700 * time.Millisecond}, 0, modbus.ErrLate, "an answer came at most 7", func(c modbus.Counters) uint64 { return c.Late }},
	} {
		t.Run(c.name+" "+c.port, func(t *testing.T) {
			slave := ownAddress(1)
			slave.Script = func(modbustest.Request) modbustest.Fault { return c.fault }
			g := &modbustest.Gateway{RTU: c.port == overRTU, Slaves: []*modbustest.Slave{slave}}
			g.Script = func() modbustest.GatewayFault { return modbustest.GatewayFault{ID: c.id} }
			served(t, g, modbus.Settings{Port: c.port, Baud: 115200}, func(line *modbus.Line) {
				var err error
				for try := 0; try < 12 && (try < 3 || !errors.Is(err, c.want)); try++ {
					_, err = line.Read(t.Context(), 1, modbus.FuncReadInput, 0x20, 2)
				}
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("%v, want %v and %q", err, c.want, c.text)
				}
				if k := line.Counters(); c.count(k) == 0 {
					t.Errorf("no counter changed: %+v", k)
				}
			})
		})
	}
}

// TestIdsAreIgnoredWhereTheLineSaysSo: with this setting a line can read devices that answer with the next id.
func TestIdsAreIgnoredWhereTheLineSaysSo(t *testing.T) {
	g := &modbustest.Gateway{Slaves: []*modbustest.Slave{ownAddress(1)}}
	g.Script = func() modbustest.GatewayFault { return modbustest.GatewayFault{ID: 1} }
	served(t, g, modbus.Settings{Port: overTCP, TransactionID: "ignore"}, func(line *modbus.Line) {
		for i := range uint16(20) {
			mustRead(t, line, i, 2)
		}
		if line.Counters().Probes == 0 {
			t.Error("no probe was sent: without ids the line must not trust the unit")
		}
	})
}

// TestUnitsOfTheDeviceItself: the units 0 and 255 are allowed for Modbus TCP only.
func TestUnitsOfTheDeviceItself(t *testing.T) {
	for _, unit := range []byte{0, 255} {
		g := &modbustest.Gateway{Slaves: []*modbustest.Slave{ownAddress(unit)}}
		served(t, g, modbus.Settings{Port: overTCP}, func(line *modbus.Line) {
			if reply, err := line.Read(t.Context(), unit, modbus.FuncReadInput, 0x20, 1); err != nil || reply.Registers[0] != 0x20 {
				t.Errorf("unit %d: %v %v", unit, reply, err)
			}
			if c := line.UnitCounters(unit); c.Requests != 1 || c.Replies != 1 {
				t.Errorf("unit %d: %+v", unit, c)
			}
		})
		g = &modbustest.Gateway{RTU: true, Slaves: []*modbustest.Slave{ownAddress(unit)}}
		served(t, g, modbus.Settings{Port: overRTU}, func(line *modbus.Line) {
			_, err := line.Read(t.Context(), unit, modbus.FuncReadInput, 0x20, 1)
			if !errors.Is(err, modbus.ErrRefused) || !strings.Contains(err.Error(), "tcp://") {
				t.Errorf("unit %d on RTU: %v", unit, err)
			}
		})
	}
}

func TestDeviceIsLeftAloneAfterConnecting(t *testing.T) {
	g := &modbustest.Gateway{Slaves: []*modbustest.Slave{ownAddress(1)}}
	served(t, g, modbus.Settings{Port: overTCP, ConnectDelay: 3 * time.Second}, func(line *modbus.Line) {
		for range 2 {
			start := time.Now()
			mustRead(t, line, 0x20, 1)
			if took := time.Since(start); took < 3*time.Second {
				t.Errorf("the request came %v after the connection", took)
			}
			g.CloseIdle()
			<-time.After(time.Second)
		}
	})
}

// TestTransactionIDsStartAnywhereAndDoNotCount: so neither a restarted line nor a client that counts has the same
// ids.
func TestTransactionIDsStartAnywhereAndDoNotCount(t *testing.T) {
	var ids []uint16
	synctest.Test(t, func(t *testing.T) {
		for range 3 { // three lives
			line := modbus.NewLine(modbus.Options{
				Settings: modbus.Settings{Port: overTCP}, Timeout: timeout,
				Connect: func(string) (net.Conn, error) {
					here, there := modbustest.NewConns()
					go func() {
						var request [12]byte
						for {
							if _, err := io.ReadFull(there, request[:]); err != nil {
								return
							}
							ids = append(ids, binary.BigEndian.Uint16(request[:]))
							_, _ = there.Write(append(request[:4:4], 0, 5, 1, 4, 2, 0, 7))
						}
					}()
					return here, nil
				},
			})
			if err := line.Open(); err != nil {
				t.Fatal(err)
			}
			for range 50 {
				if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 1); err != nil {
					t.Fatal(err)
				}
			}
			_ = line.Close()
			synctest.Wait()
		}
	})
	if ids[0] == ids[50] && ids[50] == ids[100] {
		t.Errorf("each life begins with the id %d", ids[0])
	}
	for i, id := range ids {
		if id == 0 || id > 0x7FFF || i%50 > 0 && (id == ids[i-1]+1 || id == ids[i-1]) {
			t.Errorf("request %d has id 0x%04X after 0x%04X", i, id, ids[max(0, i-1)])
		}
	}
}

func TestIdentityIsCleaned(t *testing.T) {
	slave := ownAddress(1)
	slave.Identity = &modbustest.Identity{Vendor: "Acme", Product: " VNSE3-0\x00\x06\x07", Revision: "v1\n"}
	line, _ := pipeLine(t, slave)
	id, err := line.Identify(t.Context(), 1)
	if err != nil || id.Vendor != "Acme" || id.ProductCode != "VNSE3-0" || id.Revision != "v1" {
		t.Errorf("%q, %v", id, err)
	}
}
