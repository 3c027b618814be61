package guard

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Connections closes connections if there are too many. It first closes the connection that has been without a request
// for the longest time. So a client that opens connections and sends nothing cannot displace a client with requests. (A
// listener that lets the next client wait would let such a client block all others.)
type Connections struct {
	most int

	mu    sync.Mutex
	count uint64 // counts events, to order them without a clock
	open  map[net.Conn]*Connection
}

// Connection is the state of one connection.
type Connection struct {
	all   *Connections
	uses  int    // number of requests in a handler
	since uint64 // number of the event that opened the connection, or began or ended its last use
}

// NewConnections returns a set that allows `most` connections at once.
func NewConnections(most int) *Connections {
	return &Connections{most: most, open: map[net.Conn]*Connection{}}
}

type connectionKey struct{}

// Open notes a new connection. If there are too many, it closes one of the connections without a request, which may be
// the new one. It is for http.Server.ConnContext.
func (c *Connections) Open(ctx context.Context, conn net.Conn) context.Context {
	c.mu.Lock()
	c.count++
	own := &Connection{all: c, since: c.count}
	c.open[conn] = own
	victim := c.victim()
	delete(c.open, victim)
	c.mu.Unlock()
	if victim != nil {
		cut(victim)
	}
	return context.WithValue(ctx, connectionKey{}, own)
}

// victim returns the connection to close; nil if there is room.
func (c *Connections) victim() (oldest net.Conn) {
	if len(c.open) <= c.most {
		return nil
	}
	at := c.count + 1
	for conn, k := range c.open {
		if k.uses == 0 && k.since < at {
			oldest, at = conn, k.since
		}
	}
	return oldest // not nil, because the newest connection has no use yet
}

// cut closes a connection at once. It closes the connection below TLS, because TLS would first send a message.
func cut(conn net.Conn) {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	_ = conn.Close()
}

// State forgets a connection that has ended. It is for http.Server.ConnState.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// Use notes that a request on the connection of ctx is in a handler, until done is called.
func Use(ctx context.Context) (done func()) {
	k, ok := ctx.Value(connectionKey{}).(*Connection)
	if !ok {
		return func() {}
	}
	k.add(1)
	return func() { k.add(-1) }
}

func (k *Connection) add(n int) {
	k.all.mu.Lock()
	defer k.all.mu.Unlock()
	k.all.count++
	k.uses, k.since = k.uses+n, k.all.count
}
