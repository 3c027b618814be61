package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
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

	// connectTimeout bounds a connection's set-up: a gateway beside the site answers in milliseconds.
	connectTimeout = 3 * time.Second
)

// netPort is a TCP connection as a port: its reads end without an error when the read timeout has passed.
type netPort struct {
	conn    *net.TCPConn
	raw     syscall.RawConn
	timeout time.Duration
}

// dialRTU connects to a gateway that passes RTU frames on as they are.
func dialRTU(s Settings) (Port, error) {
	port, err := connect(strings.TrimPrefix(s.Port, schemeRTU), "")
	if err != nil {
		return nil, dialError(s.Port, err)
	}
	return port, nil
}

// dialError is openError for what a network says.
func dialError(port string, err error) *OpenError {
	var dns *net.DNSError
	var network net.Error
	hint := ""
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = "the host is there, but nothing listens on that port; check the port and the gateway's settings"
	case errors.As(err, &dns):
		hint = "the name is not known; check it, or give the address"
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		hint = "no way to the host; check its address, power and cable"
	}
	return &OpenError{Port: port, Err: err, Hint: hint}
}

// connect dials host:port; fallback is the port when there is none.
func connect(address, fallback string) (*netPort, error) {
	if _, _, err := net.SplitHostPort(address); err != nil && fallback != "" {
		address = net.JoinHostPort(strings.Trim(address, "[]"), fallback)
	}
	conn, err := net.DialTimeout("tcp", address, connectTimeout)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn) // network "tcp" gives no other
	raw, err := tcp.SyscallConn()
	if err == nil {
		err = limitSilence(raw)
	}
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	return &netPort{conn: tcp, raw: raw}, nil
}

// limitSilence has the kernel give up a connection whose other end has not acknowledged anything for a while. Its own patience
// is a quarter of an hour, for which a gateway that lost its power would look like silent slaves.
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
	if err := p.conn.SetWriteDeadline(time.Now().Add(connectTimeout)); err != nil {
		return 0, err
	}
	return p.conn.Write(b)
}

func (p *netPort) Close() error { return p.conn.Close() }

// Read returns what has come, or (0, nil) after the read timeout. Timeout 0 takes what is there, for which
// a deadline will not do: one that has passed gives nothing at all.
func (p *netPort) Read(b []byte) (int, error) {
	if p.timeout <= 0 {
		return p.poll(b)
	}
	if err := p.conn.SetReadDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	n, err := p.conn.Read(b)
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		return n, nil
	}
	return 0, err
}

func (p *netPort) poll(b []byte) (n int, err error) {
	if err := p.conn.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	rerr := p.raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), b)
		return true
	})
	switch {
	case rerr != nil:
		return 0, rerr
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0 && len(b) > 0:
		return 0, io.EOF
	default:
		return n, nil
	}
}

// mbapHead is the length of an MBAP header with its unit id: transaction, protocol, length, unit.
const mbapHead = 7

// tcpPort is a Modbus TCP device as a port of RTU frames: requests lose their CRC and get a transaction id, replies
// the reverse. Replies to any but the last request are dropped here, so nothing late ever comes out.
type tcpPort struct {
	address string
	conn    *netPort // nil after the device has closed the connection, as some do after each reply
	timeout time.Duration

	transaction uint16
	waiting     bool   // the last request has not been answered
	asked       []byte // the last request, unit id and PDU
	used        bool   // the connection has carried a reply
	in          []byte // of a frame that is not whole
	out         []byte // of the RTU frame that the reply has become
}

// dialTCP connects to a Modbus TCP device.
func dialTCP(s Settings) (Port, error) {
	p := &tcpPort{address: strings.TrimPrefix(s.Port, schemeTCP)}
	if err := p.connect(); err != nil {
		return nil, dialError(s.Port, err)
	}
	return p, nil
}

func (p *tcpPort) connect() (err error) {
	p.conn, err = connect(p.address, DefaultTCPPort)
	p.in, p.out, p.waiting, p.used = p.in[:0], p.out[:0], false, false
	return err
}

// Matches reports that a late reply cannot be taken for another's: the transaction id tells them apart.
func (p *tcpPort) Matches() bool { return true }

func (p *tcpPort) SetReadTimeout(d time.Duration) error {
	p.timeout = d
	return nil
}

func (p *tcpPort) Close() error {
	if p.conn == nil { // a reconnection failed
		return nil
	}
	return p.conn.Close()
}

// Write sends one RTU request frame, over a new connection when the device has closed the last one.
func (p *tcpPort) Write(adu []byte) (int, error) {
	p.asked = append(p.asked[:0], adu[:len(adu)-2]...) // without the CRC
	if p.conn == nil {
		if err := p.connect(); err != nil {
			return 0, err
		}
	}
	if err := p.ask(); err != nil {
		return 0, err
	}
	return len(adu), nil
}

func (p *tcpPort) ask() error {
	p.transaction++
	p.waiting, p.out = true, p.out[:0]
	frame := make([]byte, 0, mbapHead+len(p.asked))
	frame = binary.BigEndian.AppendUint16(frame, p.transaction)
	frame = append(frame, 0, 0)
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(p.asked)))
	_, err := p.conn.Write(append(frame, p.asked...))
	return err
}

// ended deals with a connection that the device has closed. That is no fault while nothing is asked; and when
// the end crossed with a request, as with a device that closes after each reply, the request is sent once more.
func (p *tcpPort) ended() error {
	waiting, used := p.waiting, p.used
	if err := p.conn.Close(); err != nil {
		return err
	}
	p.conn = nil
	switch {
	case !waiting:
		return nil
	case !used:
		return io.EOF
	}
	if err := p.connect(); err != nil {
		return err
	}
	return p.ask()
}

// Read returns bytes of the RTU frame that the reply would have been. Without a connection it waits all the same: who reads
// until a moment has come would go round and round otherwise.
func (p *tcpPort) Read(b []byte) (int, error) {
	until := time.Now().Add(p.timeout)
	for len(p.out) == 0 {
		if p.conn == nil {
			pause(time.Until(until))
			return 0, nil
		}
		if err := p.conn.SetReadTimeout(max(0, time.Until(until))); err != nil {
			return 0, err
		}
		var chunk [mbapHead + maxFrame]byte
		n, err := p.conn.Read(chunk[:])
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			if err = p.ended(); err == nil {
				continue
			}
		}
		if err != nil || n == 0 {
			return 0, err
		}
		p.in = append(p.in, chunk[:n]...)
		if err := p.unpack(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

// errMBAP: the stream is out of step, and only a new connection brings it back.
var errMBAP = errors.New("not a Modbus TCP frame")

// unpack turns whole MBAP frames into RTU frames, and drops those of other transactions.
func (p *tcpPort) unpack() error {
	for len(p.in) >= mbapHead {
		protocol, length := binary.BigEndian.Uint16(p.in[2:]), int(binary.BigEndian.Uint16(p.in[4:]))
		if protocol != 0 || length < 2 || length > maxFrame-2 {
			return fmt.Errorf("%w: % X", errMBAP, p.in[:mbapHead])
		}
		whole := mbapHead - 1 + length
		if len(p.in) < whole {
			return nil
		}
		if p.waiting && binary.BigEndian.Uint16(p.in) == p.transaction {
			p.waiting, p.used = false, true
			p.out = append(p.out[:0], p.in[mbapHead-1:whole]...)
			sum := crc16(p.out)
			p.out = append(p.out, byte(sum), byte(sum>>8))
		}
		p.in = append(p.in[:0], p.in[whole:]...)
	}
	return nil
}
