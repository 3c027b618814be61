package sinktest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Proxy is an HTTP proxy for CONNECT. It connects everything to one address.
type Proxy struct {
	l    net.Listener
	to   string
	user string // required Proxy-Authorization; "": any
	wg   sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	conns    map[net.Conn]bool
	asked    []string // requested addresses
	sent     uint64   // bytes to the client
	received uint64   // bytes from the client
}

// StartProxy listens on loopback. authorization is the required header; "" for none.
func StartProxy(t *testing.T, to, authorization string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{l: l, to: to, user: authorization, conns: map[net.Conn]bool{}}
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			p.mu.Lock()
			p.conns[conn] = true
			p.mu.Unlock()
			p.wg.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // nothing to lose
		p.mu.Lock()
		for c := range p.conns {
			_ = c.Close() // nothing to lose
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// Addr returns the address of the proxy.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Asked returns the requested addresses so far.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// Counts returns the number of bytes to the client and from it.
func (p *Proxy) Counts() (sent, received uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent, p.received
}

func (p *Proxy) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }() // perhaps closed before
	from := bufio.NewReader(counter{conn, p, &p.received})
	req, err := http.ReadRequest(from)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, req.Host)
	p.mu.Unlock()
	to := counter{conn, p, &p.sent}
	if req.Method != http.MethodConnect || p.user != "" && req.Header.Get("Proxy-Authorization") != p.user {
		// fails if the client has gone
		_, _ = io.WriteString(to, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	cloud, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	_, _ = io.WriteString(to, "HTTP/1.1 200 Connection established\r\n\r\n") // likewise
	p.wg.Go(func() {
		_, _ = io.Copy(cloud, from) // until the client closes
		_ = cloud.Close()           // ends the copy below
	})
	_, _ = io.Copy(to, cloud) // until the cloud closes
}

// counter adds the number of bytes that pass through it to n.
type counter struct {
	conn  net.Conn
	proxy *Proxy
	n     *uint64
}

func (c counter) add(n int) {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	*c.n += uint64(n)
}

// Read is part of io.Reader.
func (c counter) Read(p []byte) (int, error) {
	n, err := c.conn.Read(p)
	c.add(n)
	return n, err
}

// Write is part of io.Writer.
func (c counter) Write(p []byte) (int, error) {
	n, err := c.conn.Write(p)
	c.add(n)
	return n, err
}
