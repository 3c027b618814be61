package modbus_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// mirror is a gateway without ids with the worst possible second client. The client reads the same length at the same
// moment, and its reply comes first.
type mirror struct {
	at   func() uint16 // the first register that the other client reads
	gone atomic.Bool   // it has ended
}

// connect makes a connection to the gateway. The value of each register is its address.
func (m *mirror) connect(string) (net.Conn, error) {
	here, there := modbustest.NewConns()
	go func() {
		defer there.Close()
		for {
			var q [8]byte
			if _, err := io.ReadFull(there, q[:]); err != nil {
				return
			}
			if q[1] != modbus.FuncReadInput && q[1] != modbus.FuncReadHolding {
				continue
			}
			addr, count := uint16(q[2])<<8|uint16(q[3]), uint16(q[5])
			<-time.After(10 * time.Millisecond)
			if !m.gone.Load() {
				_, _ = there.Write(registersFrom(q[0], q[1], m.at(), count))
			}
			<-time.After(20 * time.Millisecond)
			_, _ = there.Write(registersFrom(q[0], q[1], addr, count))
		}
	}()
	return here, nil
}

func registersFrom(unit, function byte, addr, count uint16) []byte {
	f := []byte{unit, function, byte(2 * count)}
	for i := range count {
		f = append(f, byte((addr+i)>>8), byte(addr+i))
	}
	return modbustest.AppendCRC(f)
}

// TestNoValueOfAClientThatReadsTheSame: no wrong value from the first read on, whether or not the other client always
// reads the same registers. When the other client has ended, there are values again.
func TestNoValueOfAClientThatReadsTheSame(t *testing.T) {
	for _, fixed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(stormSeed(t), 9))
			m := &mirror{at: func() uint16 { return 0x4000 }}
			if !fixed {
				its := rand.New(rand.NewPCG(rng.Uint64(), 10)) // the gateway's goroutine needs its own source
				m.at = func() uint16 { return uint16(0x4000 + its.IntN(0x1000)) }
			}
			line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: overRTU, Baud: 115200}, Timeout: timeout, Connect: m.connect})
			if err := line.Open(); err != nil {
				t.Fatal(err)
			}
			defer func() { line.Close(); <-time.After(time.Second) }() // in this time the gateway ends
			read := func() (good bool) {
				addr := uint16(100 + rng.IntN(1000))
				reply, err := line.Read(t.Context(), 1, modbus.FuncReadInput, addr, 4)
				if err == nil && reply.Registers[0] != addr {
					t.Fatalf("WRONG VALUE %04X of 0x%04X", reply.Registers, addr)
				}
				<-time.After(upTo(rng, time.Second))
				return err == nil
			}
			for range 1000 {
				read()
			}
			m.gone.Store(true)
			for range 65 { // the other client used every length, and they count as used for so long
				read()
				<-time.After(time.Minute)
			}
			good := 0
			for range 20 {
				if read() {
					good++
				}
			}
			if good < 18 {
				t.Errorf("%d values of 20 when the other client has ended: %+v", good, line.Counters())
			}
		})
	}
}
