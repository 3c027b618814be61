package modbustest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// ServeTCP serves slaves as one Modbus TCP device on a loopback port until the test ends, and returns host:port. Of a
// Fault it can do Silent, Late, Exception, Unit, More, Duplicate, TornAt, and a Mangle that returns no bytes, which
// ends the connection: TCP itself has no noise. A reply keeps the transaction id of its request, however late it
// comes.
func ServeTCP(tb TB, slaves ...*Slave) string {
	tb.Helper()
	return serveNet(tb, func(conn net.Conn) { serveMBAP(conn, slaves) })
}

// ServeGateway serves the slaves of a Pipe like a gateway that passes on RTU frames, and returns host:port. It serves
// one connection at a time.
func ServeGateway(tb TB, pipe *Pipe) string {
	tb.Helper()
	var one sync.Mutex
	return serveNet(tb, func(conn net.Conn) {
		one.Lock()
		defer one.Unlock()
		servePipe(conn, pipe)
	})
}

// ConnectGateway returns a function that connects to such a gateway in memory, for virtual time.
func ConnectGateway(pipe *Pipe) func(address string) (net.Conn, error) {
	one := make(chan struct{}, 1) // a channel, because virtual time stops while a goroutine waits for a mutex
	return func(string) (net.Conn, error) {
		here, there := NewConns()
		go func() {
			one <- struct{}{}
			defer func() { <-one }()
			servePipe(there, pipe)
		}()
		return here, nil
	}
}

// serveNet calls serve for each connection, and ends all connections with the test.
func serveNet(tb TB, serve func(net.Conn)) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen on loopback: %v", err)
	}
	var mu sync.Mutex // guards conns
	var conns []net.Conn
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			running.Go(func() { serve(conn); conn.Close() })
		}
	})
	tb.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return listener.Addr().String()
}

const mbapHead = 7 // transaction, protocol, length, unit id

// ServeOne answers one Modbus TCP request and closes the connection, as TriStar MPPT controllers do.
func ServeOne(conn net.Conn, slaves ...*Slave) {
	_ = serveRequest(conn, slaves) // after an error the connection ends too
	conn.Close()
}

// serveMBAP answers requests in their order, each at its time.
func serveMBAP(conn net.Conn, slaves []*Slave) {
	for serveRequest(conn, slaves) == nil {
	}
}

func serveRequest(conn net.Conn, slaves []*Slave) error {
	var head [mbapHead]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	pdu := make([]byte, max(1, binary.BigEndian.Uint16(head[4:]))-1)
	if _, err := io.ReadFull(conn, pdu); err != nil {
		return err
	}
	request := AppendCRC(append([]byte{head[6]}, pdu...))
	for _, s := range slaves {
		if s.Unit != head[6] {
			continue
		}
		if err := answerMBAP(conn, s, request, head); err != nil {
			return err
		}
	}
	return nil
}

var errHangup = errors.New("the script hangs up")

func answerMBAP(conn net.Conn, s *Slave, request []byte, head [mbapHead]byte) error {
	mangle := false
	frame, fault := s.handle(request)
	if fault.Mangle != nil {
		mangle = len(fault.Mangle(append([]byte(nil), request...))) == 0
	}
	<-time.After(s.Delay + fault.Late)
	if mangle {
		return errHangup
	}
	if frame == nil {
		return nil
	}
	body := frame[:len(frame)-2]
	reply := append([]byte(nil), head[:4]...)
	reply = binary.BigEndian.AppendUint16(reply, uint16(len(body)))
	reply = append(reply, body...)
	if at := fault.TornAt; at > 0 && at < len(reply) {
		if _, err := conn.Write(reply[:at]); err != nil {
			return err
		}
		<-time.After(fault.Pause)
		reply = reply[at:]
	}
	if fault.Duplicate {
		reply = append(reply, reply...)
	}
	_, err := conn.Write(reply)
	return err
}

// servePipe copies between a connection and a pipe until the connection ends.
func servePipe(conn net.Conn, pipe *Pipe) {
	port, err := pipe.Dial()
	if err != nil {
		return
	}
	var copying sync.WaitGroup
	done := make(chan struct{})
	copying.Go(func() {
		var buf [256]byte
		for {
			select {
			case <-done:
				return
			default:
			}
			_ = port.SetReadTimeout(5 * time.Millisecond)
			n, err := port.Read(buf[:])
			if err == nil && n > 0 {
				_, err = conn.Write(buf[:n])
			}
			if err != nil {
				conn.Close()
				return
			}
		}
	})
	_, _ = io.Copy(writerOnly{port}, conn) // ends with the connection
	close(done)
	copying.Wait()
	port.Close()
}

// writerOnly hides a Pipe's other methods from io.Copy.
type writerOnly struct{ io.Writer }
