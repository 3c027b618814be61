package status

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

// ErrRunning is returned by Listen when a program answers on the socket: another agent runs with this configuration,
// and the caller should end.
var ErrRunning = errors.New("another agent runs")

// socketMode lets only owner and group use the socket. The mode is the only protection of the socket.
const socketMode = 0o660

// Listen binds the TCP address and the socket; after an error neither is bound. If other machines can reach the
// address, it has TLS, and reading needs a login. A socket file without an answer is replaced. If a program answers,
// the error wraps ErrRunning. Every error says what to do.
func (s *Server) Listen() error {
	if s.listened {
		return errors.New("listen for status: already listening")
	}
	if s.o.Listen != "" {
		l, err := listenTCP(s.o.Listen, s.limits.abandoned)
		if err != nil {
			return err
		}
		s.place.addr, s.place.outside = l.Addr().String(), !isLoopback(l.Addr())
		secured, err := s.place.secure(l, func(begun []byte, c net.Conn) { answerPlain(s, begun, c) })
		if err != nil {
			_ = l.Close()
			s.place.addr = ""
			return err
		}
		s.door.outside = s.place.outside
		s.listeners = append(s.listeners, secured)
	}
	if s.o.Socket != "" {
		l, err := listenSocket(s.o.Socket)
		if err != nil {
			s.unbind()
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	s.listened = true
	return nil
}

func (s *Server) unbind() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.listeners, s.place.addr = nil, ""
}

func listenTCP(address string, abandoned time.Duration) (net.Listener, error) {
	literal, err := literalAddress(address)
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

// literalAddress returns the address to bind. localhost means 127.0.0.1, without a resolver, which may answer anything
// on a badly configured gateway.
func literalAddress(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", errors.New("want address and port, such as 127.0.0.1:8780")
	}
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", fmt.Errorf("want an IP address before the port: 0.0.0.0 for all of this gateway")
	}
	return net.JoinHostPort(host, port), nil
}

// isLoopback reports whether only this machine can reach an address.
func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
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
	// The umask of most systems removes the group's permission to write, which connecting needs.
	if err := os.Chmod(path, socketMode); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("listen for status: set mode of the socket: %w", err)
	}
	return l, nil
}

// clearStale removes the socket of an agent that was killed. If a program answers on the socket, or is too busy to
// answer, the socket stays.
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
