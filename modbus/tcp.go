package modbus

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	schemeTCP = "tcp://"     // Modbus TCP: MBAP header, transaction ids
	schemeRTU = "rtu+tcp://" // RTU frames through a gateway

	// DefaultTCPPort is the port of Modbus TCP (MODBUS Messaging on TCP/IP V1.0b §4.3.2).
	DefaultTCPPort = "502"

	// connectTimeout limits the time to connect: a gateway at the site answers in milliseconds.
	connectTimeout = 3 * time.Second
)

// Connect makes a TCP connection to host:port.
type Connect func(address string) (net.Conn, error)

// connectTCP is the Connect of every line without Options.Connect.
func connectTCP(address string) (net.Conn, error) {
	return net.DialTimeout("tcp", address, connectTimeout)
}

// netPort is a TCP connection as a port: its reads end without an error when the read timeout has passed.
type netPort struct {
	name    string // as configured, for errors
	address string // host:port
	connect Connect
	conn    net.Conn
	raw     syscall.RawConn // nil: no socket of the kernel is behind conn
	timeout time.Duration
	readBy  time.Time // the read deadline that the connection has
	writeBy time.Time // the same for writing

	// One read of the socket without waiting. The fields and the function are kept, so that a read allocates nothing.
	take func(fd uintptr)
	into []byte
	got  int
	err  error
}

// dialNet connects to the address of a port with this scheme; fallback is the TCP port if the name has none.
func dialNet(s Settings, connect Connect, scheme, fallback string) (*netPort, error) {
	address := strings.TrimPrefix(s.Port, scheme)
	if _, _, err := net.SplitHostPort(address); err != nil && fallback != "" {
		address = net.JoinHostPort(strings.Trim(address, "[]"), fallback)
	}
	p := &netPort{name: s.Port, address: address, connect: connect}
	p.take = func(fd uintptr) { p.got, p.err = syscall.Read(int(fd), p.into) }
	if err := p.open(); err != nil {
		return nil, err
	}
	return p, nil
}

// open makes a new connection. Errors are *OpenError.
func (p *netPort) open() error {
	conn, err := p.connect(p.address)
	if err != nil {
		return dialError(p.name, err)
	}
	p.conn, p.raw, p.readBy, p.writeBy = conn, nil, time.Time{}, time.Time{}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	p.raw, err = tcp.SyscallConn()
	if err == nil {
		err = limitSilence(p.raw)
	}
	if err != nil {
		return dialError(p.name, errors.Join(err, tcp.Close()))
	}
	return nil
}

// redial replaces the connection. Errors are *OpenError, after which the port is closed.
func (p *netPort) redial() error {
	_ = p.conn.Close() // it has ended, or is useless; closing it twice does no harm
	return p.open()
}

// dialError is openError for errors of a network.
func dialError(port string, err error) *OpenError {
	var dns *net.DNSError
	var network net.Error
	hint := ""
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = "the host is there, but nothing listens on that port; check the port and the gateway's settings"
	case errors.As(err, &dns):
		hint = "the name is not known; check it, or give the address"
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.ENETUNREACH):
		hint = "no way to the host; check its address, power and cable"
	}
	return &OpenError{Port: port, Err: err, Hint: hint}
}

// IsRefused reports whether a network port could not be opened because its host refuses connections.
func IsRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// limitSilence makes the kernel end a connection whose other end acknowledges nothing for some time. The kernel's own
// limit is a quarter of an hour. In this time a gateway without power would look like silent slaves.
func limitSilence(raw syscall.RawConn) (err error) {
	const patience = 10 * time.Second
	cerr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(patience.Milliseconds()))
	})
	return errors.Join(cerr, err)
}

func (p *netPort) SetReadTimeout(d time.Duration) error {
	p.timeout = d
	return nil
}

func (p *netPort) Write(b []byte) (int, error) {
	if err := renew(&p.writeBy, connectTimeout, p.conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return p.conn.Write(b)
}

func (p *netPort) Close() error { return p.conn.Close() }

// Read returns the bytes that have arrived, or (0, nil) after the read timeout, or after half of it at the earliest.
// Timeout 0 reads the bytes that are there. A deadline cannot do this: a read after its deadline returns nothing.
func (p *netPort) Read(b []byte) (int, error) {
	if p.timeout <= 0 && p.raw != nil {
		return p.poll(b)
	}
	if err := renew(&p.readBy, max(p.timeout, 1), p.conn.SetReadDeadline); err != nil {
		return 0, err
	}
	n, err := p.conn.Read(b)
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		return n, nil
	}
	return 0, err
}

// renew sets a deadline d from now. It keeps the present deadline if that is at most d and at least half of d from now.
// To set a deadline moves a timer of Go's runtime, which takes a tenth of a round trip over loopback.
func renew(deadline *time.Time, d time.Duration, set func(time.Time) error) error {
	now := tick()
	if left := deadline.Sub(now); left > 0 && d/2 <= left && left <= d {
		return nil
	}
	*deadline = now.Add(d)
	return set(*deadline)
}

func (p *netPort) poll(b []byte) (int, error) {
	p.into = b
	if err := p.raw.Control(p.take); err != nil {
		return 0, err
	}
	switch {
	case errors.Is(p.err, syscall.EAGAIN), errors.Is(p.err, syscall.EINTR):
		return 0, nil
	case p.err != nil:
		return 0, p.err
	case p.got == 0 && len(b) > 0:
		return 0, io.EOF
	default:
		return p.got, nil
	}
}
