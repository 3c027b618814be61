package guard

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Connections closes connections when there are too many. The one that has been without a request for the longest time
// goes first, so that clients that open connections and send nothing displace each other, and not a client with
// requests. (A listener that makes the next client wait would be what keeps the honest ones out.)
type Connections struct {
	most int

	mu    sync.Mutex
	count uint64 // of events; orders them without a clock
	open  map[net.Conn]*Connection
}

// Connection is one client's.
type Connection struct {
	all   *Connections
	uses  int    // requests in a handler
	since uint64 // event that began or ended its last use
}

// NewConnections allows so many at once.
func NewConnections(most int) *Connections {
	return &Connections{most: most, open: map[net.Conn]*Connection{}}
}

type connectionKey struct{}

// Open notes a new connection, and closes another one, or this one if all are in use, when there are too many. It is
// for http.Server.ConnContext.
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

// victim is the connection that has to go, nil when there is room.
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
	return oldest // there is one: the newest has no use yet
}

// cut closes without a farewell, which TLS would wait for.
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

// Use notes that a request of ctx's connection is in a handler until done is called.
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
