package sinktest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// Front is between a sink and its cloud, and can simulate faults of the network. It passes on bytes, and counts them
// at the sockets of the sink's side.
type Front struct {
	l   net.Listener
	to  string
	tls *tls.Config // of the sink's side; nil: plaintext
	wg  sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	conns    map[net.Conn]bool
	accepted int
	sent     uint64 // bytes to the sink
	received uint64 // bytes from the sink
	silent   func() // not nil: connections are accepted and never answered; it is called for each
	held     func() // not nil: bytes of the cloud are held back; it is called when there are some
	cut      int    // bytes of each connection to the sink after which it is reset; below 0: never
}

// StartFront listens on loopback and passes bytes on to the address to. config is for the sink's side; nil for
// plaintext.
func StartFront(t *testing.T, to string, config *tls.Config) *Front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{l: l, to: to, tls: config, conns: map[net.Conn]bool{}, cut: -1}
	f.wg.Go(f.run)
	t.Cleanup(func() {
		_ = l.Close() // nothing to lose
		f.DropAll()
		f.wg.Wait()
	})
	return f
}

// Addr returns the address for the sink.
func (f *Front) Addr() string { return f.l.Addr().String() }

// Counts returns how many bytes went to the sink and came from it, at the sockets.
func (f *Front) Counts() (sent, received uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent, f.received
}

// Accepted returns how many connections the sink has opened.
func (f *Front) Accepted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.accepted
}

// Silence accepts new connections, calls told, and never answers. nil ends it.
func (f *Front) Silence(told func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent = told
}

// Hold holds back the bytes of the cloud from now on, and calls told for them. nil ends it. Bytes that were held back
// are lost.
func (f *Front) Hold(told func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = told
}

// Cut resets each new connection after n bytes to the sink. A number below 0 ends it.
func (f *Front) Cut(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = n
}

// DropAll closes all connections.
func (f *Front) DropAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close() // closing it is the fault
	}
}

func (f *Front) run() {
	for {
		conn, err := f.l.Accept()
		if err != nil {
			return // closed
		}
		f.mu.Lock()
		f.accepted++
		f.conns[conn] = true
		silent, cut := f.silent, f.cut
		f.mu.Unlock()
		f.wg.Go(func() {
			defer f.leave(conn)
			if silent != nil {
				silent()
				_, _ = io.Copy(io.Discard, conn) // until the sink closes
				return
			}
			f.pass(conn, cut)
		})
	}
}

func (f *Front) leave(conn net.Conn) {
	_ = conn.Close() // perhaps closed before
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, conn)
}

// pass connects the sink with its cloud until one of the two closes.
func (f *Front) pass(raw net.Conn, cut int) {
	var conn net.Conn = &countedConn{Conn: raw, front: f, left: cut}
	if f.tls != nil {
		secured := tls.Server(conn, f.tls)
		if secured.Handshake() != nil {
			return // the sink does not accept the certificate
		}
		conn = secured
	}
	cloud, err := net.Dial("tcp", f.to)
	if err != nil {
		return // the cloud is down
	}
	f.wg.Go(func() {
		_, _ = io.Copy(cloud, conn) // until the sink closes
		_ = cloud.Close()           // ends the copy below
	})
	_, _ = io.Copy(gate{conn, f}, cloud) // until the cloud closes
	_ = raw.Close()                      // ends the copy above
}

// gate holds back answers.
type gate struct {
	net.Conn
	front *Front
}

// Write is part of io.Writer.
func (g gate) Write(p []byte) (int, error) {
	g.front.mu.Lock()
	held := g.front.held
	g.front.mu.Unlock()
	if held != nil {
		held()
		return len(p), nil
	}
	return g.Conn.Write(p)
}

// countedConn counts the bytes of a connection, and resets it after its cut.
type countedConn struct {
	net.Conn
	front *Front
	left  int // bytes to the reset; below 0: none
}

var errCut = errors.New("cut")

// Read is part of net.Conn.
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.front.mu.Lock()
	defer c.front.mu.Unlock()
	c.front.received += uint64(n)
	return n, err
}

// Write is part of net.Conn.
func (c *countedConn) Write(p []byte) (int, error) {
	due := c.left >= 0 && len(p) >= c.left
	if due {
		p = p[:c.left]
	}
	n, err := c.Conn.Write(p)
	c.front.mu.Lock()
	c.front.sent += uint64(n)
	c.front.mu.Unlock()
	if c.left >= 0 {
		c.left -= n
	}
	if due {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset instead of a normal end
		}
		_ = c.Conn.Close() // closing it is the fault
		return n, errCut
	}
	return n, err
}
