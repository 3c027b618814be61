package sinks

import (
	"net"
	"sync/atomic"
)

// Meter counts the bytes of an integration at its TCP sockets. The count includes TLS, HTTP and gRPC framing, the
// requests to token services, and the exchange with a proxy. It does not include bytes that the kernel adds (TCP and IP
// headers, acknowledgements, repeats), DNS, and the connection from the proxy to the cloud. The zero Meter is ready to
// use; a nil Meter counts nothing. It may be read from any goroutine.
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
