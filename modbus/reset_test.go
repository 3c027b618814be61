package modbus_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// tearing is a network device that resets some connections in the middle of a reply.
type tearing struct {
	rtu   bool
	torn  func(n int) bool // whether the reply to request n, from 1, is cut by a reset
	pause time.Duration    // between the first half and the reset

	mu       sync.Mutex // guards the fields below
	requests int
	dials    int
	resets   int
}

func (d *tearing) serve(conn net.Conn) {
	defer conn.Close()
	d.count(&d.dials)
	head := 6 // length of the part before the unit id
	if d.rtu {
		head = 0
	}
	for {
		request := make([]byte, head+6, head+8)
		if d.rtu {
			request = request[:8]
		}
		if _, err := io.ReadFull(conn, request); err != nil {
			return
		}
		reply := d.reply(request, head)
		if !d.torn(d.count(&d.requests)) {
			_, _ = conn.Write(reply) // fails if the line has closed the connection: the next read shows this
			continue
		}
		d.count(&d.resets)
		_, _ = conn.Write(reply[:len(reply)/2])
		<-time.After(d.pause)
		resetConn(conn)
		return
	}
}

func (d *tearing) count(n *int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	*n++
	return *n
}

// reply returns a reply whose registers have their own addresses.
func (d *tearing) reply(request []byte, head int) []byte {
	unit, function := request[head], request[head+1]
	addr, count := binary.BigEndian.Uint16(request[head+2:]), binary.BigEndian.Uint16(request[head+4:])
	body := []byte{unit, function, byte(2 * count)}
	for i := range count {
		body = binary.BigEndian.AppendUint16(body, addr+i)
	}
	if d.rtu {
		return modbustest.AppendCRC(body)
	}
	return append(binary.BigEndian.AppendUint16(slices.Clone(request[:4]), uint16(len(body))), body...)
}

func resetConn(conn net.Conn) {
	switch conn := conn.(type) {
	case *modbustest.Conn:
		conn.Reset()
	case *net.TCPConn:
		_ = conn.SetLinger(0)
		conn.Close()
	}
}

// check reads ten times. Every read has its value at once, and each reset costs one new connection.
func (d *tearing) check(t *testing.T, line *modbus.Line) {
	t.Helper()
	for i := range uint16(10) {
		mustRead(t, line, 0x10+i, 4)
	}
	c := line.Counters()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.resets < 3 || c.Redials != uint64(d.resets) || c.Reopens != 0 || d.dials != d.resets+1 {
		t.Errorf("%d resets, %d connections, %+v", d.resets, d.dials, c)
	}
}

func everyThird(n int) bool { return n%3 == 0 }

// TestResetInTheMiddleOfAReplyCostsNoRead: the line has read the first half of the reply when the reset comes.
func TestResetInTheMiddleOfAReplyCostsNoRead(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		t.Run(port, func(t *testing.T) {
			tornLine(t, port, everyThird, func(d *tearing, line *modbus.Line) { d.check(t, line) })
		})
	}
}

// tornLine opens a line to such a device in memory.
func tornLine(t *testing.T, port string, torn func(n int) bool, check func(*tearing, *modbus.Line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &tearing{rtu: port == overRTU, torn: torn, pause: 50 * time.Millisecond}
		line := modbus.NewLine(modbus.Options{
			Settings: modbus.Settings{Port: port}, Timeout: timeout,
			Connect: func(string) (net.Conn, error) {
				here, there := modbustest.NewConns()
				go d.serve(there)
				return here, nil
			},
		})
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		check(d, line)
		_ = line.Close()
	})
}

// TestReadIsRepeatedOnceOnly: a device that resets each connection does not cause an endless loop.
func TestReadIsRepeatedOnceOnly(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		always := func(int) bool { return true }
		tornLine(t, port, always, func(d *tearing, line *modbus.Line) {
			_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x20, 4)
			if !errors.Is(err, modbus.ErrPort) || d.dials != 2 || line.Counters().Redials != 1 {
				t.Errorf("%s: %v after %d connections; %+v", port, err, d.dials, line.Counters())
			}
		})
	}
}

// TestRealResetInTheMiddleOfAReplyCostsNoRead: an RST comes over loopback, perhaps before the first half was read.
func TestRealResetInTheMiddleOfAReplyCostsNoRead(t *testing.T) {
	for _, scheme := range []string{"tcp://", "rtu+tcp://"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		d := &tearing{rtu: scheme == "rtu+tcp://", torn: everyThird}
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go d.serve(conn)
			}
		}()
		d.check(t, dialLine(t, scheme+listener.Addr().String(), 20*time.Second))
	}
}
