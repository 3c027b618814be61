package agent

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// relay is between a client and a server on loopback, and acts like a distance. It passes on bytes half a round trip
// later. A lost segment delays all segments behind it by the time that TCP needs to send it again.
type relay struct {
	listener  net.Listener
	to        string
	roundTrip time.Duration
	loss      float64 // share of the segments

	mu    sync.Mutex
	conns []net.Conn
	count int // connections so far
}

const (
	segment     = 1400 // bytes of a TCP segment, roughly
	leastResend = 200 * time.Millisecond
)

// startRelay starts a relay to a server; it ends with the test.
func startRelay(tb testing.TB, to string, roundTrip time.Duration, loss float64) *relay {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &relay{listener: l, to: to, roundTrip: roundTrip, loss: loss}
	go r.accept()
	tb.Cleanup(func() {
		_ = l.Close() // nothing to lose
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.conns {
			_ = c.Close() // nothing to lose
		}
	})
	return r
}

func (r *relay) addr() string { return r.listener.Addr().String() }

// connections returns the number of connections so far.
func (r *relay) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

func (r *relay) accept() {
	for n := uint64(1); ; n++ {
		client, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", r.to)
		if err != nil {
			_ = client.Close() // nothing to lose
			continue
		}
		r.mu.Lock()
		r.conns, r.count = append(r.conns, client, server), r.count+1
		r.mu.Unlock()
		// the handshake of TCP also takes a round trip
		go r.carry(server, client, r.roundTrip, rand.New(rand.NewPCG(n, 1)))
		go r.carry(client, server, 0, rand.New(rand.NewPCG(n, 2)))
	}
}

// delayed is a parcel of bytes that is due at a moment.
type delayed struct {
	bytes []byte
	due   time.Time
}

// carry passes on the bytes of one side, the first of them later by the time first.
func (r *relay) carry(to, from net.Conn, first time.Duration, rnd *rand.Rand) {
	under := make(chan delayed, 1024)
	go func() {
		defer func() { _ = to.Close() }() // the other side has ended
		for d := range under {
			<-time.After(time.Until(d.due))
			if _, err := to.Write(d.bytes); err != nil {
				_ = from.Close() // no longer needed
				return
			}
		}
	}()
	defer close(under)
	held := time.Now().Add(first)
	buf := make([]byte, segment)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if now := time.Now(); held.Before(now) {
				held = now
			}
			if rnd.Float64() < r.loss {
				held = held.Add(max(leastResend, 2*r.roundTrip))
			}
			select {
			case under <- delayed{append([]byte(nil), buf[:n]...), held.Add(r.roundTrip / 2)}:
			case <-time.After(time.Minute):
				err = io.ErrShortWrite // the other side does not read
			}
		}
		if err != nil {
			return
		}
	}
}
