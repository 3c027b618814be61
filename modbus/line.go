package modbus

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	goburrow "github.com/goburrow/modbus"
)

// Port is what a line needs of a serial port. Read returns (0, nil) when the read timeout has
// passed, as go.bug.st/serial has it, and blocks no longer than that.
type Port interface {
	io.ReadWriteCloser
	SetReadTimeout(time.Duration) error
}

// DefaultTimeout is how long the first byte of a reply may take when Options say nothing. The
// controllers answer within 100 ms; radio links and gateways need more.
const DefaultTimeout = 500 * time.Millisecond

// Options of a Line.
type Options struct {
	Settings Settings             // also the pace that all waiting is computed from
	Open     func() (Port, error) // nil: Dial(Settings)
	Echo     Echo                 // "": EchoAuto
	Timeout  time.Duration        // first byte of the reply, after the request has left the wire; 0: DefaultTimeout
	Now      func() time.Time     // wall clock that stamps replies; nil: time.Now. Never used to wait
	Logger   *slog.Logger         // nil: discard. Frames are logged at debug level only
}

// Echo says whether requests come back before their replies, as on two-wire adapters that hear themselves.
type Echo string

// The kinds. Whatever is expected, an echo is never taken for a reply.
const (
	EchoAuto Echo = "auto" // find out; the same as ""
	EchoOn   Echo = "on"   // a reply without one was disturbed
	EchoOff  Echo = "off"  // one is not expected, and means nothing
)

// Line is one Modbus RTU line. One goroutine owns it; only Counters and UnitCounters may be called from others.
type Line struct {
	settings Settings
	timeout  time.Duration
	echo     Echo
	open     func() (Port, error)
	now      func() time.Time // wall clock, for stamps
	tick     func() time.Time // monotonic clock, for waiting; tests may freeze the other one
	log      *slog.Logger

	port       Port
	matches    bool // the port itself matches replies with requests: nothing need be distrusted
	opened     bool
	echoes     bool // the line echoes, as far as is known
	echoRun    int  // exchanges in a row that say so, up to echoSure
	suspicious bool // somebody else speaks on the line
	units      map[byte]*unit

	lastByte   time.Time       // when something was last seen or sent
	quietUntil time.Time       // until then a late reply may come: send nothing
	ctx        context.Context // of the call in hand; goburrow's Transporter has no place for it
	asked      time.Time       // when the last request had left the wire
	began      time.Time       // when the last reply's first byte was seen
	at         time.Time       // wall time of the last reply's last byte
	window     window          // what has come since the last request
	reply      [maxFrame]byte  // the last answer
	request    [8]byte         // the probe being sent
	previous   previous

	tally tally
}

// unit is one slave as the line knows it.
type unit struct {
	id     byte
	client goburrow.Client
	encode goburrow.Packager
	trust  trust
	good   ask // the last read that was answered with registers

	timeout time.Duration // of the first byte; 0: the line's
	gap     time.Duration // least silence before a request; t3.5 counts where it is longer
}

// previous is the last answer taken, to know a repetition by.
type previous struct {
	q     ask
	frame []byte
}

// NewLine returns a closed line; Open opens its port.
func NewLine(o Options) *Line {
	l := &Line{
		settings: o.Settings.withDefaults(),
		timeout:  o.Timeout,
		echo:     cmp.Or(o.Echo, EchoAuto),
		open:     o.Open,
		now:      o.Now,
		tick:     time.Now,
		log:      o.Logger,
		ctx:      context.Background(),
		units:    map[byte]*unit{},
		tally:    tally{units: map[byte]*account{}},
	}
	if l.timeout <= 0 {
		l.timeout = DefaultTimeout
	}
	if l.open == nil {
		l.open = func() (Port, error) { return Dial(l.settings) }
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	return l
}

// Open opens the port unless it is open. The error is that of Options.Open, an *OpenError for a
// serial port. Call it again after any ErrPort.
func (l *Line) Open() error {
	if l.port != nil {
		return nil
	}
	port, err := l.open()
	if err != nil {
		return err
	}
	l.port, l.lastByte = port, l.tick()
	m, ok := port.(interface{ Matches() bool })
	l.matches = ok && m.Matches()
	// Somebody else may have asked something meanwhile, or we ourselves in an earlier life.
	l.distrust()
	if l.opened {
		l.tally.count(0, func(a *account) { a.Reopens++ })
	}
	l.opened = true
	return nil
}

// Close closes the port. A closed line can be opened again.
func (l *Line) Close() error {
	if l.port == nil {
		return nil
	}
	port := l.port
	l.port = nil
	if err := port.Close(); err != nil {
		return fmt.Errorf("close %s: %w", l.settings.Port, err)
	}
	return nil
}

// SetUnit gives a unit (1 to 247) limits of its own: how long the first byte of its reply may take, 0 for the line's
// timeout, and how long the line must have been silent before it is asked, which counts where it is longer than t3.5.
func (l *Line) SetUnit(unit byte, timeout, gap time.Duration) {
	u := l.unit(unit)
	u.timeout, u.gap = timeout, gap
}

// unit returns what is known of a unit; a new one is distrusted.
func (l *Line) unit(id byte) *unit {
	u := l.units[id]
	if u == nil {
		// The handler's own serial transporter stays unused; NewRTUClientHandler is the only
		// way to its packager.
		handler := goburrow.NewRTUClientHandler("")
		handler.SlaveId = id
		u = &unit{id: id, client: goburrow.NewClient2(handler, l), encode: handler}
		u.trust.suspect()
		l.units[id] = u
	}
	return u
}

// Reply is what a slave answered to a read.
type Reply struct {
	Registers []uint16  // as many as were asked, the first one at the address asked; of a bit table 0 or 1 for each bit
	At        time.Time // Options.Now() at the arrival of the last byte
}

// Read asks unit (1 to 247) for count (1 to 125) registers from addr, with function 03 or 04, or for 1 to 2000 bits with function 01 or
// 02. 17 to 24 bits take two requests, since their reply would look like a request (the planner has no such reads). Errors
// are ErrTimeout, ErrFrame, ErrPort, ErrRefused, *Exception or the context's, wrapped. It takes at most
// a few times Options.Timeout plus the frames' time on the wire.
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
	case id == 0 || id > maxUnit:
		return nil, fmt.Errorf("%w: unit id must be 1 to %d", ErrRefused, maxUnit)
	case !isRead(function):
		return nil, fmt.Errorf("%w: function code 0x%02X reads no registers", ErrRefused, function)
	case count == 0 || count > most(function):
		return nil, fmt.Errorf("%w: count must be 1 to %d", ErrRefused, most(function))
	}
	values := make([]uint16, 0, count)
	if ambiguous(function, count) {
		const first = 16
		part, err := l.readPart(values, id, function, addr, first)
		if err != nil {
			return nil, err
		}
		return l.readPart(part, id, function, addr+first, count-first)
	}
	return l.readPart(values, id, function, addr, count)
}

// readPart is one request. It appends the registers, or 0 or 1 for each bit.
func (l *Line) readPart(dst []uint16, id, function byte, addr, count uint16) ([]uint16, error) {
	request := goburrow.Client.ReadInputRegisters
	switch function {
	case FuncReadCoils:
		request = goburrow.Client.ReadCoils
	case FuncReadDiscrete:
		request = goburrow.Client.ReadDiscreteInputs
	case FuncReadHolding:
		request = goburrow.Client.ReadHoldingRegisters
	}
	p, err := request(l.unit(id).client, addr, count)
	var refusal *goburrow.ModbusError
	if errors.As(err, &refusal) {
		return nil, &Exception{Function: function, Code: refusal.ExceptionCode}
	}
	if err != nil {
		return nil, err
	}
	want := ask{function: function, count: count}.shape().bytes()
	if len(p) != want { // Send has checked it; this is the last gate before a value
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrFrame, len(p), want)
	}
	for i := range int(count) {
		if ofBits(function) {
			dst = append(dst, uint16(p[i/8]>>(i%8)&1)) // §6.1: the first one is the lowest bit of the first byte
		} else {
			dst = append(dst, binary.BigEndian.Uint16(p[2*i:]))
		}
	}
	return dst, nil
}
