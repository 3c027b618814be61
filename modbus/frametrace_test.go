package modbus_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// frameTrace keeps the last bytes sent and received on some connections, for the report of a wrong value.
type frameTrace struct {
	mu   sync.Mutex // guards ring
	ring []tracedBytes
}

type tracedBytes struct {
	at   time.Time
	what string
	b    []byte
}

// tracedMost is enough for the time since the line was opened, or for ten minutes of it.
const tracedMost = 6000

func (tr *frameTrace) add(what string, b []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.ring) == tracedMost {
		tr.ring = append(tr.ring[:0], tr.ring[tracedMost/2:]...)
	}
	tr.ring = append(tr.ring, tracedBytes{time.Now(), what, append([]byte(nil), b...)})
}

func (tr *frameTrace) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var out strings.Builder
	for _, r := range tr.ring[max(0, len(tr.ring)-200):] {
		fmt.Fprintf(&out, "%s %-12s % X\n", r.at.Format("15:04:05.000"), r.what, r.b)
	}
	return out.String()
}

// over returns conn, and records its bytes in the trace.
func (tr *frameTrace) over(who string, conn net.Conn, err error) (net.Conn, error) {
	tr.add(who+" connects", nil)
	if err != nil {
		return nil, err
	}
	return &tracedConn{conn, who, tr}, nil
}

type tracedConn struct {
	net.Conn
	who   string
	trace *frameTrace
}

func (c *tracedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.trace.add(c.who+" <-", b[:n])
	}
	if err != nil && n == 0 && !isTimeout(err) {
		c.trace.add(c.who+" "+err.Error(), nil)
	}
	return n, err
}

func (c *tracedConn) Write(b []byte) (int, error) {
	c.trace.add(c.who+" ->", b)
	return c.Conn.Write(b)
}

func (c *tracedConn) Close() error {
	c.trace.add(c.who+" closes", nil)
	return c.Conn.Close()
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}
