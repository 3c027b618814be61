package modbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Port is what a line needs of a serial port. Read returns (0, nil) after the read timeout, as in go.bug.st/serial, and
// never blocks for longer.
type Port interface {
	io.ReadWriteCloser
	SetReadTimeout(time.Duration) error
}

// DefaultTimeout is how long the first byte of a reply may take if Options have no Timeout. The controllers answer
// within 100 ms; radio links and gateways need more.
const DefaultTimeout = 500 * time.Millisecond

// Options of a Line.
type Options struct {
	Settings Settings             // all waits are computed from its baud rate and character format too
	Open     func() (Port, error) // nil: Dial(Settings)
	Connect  Connect              // of network ports; nil: a TCP connection of the system
	Echo     Echo                 // "": EchoAuto
	Timeout  time.Duration        // first byte of the reply, after the request has left the wire; 0: DefaultTimeout
	Now      func() time.Time     // wall clock that stamps replies; nil: time.Now. Never used to wait
	Sent     func()               // called when a request was given to the port: work done now costs the line no time
	Logger   *slog.Logger         // nil: discard. Frames are logged at debug level only
}

// Line is one Modbus RTU line. One goroutine owns it; only Counters, UnitCounters and Faults may be called from others.
type Line struct {
	settings Settings
	timeout  time.Duration
	now      func() time.Time // wall clock, for stamps; tests may freeze it
	sent     func()           // called after each request; nil: nothing
	log      *slog.Logger
	tally    *tally

	wire   wire
	echoes echoes
	units  units

	ctx      context.Context // of the present call; goburrow's Transporter has no argument for it
	window   window          // the last request, and the bytes since
	request  [8]byte         // the probe being sent
	reply    [maxFrame]byte  // the last answer
	at       time.Time       // wall time of its last byte
	previous previous

	network  bool         // the port is a TCP connection
	tcp      *tcpPort     // a Modbus TCP port; nil: any other
	ids      transactions // of all connections of this line
	others   others       // the replies to another program that came through the gateway
	unaware  bool         // the present read was planned before another program was noticed
	attached time.Time    // when the line was opened last, or connected to a gateway that did not answer
	mute     growing      // until then no new connection because of missing answers
}

// growing is a wait that grows.
type growing struct {
	until time.Time
	wait  time.Duration // the last one
}

// tick returns the present time of the monotonic clock, for all waits and ages.
func tick() time.Time { return time.Now() }

// NewLine returns a closed line; Open opens its port.
func NewLine(o Options) *Line {
	l := &Line{
		settings: o.Settings.withDefaults(),
		timeout:  o.Timeout,
		echoes:   echoes{mode: cmp.Or(o.Echo, EchoAuto)},
		now:      o.Now,
		sent:     o.Sent,
		log:      o.Logger,
		ctx:      context.Background(),
		units:    units{byID: map[byte]*unit{}},
		tally:    &tally{units: map[byte]*account{}},
	}
	if l.timeout <= 0 {
		l.timeout = DefaultTimeout
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.wire = wire{settings: l.settings, dial: o.Open, log: l.log}
	if l.wire.dial == nil {
		connect := o.Connect
		if connect == nil {
			connect = connectTCP
		}
		l.wire.dial = func() (Port, error) { return DialOver(l.settings, connect) }
	}
	return l
}

// Open opens the port if it is closed. The error is that of Options.Open; for a serial port it is an *OpenError. Call
// Open again after any ErrPort.
func (l *Line) Open() error {
	if l.wire.isOpen() {
		return nil
	}
	port, err := l.wire.open()
	if err != nil {
		return err
	}
	again := !l.attached.IsZero()
	l.attach(port)
	switch { // another program may have sent a request meanwhile, or this program before its restart
	case l.ids.proven():
		l.units.expect(0)
	case l.network && l.tcp == nil: // the gateway may still have several requests, a serial line has only one frame
		l.units.distrust()
		l.units.expect(maxUnknown)
	default:
		l.units.distrust()
	}
	if again {
		l.tally.count(lineOnly, func(a *account) { a.Reopens++ })
	}
	return nil
}

// Close closes the port. A closed line can be opened again.
func (l *Line) Close() error { return l.wire.close() }

// SetUnit sets the times of one unit: how long the first byte of its reply may take (0: the line's timeout), and how
// long the line must be silent before a request to it, if this is longer than t3.5.
func (l *Line) SetUnit(unit byte, timeout, gap time.Duration) {
	u := l.unit(unit)
	u.timeout, u.gap = timeout, gap
}

// unit returns what is known of a unit; a new one is distrusted.
func (l *Line) unit(id byte) *unit {
	u := l.units.get(id)
	if u == nil {
		u = newUnit(id, l)
		if !l.ids.proven() {
			u.trust.suspect(tick())
		}
		l.units.add(u)
	}
	return u
}

// Reply is a slave's answer to a read.
type Reply struct {
	Registers []uint16  // as many as requested, from the requested address on; of a bit table 0 or 1 for each bit
	At        time.Time // Options.Now() at the arrival of the last byte
}

// Read asks a unit for count registers (1 to 125) from addr with function 03 or 04, or for 1 to 2000 bits with
// function 01 or 02. Units are 1 to 247, on Modbus TCP 0 and 255 too. 17 to 24 bits take two requests, because one
// reply would look like a request; the planner makes no such reads. Errors are ErrTimeout, ErrFrame, ErrPort,
// ErrRefused, *Exception or the context's, wrapped. It takes at most a few times Options.Timeout plus the frames' time
// on the wire.
func (l *Line) Read(ctx context.Context, unit, function byte, addr, count uint16) (Reply, error) {
	registers, err := l.read(ctx, unit, function, addr, count)
	if err != nil {
		return Reply{}, fmt.Errorf("read unit %d 0x%04X+%d: %w", unit, addr, count, err)
	}
	return Reply{Registers: registers, At: l.at}, nil
}

func (l *Line) read(ctx context.Context, id, function byte, addr, count uint16) ([]uint16, error) {
	l.ctx = ctx
	defer func() { l.ctx = context.Background() }()
	switch {
	case !l.hasUnit(id):
		return nil, fmt.Errorf("%w: %s", ErrRefused, unitIDs)
	case !isRead(function):
		return nil, fmt.Errorf("%w: function code 0x%02X reads no registers", ErrRefused, function)
	case count == 0 || count > most(function):
		return nil, fmt.Errorf("%w: count must be 1 to %d", ErrRefused, most(function))
	}
	u, q := l.unit(id), ask{unit: id, function: function, addr: addr, count: count}
	values := make([]uint16, 0, count)
	if ambiguous(function, count) {
		const first = 16
		part, err := l.readPart(values, u, ask{unit: id, function: function, addr: addr, count: first})
		if err != nil {
			return nil, err
		}
		return l.readPart(part, u, ask{unit: id, function: function, addr: addr + first, count: count - first})
	}
	return l.readPart(values, u, q)
}

// readPart is one read, of registers or bits. It appends them.
func (l *Line) readPart(dst []uint16, u *unit, q ask) ([]uint16, error) {
	values, err := l.unshared(dst, u, q)
	if errors.Is(err, errAware) {
		return l.shared(dst, u, q)
	}
	return values, err
}

// isTCP reports whether the line leads to a Modbus TCP device, open or not.
func (l *Line) isTCP() bool { return strings.HasPrefix(l.settings.Port, schemeTCP) }

// hasUnit reports whether a unit of this id can be on the line.
func (l *Line) hasUnit(id byte) bool { return isUnit(id, l.isTCP()) }

// unitIDs is a text with the valid ids.
const unitIDs = "unit id must be 1 to 247; 0 and 255 are for Modbus TCP (tcp://) only, where they mean the device " +
	"itself"
