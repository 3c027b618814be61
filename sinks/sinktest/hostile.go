package sinktest

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"noi-agent/sinks"
)

// Target is a sink, and one of its servers, which is hostile.
type Target struct {
	Name string
	TLS  bool // the sink uses TLS for that server
	H2   bool // and HTTP/2
	// New makes a sink whose server of that kind listens at host (host:port), with a certificate of ca if TLS is set.
	// All its other servers are correct.
	New func(t *testing.T, host string, ca *Authority) Sink
}

// RunHostile tests each target with servers that send without end, one byte at a time, nothing, or garbage. After an
// answer that is too long or makes no sense, Publish returns. With a slow server it returns when its context ends. No
// message is accepted or rejected, and memory, descriptors and goroutines do not grow.
func RunHostile(t *testing.T, targets []Target) {
	for _, target := range targets {
		for _, server := range hostileServers(target.H2) {
			t.Run(target.Name+"/"+server.name, func(t *testing.T) {
				before := goleak.IgnoreCurrent()
				t.Cleanup(func() { goleak.VerifyNone(t, before) })
				hold(t, target, server)
			})
		}
	}
}

const (
	hostileRounds = 4
	// mostAllocated is far above the measured 1 to 5 MB, and far below the memory for one answer without an end.
	mostAllocated = 32 << 20
	// mostWritten is the most bytes that a server can write in all rounds; most of them are in the kernel's buffers.
	mostWritten = 96 << 20
)

func hold(t *testing.T, target Target, server hostileServer) {
	t.Helper()
	ca := NewAuthority(t)
	h := startHostile(t, target, server, ca)
	sink := target.New(t, h.l.Addr().String(), ca)
	round := func(ctx context.Context) {
		t.Helper()
		for _, r := range publishCtx(ctx, t, sink, Messages(3)) {
			if r.Outcome != sinks.Retry && r.Outcome != sinks.Wait || len(r.Error()) > 1500 {
				t.Errorf("%s (%.300s)", r.Outcome, r.Error())
			}
		}
		if server.enough == 0 && ctx.Err() != nil {
			t.Error("it was not back by itself")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	h.onEnough(cancel)
	round(ctx) // allocates everything that is made only once
	if h.count() == 0 {
		t.Fatal("the server was not asked: nothing is shown")
	}
	descriptors := openFiles(t)
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	for range hostileRounds {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		// the SDK of AWS may still wait for the answer of the first round, and sends no second request
		if server.enough > 0 {
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		}
		round(ctx)
		cancel()
	}
	runtime.ReadMemStats(&end)
	if n := end.TotalAlloc - start.TotalAlloc; n > mostAllocated {
		t.Errorf("%d bytes were allocated in %d rounds", n, hostileRounds)
	}
	if n := h.written(); n > mostWritten {
		t.Errorf("%d bytes were taken from the server", n)
	}
	h.dropAll()
	if err := sink.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "descriptors are closed", func() bool { return openFiles(t) <= descriptors+2 })
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// hostileServer is the behaviour of a server after a request. write returns false when the client has closed the
// connection.
type hostileServer struct {
	name   string
	enough int // written bytes after which the context of the first round ends; 0: Publish returns without it
	answer func(write func(p []byte) bool, left <-chan struct{})
}

func hostileServers(h2 bool) []hostileServer {
	endless := func(head string, body []byte) func(func([]byte) bool, <-chan struct{}) {
		return func(write func([]byte) bool, _ <-chan struct{}) {
			for ok := write([]byte(head)); ok; {
				ok = write(body)
			}
		}
	}
	slow := func(head string) func(func([]byte) bool, <-chan struct{}) {
		return func(write func([]byte) bool, left <-chan struct{}) {
			ticker := time.NewTicker(time.Second) // one byte a second
			defer ticker.Stop()
			for ok := write([]byte(head)); ok; ok = write([]byte("x")) {
				select {
				case <-ticker.C:
				case <-left:
					return
				}
			}
		}
	}
	silent := func(_ func([]byte) bool, left <-chan struct{}) { <-left }
	noise := make([]byte, 32<<10)
	for i := range noise {
		noise[i] = byte(i*i*31 + i>>3)
	}
	xs := slices.Repeat([]byte("x"), 32<<10)
	if h2 {
		settings := string([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // RFC 9113 §6.5: an empty SETTINGS frame
		return []hostileServer{
			{"never answers", 1, silent}, {"garbage", 0, endless("", noise)},
			{"settings without end", 1 << 18, endless(settings, []byte(settings))},
			{"a byte a second", 1, slow(settings)}, {"HTTP/1.1", 0, endless("HTTP/1.1 200 OK\r\n\r\n", xs)},
		}
	}
	const ok, refused = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n\r\n"
	return []hostileServer{
		{"never answers", 1, silent}, {"garbage", 0, endless("", noise)},
		{"body without end", 0, endless(ok, xs)}, {"garbage without end", 0, endless(ok, noise)},
		{"refusal without end", 0, endless(refused, xs)},
		{"JSON without end", 0, endless(ok+`{"access_token":"`, xs)},
		{"XML without end", 0, endless(ok+"<PublishBatchResponse><x>", xs)},
		{"header without end", 0, endless("HTTP/1.1 200 OK\r\nX: ", xs)}, {"a byte a second", 1, slow(ok)},
		{"a header a second", 1, slow("HTTP/1.1 200 OK\r\nX: ")},
	}
}

// hostile listens until the test ends.
type hostile struct {
	l  net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	conns map[net.Conn]bool
	asked int
	bytes int
	tell  func() // called when enough was written
}

func (h *hostile) onEnough(tell func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell = tell
}

// note counts written bytes and wakes a caller that waits for enough.
func (h *hostile) note(n, enough int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes += n
	if h.tell != nil && enough > 0 && h.bytes >= enough {
		h.tell()
	}
}

func startHostile(t *testing.T, target Target, server hostileServer, ca *Authority) *hostile {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{l: l, conns: map[net.Conn]bool{}}
	var config *tls.Config
	if target.TLS {
		config = ServerConfig(ca.Good(t, "127.0.0.1"))
		config.NextProtos = []string{map[bool]string{true: "h2", false: "http/1.1"}[target.H2]}
	}
	h.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			h.mu.Lock()
			h.conns[conn] = true
			h.mu.Unlock()
			h.wg.Go(func() { h.serve(conn, config, server) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // nothing to lose
		h.dropAll()
		h.wg.Wait()
	})
	return h
}

// serve waits for the first bytes of a request, and then answers as the hostile server does.
func (h *hostile) serve(raw net.Conn, config *tls.Config, server hostileServer) {
	defer func() {
		_ = raw.Close() // perhaps closed before
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.conns, raw)
	}()
	conn := raw
	if config != nil {
		conn = tls.Server(raw, config)
	}
	buf := make([]byte, 4096)
	if _, err := conn.Read(buf); err != nil {
		return
	}
	h.mu.Lock()
	h.asked++
	h.mu.Unlock()
	if server.enough == 1 { // otherwise it writes no byte
		h.note(1, 1)
	}
	left := make(chan struct{})
	h.wg.Go(func() {
		defer close(left)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	})
	server.answer(func(p []byte) bool {
		n, err := conn.Write(p)
		h.note(n, server.enough)
		return err == nil
	}, left)
}

func (h *hostile) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

func (h *hostile) written() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bytes
}

func (h *hostile) dropAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		_ = c.Close() // ends the connection
	}
}
