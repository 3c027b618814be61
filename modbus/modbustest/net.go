package modbustest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn is one end of a TCP connection in memory. It buffers written bytes, and waits only on timers and channels, so
// that it works in the virtual time of testing/synctest.
type Conn struct {
	in, out *stream

	mu       sync.Mutex // guards deadline
	deadline time.Time
}

// NewConns returns both ends of a new connection.
func NewConns() (here, there *Conn) {
	a, b := newStream(), newStream()
	return &Conn{in: a, out: b}, &Conn{in: b, out: a}
}

// stream is one direction of a connection. It has one reader.
type stream struct {
	wake chan struct{}

	mu  sync.Mutex // guards the fields below
	buf []byte
	err error // for the reader, once buf is empty
	cut error // for the writer; nil: the reader is open
}

func newStream() *stream { return &stream{wake: make(chan struct{}, 1)} }

func (s *stream) stir() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// end ends the stream: reader and writer are the errors that they get. drop also drops the bytes on their way.
func (s *stream) end(reader, writer error, drop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if drop {
		s.buf = nil
	}
	if s.err == nil {
		s.err = reader
	}
	if s.cut == nil {
		s.cut = writer
	}
	s.stir()
}

func (s *stream) take(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.buf) > 0 {
		n := copy(p, s.buf)
		s.buf = s.buf[n:]
		return n, nil
	}
	return 0, s.err
}

// Read waits for a byte until the deadline.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		if n, err := c.in.take(p); n > 0 || err != nil {
			return n, err
		}
		c.mu.Lock()
		deadline := c.deadline
		c.mu.Unlock()
		if deadline.IsZero() {
			<-c.in.wake
			continue
		}
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-c.in.wake:
		case <-timer.C:
			return 0, os.ErrDeadlineExceeded
		}
		timer.Stop()
	}
}

// Write never waits.
func (c *Conn) Write(p []byte) (int, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.cut != nil {
		return 0, c.out.cut
	}
	c.out.buf = append(c.out.buf, p...)
	c.out.stir()
	return len(p), nil
}

// Close ends the connection normally: the other end reads the rest, and then EOF.
func (c *Conn) Close() error {
	c.out.end(io.EOF, net.ErrClosed, false)
	c.in.end(net.ErrClosed, syscall.EPIPE, true)
	return nil
}

// Reset ends the connection like a crash: bytes on their way are lost.
func (c *Conn) Reset() {
	c.out.end(syscall.ECONNRESET, net.ErrClosed, true)
	c.in.end(net.ErrClosed, syscall.ECONNRESET, true)
}

// SetReadDeadline sets the deadline of the next reads.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

// SetDeadline is SetReadDeadline, because no write waits.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr returns an empty address.
func (c *Conn) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr returns an empty address.
func (c *Conn) RemoteAddr() net.Addr { return &net.TCPAddr{} }
