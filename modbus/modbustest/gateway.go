package modbustest

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Gateway is a gateway to slaves on one serial line that serves several clients: one request at a time goes to the
// slaves, in the order in which they came. Script decides its faults. Set the fields before the gateway is used.
type Gateway struct {
	RTU    bool // RTU over TCP; false: Modbus TCP
	Slaves []*Slave
	// Script returns the fault of each reply; nil: no faults. Of the slaves' own faults the gateway can do Silent,
	// Late, Exception, Unit, More and Duplicate.
	Script   func() GatewayFault
	Route    Route
	Received func() // called after each received request; nil: not called

	queue chan gatewayRequest
	done  chan struct{}

	mu     sync.Mutex // guards the fields below
	conns  []*gatewayConn
	held   []gatewayReply
	newest uint16 // id of the last request
	down   bool
}

// Route is the choice of the clients that get a reply.
type Route int

// The routes.
const (
	ToAsker  Route = iota
	ToNewest       // to the connection that was made last
	ToAll
)

// GatewayFault is what a gateway does to one reply.
type GatewayFault struct {
	Restamp bool   // Modbus TCP: the reply gets the id of the latest request of any client
	ID      uint16 // is added to the id
	Hold    bool   // the reply comes after the next one; RTU: after the next one to another client
	HangUp  bool   // instead of the reply, the client's connection ends
	Reset   bool   // the same, with a reset
	Mute    bool   // the client's connection gets no more bytes
	Split   int    // the reply comes in two parts; 0: in one
	Damage  bool   // RTU: the checksum is wrong; Modbus TCP: the header has another protocol id
}

type gatewayConn struct {
	net.Conn
	client string
	mute   bool
}

type gatewayRequest struct {
	from *gatewayConn
	id   uint16
	adu  []byte // with its CRC
}

type gatewayReply struct {
	request gatewayRequest
	bytes   []byte
}

// Start begins to serve. Stop ends it.
func (g *Gateway) Start() {
	g.queue, g.done = make(chan gatewayRequest, 64), make(chan struct{})
	go func() {
		defer close(g.done)
		for r := range g.queue {
			g.answer(r)
		}
	}()
}

// Stop ends all connections. It returns when the last request is finished.
func (g *Gateway) Stop() {
	g.mu.Lock()
	g.down = true
	for _, c := range g.conns {
		c.Close()
	}
	g.mu.Unlock()
	close(g.queue)
	<-g.done
}

// Connect connects a client, in memory.
func (g *Gateway) Connect(client string) (net.Conn, error) {
	here, there := NewConns()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		return nil, syscall.ECONNREFUSED
	}
	go g.serve(g.join(there, client))
	return here, nil
}

// Serve serves one connection until it ends.
func (g *Gateway) Serve(conn net.Conn, client string) {
	g.mu.Lock()
	c := g.join(conn, client)
	g.mu.Unlock()
	g.serve(c)
}

func (g *Gateway) join(conn net.Conn, client string) *gatewayConn {
	c := &gatewayConn{Conn: conn, client: client}
	g.conns = append(g.conns, c)
	return c
}

// serve queues a connection's requests.
func (g *Gateway) serve(c *gatewayConn) {
	defer g.leave(c)
	for {
		r, err := g.receive(c)
		if err != nil {
			return
		}
		g.mu.Lock()
		if !g.down && !c.mute {
			g.newest = r.id
			select {
			case g.queue <- r:
			default: // the queue is full: the request is lost
			}
		}
		g.mu.Unlock()
		if g.Received != nil {
			g.Received()
		}
	}
}

func (g *Gateway) leave(c *gatewayConn) {
	c.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.conns {
		if g.conns[i] == c {
			g.conns = append(g.conns[:i:i], g.conns[i+1:]...)
			return
		}
	}
}

func (g *Gateway) receive(c *gatewayConn) (r gatewayRequest, err error) {
	r.from = c
	if !g.RTU {
		var head [mbapHead]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return r, err
		}
		body := make([]byte, binary.BigEndian.Uint16(head[4:]))
		body[0], r.id = head[6], binary.BigEndian.Uint16(head[:])
		_, err := io.ReadFull(c, body[1:])
		r.adu = AppendCRC(body)
		return r, err
	}
	for len(r.adu) < 2 || len(r.adu) < requestSize(r.adu) {
		var b [1]byte
		if _, err := io.ReadFull(c, b[:]); err != nil {
			return r, err
		}
		r.adu = append(r.adu, b[0])
	}
	return r, nil
}

// answer gets a slave's reply to a request, and sends it to the clients of the route.
func (g *Gateway) answer(r gatewayRequest) {
	for _, s := range g.Slaves {
		if s.Unit != r.adu[0] {
			continue
		}
		frame, fault := s.handle(r.adu)
		if wait := s.Delay + fault.Late; wait > 0 {
			<-time.After(wait)
		}
		if frame == nil {
			return
		}
		g.send(r, frame, fault.Duplicate)
	}
}

func (g *Gateway) send(r gatewayRequest, frame []byte, twice bool) {
	var f GatewayFault
	if g.Script != nil {
		f = g.Script()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	id := r.id
	if f.Restamp {
		id = g.newest
	}
	reply := gatewayReply{r, g.pack(id+f.ID, frame, twice)}
	if f.Damage {
		g.damage(reply.bytes)
	}
	switch {
	case f.Mute:
		r.from.mute = true
	case f.HangUp:
		r.from.Close()
	case f.Reset:
		reset(r.from.Conn)
	case f.Hold:
		g.release(func(h gatewayReply) bool { return g.RTU && h.request.from.client == r.from.client })
		g.held = append(g.held, reply)
	default:
		g.release(func(h gatewayReply) bool { return g.RTU && h.request.from.client == r.from.client })
		g.deliver(reply, f.Split)
		g.release(func(gatewayReply) bool { return true })
	}
}

// reset ends a connection with a reset.
func reset(c net.Conn) {
	switch c := c.(type) {
	case *Conn:
		c.Reset()
	case *net.TCPConn:
		_ = c.SetLinger(0)
		c.Close()
	}
}

// pack converts an RTU frame to the format of the network.
func (g *Gateway) pack(id uint16, frame []byte, twice bool) []byte {
	out := append([]byte(nil), frame...)
	if !g.RTU {
		out = binary.BigEndian.AppendUint16(nil, id)
		out = binary.BigEndian.AppendUint16(append(out, 0, 0), uint16(len(frame)-2))
		out = append(out, frame[:len(frame)-2]...)
	}
	if twice {
		out = append(out, out...)
	}
	return out
}

// damage makes a packed reply invalid.
func (g *Gateway) damage(packed []byte) {
	if g.RTU {
		packed[len(packed)-1] ^= 0xFF
		return
	}
	packed[3] = 1 // the protocol id of Modbus is 0
}

// release delivers the held replies for which meant returns true.
func (g *Gateway) release(meant func(gatewayReply) bool) {
	kept := g.held[:0:0]
	for _, h := range g.held {
		if meant(h) {
			g.deliver(h, 0)
			continue
		}
		kept = append(kept, h)
	}
	g.held = kept
}

// deliver writes a reply to the clients of the route. A reply that cannot be written is lost.
func (g *Gateway) deliver(r gatewayReply, split int) {
	for i, c := range g.conns {
		switch {
		case c.mute:
		case g.Route == ToAsker && c != r.request.from, g.Route == ToNewest && i != len(g.conns)-1:
		case split > 0 && split < len(r.bytes):
			_, _ = c.Write(r.bytes[:split])
			_, _ = c.Write(r.bytes[split:])
		default:
			_, _ = c.Write(r.bytes)
		}
	}
}

// Newest returns the id of the latest request.
func (g *Gateway) Newest() uint16 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.newest
}

// CloseIdle ends every connection, as a gateway ends idle connections.
func (g *Gateway) CloseIdle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.Close()
	}
}

// Unmute serves all connections again.
func (g *Gateway) Unmute() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.mute = false
	}
}
