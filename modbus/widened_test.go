package modbus_test

import (
	"io"
	"sync/atomic"
	"testing"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// TestOneClientIsAskedForNothingMore: if no other program uses the gateway, the line asks for the wanted registers
// only, even if the gateway closes idle connections. Without ids this begins 20 s after the connection.
func TestOneClientIsAskedForNothingMore(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		more := 0
		slave := ownAddress(1)
		read := slave.Read
		slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
			if count != 4 {
				more++
			}
			return read(function, addr, count)
		}
		g := &modbustest.Gateway{RTU: port == overRTU, Slaves: []*modbustest.Slave{slave}}
		served(t, g, modbus.Settings{Port: port, Baud: 115200}, func(line *modbus.Line) {
			for i := range uint16(20) {
				mustRead(t, line, 4*i, 4)
				<-time.After(6 * time.Second)
				if i == 5 && port == overRTU { // 36 s after the begin
					more = 0
				}
				if i%3 == 0 {
					g.CloseIdle()
				}
			}
		})
		if more > 0 {
			t.Errorf("%s: %d reads do not have the wanted length", port, more)
		}
	}
}

// TestWidenedReadsKeepTheLimitOfTheDevice: a device gives 8 or 20 registers at a time. Beside another program the
// line asks it for no more.
func TestWidenedReadsKeepTheLimitOfTheDevice(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		for _, limit := range []uint16{8, 20} {
			var longest atomic.Int64
			slave := ownAddress(1)
			read := slave.Read
			slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
				longest.Store(max(longest.Load(), int64(count)))
				return read(function, addr, count)
			}
			g := &modbustest.Gateway{RTU: port == overRTU, Slaves: []*modbustest.Slave{slave}, Route: modbustest.ToAll}
			served(t, g, modbus.Settings{Port: port, Baud: 115200}, func(line *modbus.Line) {
				line.SetLimits(1, limit, nil)
				stop := asksAlong(t, g)
				values := 0
				for i := range uint16(40) {
					if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 7*i, 4); err == nil {
						values++
					}
					<-time.After(time.Second)
				}
				stop()
				if n := longest.Load(); n > int64(limit) || n <= 4 {
					t.Errorf("%s: %d registers were asked for at once, limit %d", port, n, limit)
				}
				_, _ = line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 4) // reads the bytes that wait in the socket
				<-time.After(61 * time.Minute)
				longest.Store(0)
				for i := range uint16(5) {
					_, _ = line.Read(t.Context(), 1, modbus.FuncReadInput, 7*i, 4)
				}
				if n := longest.Load(); n != 4 {
					t.Errorf("%s: an hour after the other program has ended, a read has %d registers", port, n)
				}
				if values < 20 {
					t.Errorf("%s, limit %d: %d values of 40: %+v", port, limit, values, line.Counters())
				}
			})
		}
	}
}

// asksAlong is another program that reads four registers again and again.
func asksAlong(t *testing.T, g *modbustest.Gateway) (stop func()) {
	t.Helper()
	conn, err := g.Connect("other")
	if err != nil {
		t.Fatal(err)
	}
	request := []byte{0x00, 0x01, 0, 0, 0, 6, 1, modbus.FuncReadInput, 0x00, 0x08, 0x00, 0x04}
	if g.RTU {
		request = modbustest.AppendCRC(request[6:])
	}
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	go func() {
		defer close(ended)
		for {
			if _, err := conn.Write(request); err != nil {
				return
			}
			<-time.After(700 * time.Millisecond)
		}
	}()
	return func() { conn.Close(); <-ended }
}
