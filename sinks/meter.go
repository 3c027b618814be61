package sinks

import (
	"net"
	"sync/atomic"
)

// Meter counts the bytes of an integration at its TCP sockets: TLS, HTTP and gRPC framing, the
// questions to token services and the word with a proxy are in it. What the kernel adds is not
// (TCP and IP headers, acknowledgements, repeats), nor are DNS and the proxy's own way onwards.
// The zero Meter is ready; a nil one counts nothing. It may be read from any goroutine.
type Meter struct {
	sent, received atomic.Uint64
}

// Sent returns the bytes handed to the sockets so far; 0 for a nil Meter.
func (m *Meter) Sent() uint64 {
	if m == nil {
		return 0
	}
	return m.sent.Load()
}

// Received returns the bytes that came from the sockets so far; 0 for a nil Meter.
func (m *Meter) Received() uint64 {
	if m == nil {
		return 0
	}
	return m.received.Load()
}

// Conn returns c with its bytes counted; c itself for a nil Meter.
func (m *Meter) Conn(c net.Conn) net.Conn {
	if m == nil {
		return c
	}
	return &meteredConn{Conn: c, meter: m}
}

type meteredConn struct {
	net.Conn
	meter *Meter
}

// Read is part of net.Conn.
func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.meter.received.Add(uint64(n))
	return n, err
}

// Write is part of net.Conn.
func (c *meteredConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.meter.sent.Add(uint64(n))
	return n, err
}
