package status

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrRunning is returned by Listen when somebody answers on the socket: another agent runs with this
// configuration, and the caller should end.
var ErrRunning = errors.New("another agent runs")

// socketMode lets owner and group speak to the agent, nobody else: the socket's mode is its only lock.
const socketMode = 0o660

// Listen binds the TCP address and the socket; on an error neither stays bound. A socket file on which
// nobody answers is replaced. ErrRunning is wrapped when one answers; all errors say the way out.
func (s *Server) Listen() error {
	if s.listened {
		return errors.New("listen for status: already listening")
	}
	if s.o.Listen != "" {
		l, err := listenTCP(s.o.Listen, s.limits.abandoned)
		if err != nil {
			return err
		}
		s.addr = l.Addr().String()
		s.add(l)
	}
	if s.o.Socket != "" {
		l, err := listenSocket(s.o.Socket)
		if err != nil {
			s.unbind()
			return err
		}
		s.add(l)
	}
	s.listened = true
	return nil
}

// url is where a browser on this machine finds the page, for advice.
func (s *Server) url() string {
	if s.addr == "" {
		return "http://localhost"
	}
	return "http://" + s.addr
}

func (s *Server) add(l net.Listener) {
	s.listeners = append(s.listeners, newBounded(l, s.limits.connections))
}

func (s *Server) unbind() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.listeners, s.addr = nil, ""
}

func listenTCP(address string, abandoned time.Duration) (net.Listener, error) {
	literal, err := loopbackAddress(address)
	if err != nil {
		return nil, fmt.Errorf("listen for status on %q: %w", address, err)
	}
	lc := listening(abandoned)
	l, err := lc.Listen(context.Background(), "tcp", literal)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen for status: %w: another agent or program holds it "+
			"(`ss -ltnp` names it); end that or change status.listen", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("listen for status: %w: choose a port from 1024 up in status.listen", err)
	case err != nil:
		return nil, fmt.Errorf("listen for status: %w: choose another status.listen", err)
	}
	return l, nil
}

// loopbackAddress returns the address to bind. localhost is taken as 127.0.0.1 without asking a resolver,
// which on a badly set up gateway may answer anything.
func loopbackAddress(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", errors.New("want address and port, such as 127.0.0.1:8780")
	}
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			port = "8780"
		}
		return "", fmt.Errorf("not a loopback address: refused, because there is neither TLS nor a token on this "+
			"endpoint yet; use 127.0.0.1:%s and reach it with `ssh -L %s:127.0.0.1:%s GATEWAY`", port, port, port)
	}
	return net.JoinHostPort(host, port), nil
}

func listenSocket(path string) (net.Listener, error) {
	if err := clearStale(path); err != nil {
		return nil, err
	}
	// On Linux bind makes the file with the mode of the descriptor, less the umask. So there is no moment at
	// which others may connect, even under umask 0. Elsewhere fchmod fails here, and chmod below does it.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), socketMode) })
	}}
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for status: %w: %s", err, socketHint(err))
	}
	// The umask of most systems takes the group's right to write, which connecting needs.
	if err := os.Chmod(path, socketMode); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("listen for status: set mode of the socket: %w", err)
	}
	return l, nil
}

// clearStale removes a socket left by an agent that was killed. Whoever answers on it, or is too busy to,
// lives: then it stays.
func clearStale(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen for status: %w: %s", err, socketHint(err))
	}
	if st.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen for status: %s is there and is not a socket: move it away or change status.socket",
			path)
	}
	c, err := net.DialTimeout("unix", path, 5*time.Second)
	switch {
	case err == nil:
		_ = c.Close()
		return runningError(path)
	case errors.Is(err, syscall.EAGAIN): // its queue of connections is full
		return runningError(path)
	case !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("listen for status: see whether another agent runs: %w: %s", err, socketHint(err))
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("listen for status: remove the socket of an agent that ended: %w: %s", err, socketHint(err))
	}
	return nil
}

func runningError(path string) error {
	return fmt.Errorf("listen for status: %w: it answers on %s; end it first (`systemctl stop noi-agent`), "+
		"or change status.socket", ErrRunning, path)
}

func socketHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "make its directory (under systemd: RuntimeDirectory=noi-agent) or change status.socket"
	case errors.Is(err, fs.ErrPermission):
		return "the agent's user must be allowed to write in its directory (under systemd: " +
			"RuntimeDirectory=noi-agent), or change status.socket"
	default:
		return "change status.socket (at most 107 bytes)"
	}
}

// bounded is a listener with at most so many connections open. The next one is accepted when one closes.
type bounded struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func newBounded(l net.Listener, n int) *bounded {
	return &bounded{Listener: l, slots: make(chan struct{}, n), done: make(chan struct{})}
}

// Accept waits for a free slot and a connection.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.done:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &slotConn{Conn: c, free: sync.OnceFunc(func() { <-b.slots })}, nil
}

// Close ends waiting for a slot too.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.done) })
	return b.Listener.Close()
}

// slotConn gives its slot back when it is closed.
type slotConn struct {
	net.Conn
	free func()
}

// Close may be called more than once, as net/http does.
func (c *slotConn) Close() error {
	err := c.Conn.Close()
	c.free()
	return err
}
