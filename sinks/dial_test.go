package sinks_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
)

// serveOnce calls serve with its first connection, on loopback.
func serveOnce(t *testing.T, serve func(conn net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		serve(conn)
		_ = conn.Close() // nothing to lose
	}()
	t.Cleanup(func() {
		_ = l.Close() // nothing to lose
		<-done
	})
	return l.Addr().String()
}

// echo returns the address of a server that sends back what it receives.
func echo(t *testing.T) (addr string) {
	t.Helper()
	return serveOnce(t, func(conn net.Conn) { _, _ = io.Copy(conn, conn) }) // until the other side closes
}

// withProxy makes addr the proxy of the environment.
func withProxy(t *testing.T, addr string) {
	t.Helper()
	for _, name := range []string{"https_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
	t.Setenv("HTTPS_PROXY", addr)
}

// noNames looks up no name, so that no request leaves the machine.
var noNames = sinks.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no name server in a test")
}}}

func TestMeterCountsBothWays(t *testing.T) {
	var m sinks.Meter
	conn, err := sinks.Dialer{Meter: &m}.DialContext(t.Context(), "tcp", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing to lose
	if _, err := conn.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 300)); err != nil {
		t.Fatal(err)
	}
	if m.Sent() != 1000 || m.Received() != 300 {
		t.Errorf("sent %d, received %d", m.Sent(), m.Received())
	}
	var none *sinks.Meter
	if none.Sent() != 0 || none.Received() != 0 || none.Conn(conn) != conn {
		t.Error("a nil meter counts")
	}
}

// The kernel must notice a dead path: data on it is not acknowledged.
func TestSilenceOfAPathIsBounded(t *testing.T) {
	conn, err := sinks.Dialer{}.DialContext(t.Context(), "tcp", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing to lose
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		t.Fatalf("a connection that is not counted is a %T", conn)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ms int
	if cerr := raw.Control(func(fd uintptr) { ms, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	if ms != 30_000 {
		t.Errorf("TCP_USER_TIMEOUT is %d ms", ms)
	}
}

// A server may send first, and its bytes may come in one piece with the proxy's answer.
func TestTunnelPassesEveryByteBehindTheAnswer(t *testing.T) {
	withProxy(t, "http://"+serveOnce(t, func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nwelcome") // the read below checks this
		}
	}))
	conn, err := noNames.DialTunnel(t.Context(), "cloud.example:443")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing to lose
	if got, err := io.ReadAll(conn); string(got) != "welcome" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTunnelSaysWhatIsWrongWithTheProxy(t *testing.T) {
	withProxy(t, "")
	portal := httptest.NewServer(http.NotFoundHandler())
	defer portal.Close()
	for _, c := range []struct{ proxy, part string }{
		{"socks5://noi:hunter2@127.0.0.1:1", "HTTPS_PROXY: a proxy spoken to by socks5 does not work here"},
		{"http://noi:hunter2@127.0.0.1:1", "proxy: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"http://noi:hunter2@%zz", "HTTPS_PROXY is malformed; want a URL"},
		{"http://noi:hunter2@127.0.0.1:x", "HTTPS_PROXY is malformed; want a URL"},
		{"http://", "HTTPS_PROXY is malformed; want a URL"},
		{strings.Replace(portal.URL, "http://", "http://noi:hunter2@", 1), "does not connect to cloud.example:443: HTTP 404 Not Found"},
	} {
		t.Setenv("HTTPS_PROXY", c.proxy)
		_, err := noNames.DialTunnel(t.Context(), "cloud.example:443")
		if err == nil || !strings.Contains(err.Error(), c.part) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", c.proxy, err, c.part)
		}
	}
}

// A proxy that accepts the request and does not answer must not block the caller longer than its context.
func TestTunnelThroughASilentProxyEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	withProxy(t, "http://"+serveOnce(t, func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			cancel()
			_, _ = io.Copy(io.Discard, conn) // until the other side closes
		}
	}))
	if _, err := noNames.DialTunnel(ctx, "cloud.example:443"); err == nil {
		t.Error("a tunnel through a proxy that does not answer")
	}
}

func TestRootsOfAFile(t *testing.T) {
	if pool, err := sinks.Roots(""); pool != nil || err != nil {
		t.Errorf("no file: %v, %v", pool, err)
	}
	if pool, err := sinks.Roots(sinktest.NewAuthority(t).File); pool == nil || err != nil {
		t.Errorf("a good file: %v", err)
	}
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir + "/not": "not there", dir: "not readable", empty: "no certificate in it; want PEM"} {
		if _, err := sinks.Roots(path); err == nil || err.Error()[:len("ca_file "+path)] != "ca_file "+path || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// A date is compared with the clock of the answer, never with the gateway's.
func TestRetryAfterTakesSecondsAndDates(t *testing.T) {
	const now = "Wed, 21 Oct 2015 07:28:00 GMT"
	for _, c := range []struct {
		after, date string
		want        time.Duration
	}{
		{"", now, 0},
		{"0", "", 0},
		{"120", "", 2 * time.Minute},
		{"-5", "", 0},
		{"7200", "", time.Hour},
		{"99999999999999999999", "", 0},
		{"soon", now, 0},
		{"Wed, 21 Oct 2015 07:29:30 GMT", now, 90 * time.Second},
		{"Wed, 21 Oct 2015 07:20:00 GMT", now, 0},
		{"Wed, 21 Oct 2015 17:20:00 GMT", now, time.Hour},
		{"Wed, 21 Oct 2015 07:29:30 GMT", "", 0},
	} {
		if got := sinks.RetryAfter(http.Header{"Retry-After": {c.after}, "Date": {c.date}}); got != c.want {
			t.Errorf("Retry-After %q at %q: %s, want %s", c.after, c.date, got, c.want)
		}
	}
}

func TestNetworkTextLeavesOutOurOwnAddress(t *testing.T) {
	at := func(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port} }
	reset := errors.New("connection reset by peer")
	for want, err := range map[string]error{
		"read tcp 192.0.2.1:443: connection reset by peer": fmt.Errorf("publish: %w", &net.OpError{Op: "read", Net: "tcp", Source: at(51234), Addr: at(443), Err: reset}),
		"dial tcp: connection reset by peer":               &net.OpError{Op: "dial", Net: "tcp", Err: reset},
		"connection reset by peer":                         reset,
	} {
		if got := sinks.NetworkText(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
