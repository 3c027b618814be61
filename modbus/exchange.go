package modbus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// adapterSlack is added to every deadline: twice the 16 ms after which an FTDI adapter hands
	// over a packet that is not full, once for the request's way and once for the reply's.
	adapterSlack = 32 * time.Millisecond
	// ctxInterval is how often a waiting read looks at its context.
	ctxInterval = 100 * time.Millisecond
	// strayFrame is the least that somebody else's frame can be. Fewer stray bytes are glitches
	// of a bus driver turning around.
	strayFrame = 5
)

// Send makes the line the Transporter of goburrow's client: it sends one request frame and
// returns the reply's, an exception included. The reply is valid until the next call. All that ever leaves
// this package goes through here, and anything but a well-formed request of function 03, 04, 0x11 or
// 0x2B/0x0E to a unit from 1 to 247 is ErrRefused before a byte is written.
func (l *Line) Send(adu []byte) ([]byte, error) {
	q, err := parseRequest(adu)
	if err != nil {
		return nil, err
	}
	u := l.unit(q.unit)
	frame, err := l.ask(u, q, adu)
	if err == nil && l.repeats(q, frame) {
		// Byte for byte the answer to another address: chance, or that frame sent twice. Take this
		// one for the repetition, so that the answer may still come, and ask again behind a probe.
		u.trust.sent(q.shape(), false)
		frame, err = l.ask(u, q, adu)
	}
	if err != nil {
		return nil, err
	}
	l.previous.q, l.previous.frame = q, append(l.previous.frame[:0], frame...)
	if isRead(frame[1]) {
		u.good = q
	}
	return frame, nil
}

// repeats reports whether frame is the very one that answered the request before, though that
// asked for something else. Exceptions name no address and are alike anyway.
func (l *Line) repeats(q ask, frame []byte) bool {
	return q != l.previous.q && frame[1]&exceptionBit == 0 && bytes.Equal(frame, l.previous.frame)
}

// ask brings unit and line in step if they may not be, then asks q. A unit that something is still
// expected from is probed until nothing is, or at least nothing that looks like the answer.
func (l *Line) ask(u *unit, q ask, adu []byte) ([]byte, error) {
	for try := 0; ; try++ {
		if err := l.hush(); err != nil {
			return nil, err
		}
		switch {
		case u.trust.ready(q.shape()), try == maxProbes && !u.trust.blocked(q.shape()):
			return l.exchange(u, q, adu, false)
		case try == maxProbes:
			return nil, fmt.Errorf("%w: out of step with the slave after %d probes", ErrFrame, maxProbes)
		}
		probe := u.trust.probe(q, u.good, try)
		if _, err := l.exchange(u, probe, probe.appendRequest(l.request[:0]), true); err != nil {
			return nil, fmt.Errorf("resync: %w", err)
		}
	}
}

// hush waits until nothing more is to be expected on the line: until any late reply has had
// its time, and then until t3.5 have passed since the last byte. What comes meanwhile is discarded.
func (l *Line) hush() error {
	if l.port == nil {
		return fmt.Errorf("%w: not open", ErrPort)
	}
	limit := l.tick()
	if l.quietUntil.After(limit) {
		limit = l.quietUntil
	}
	limit = limit.Add(l.timeout + l.settings.WireTime(maxFrame))
	discarded := 0
	defer func() { l.discard(discarded) }()
	for {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		now := l.tick()
		if now.After(limit) {
			return fmt.Errorf("%w: the line does not fall silent", ErrFrame)
		}
		ready := l.lastByte.Add(l.settings.Silence())
		if l.quietUntil.After(ready) {
			ready = l.quietUntil
		}
		wait := max(0, min(ready.Sub(now), ctxInterval))
		n, err := l.readPort(l.scratch[:], wait)
		switch {
		case err != nil:
			return err
		case n > 0:
			discarded += n
		case wait == 0: // the silence is over and nothing is left in any buffer
			return nil
		}
	}
}

// discard counts bytes that nobody waited for. A frame's worth of them that no unanswered request
// explains is somebody else's: another master, a repeater. Distrust everybody.
func (l *Line) discard(n int) {
	if n == 0 {
		return
	}
	l.count(func(c *Counters) { c.DiscardedBytes += uint64(n) })
	l.log.Debug("discarded bytes", "port", l.settings.Port, "bytes", n)
	if n < strayFrame {
		return
	}
	for _, u := range l.units {
		if len(u.trust.debts) > 0 {
			return
		}
	}
	l.distrust()
}

// exchange sends a request on the silent line and returns its answer or exception. The deadline is
// absolute: no slave can hold the line by dribbling.
func (l *Line) exchange(u *unit, q ask, adu []byte, probe bool) ([]byte, error) {
	start := l.tick()
	l.count(func(c *Counters) {
		c.Requests++
		if probe {
			c.Probes++
		}
	})
	u.trust.sent(q.shape(), probe) // from the first byte on; a torn request may be answered too
	n, err := l.port.Write(adu)
	if err == nil && n < len(adu) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return nil, l.portFault("write", err)
	}
	l.lastByte = start.Add(l.settings.WireTime(len(adu)))
	first := l.lastByte.Add(l.timeout + adapterSlack)
	last := first.Add(l.settings.WireTime(q.replyChars()))

	frame, kind, err := l.await(q, first, last)
	l.count(func(c *Counters) { c.BusTime += l.tick().Sub(start) + l.settings.Silence() })
	if err != nil {
		return nil, l.miss(u, q, err)
	}
	u.settle(q, kind)
	l.count(func(c *Counters) {
		c.Replies++
		if kind == exception {
			c.Exceptions++
		}
	})
	return frame, nil
}

func (u *unit) settle(q ask, kind verdict) {
	if kind == exception {
		u.trust.refused(q.function)
		return
	}
	u.trust.answered(q.shape())
}

// miss counts a failed exchange and keeps the line quiet until the reply, were it on its way,
// has passed.
func (l *Line) miss(u *unit, q ask, err error) error {
	l.quietUntil = l.tick().Add(l.timeout + l.settings.WireTime(q.replyChars()))
	l.count(func(c *Counters) {
		switch {
		case errors.Is(err, ErrTimeout):
			c.Timeouts++
		case errors.Is(err, errChecksum):
			c.CRCErrors++
		case errors.Is(err, ErrFrame):
			c.FrameErrors++
		}
	})
	if errors.Is(err, ErrTimeout) {
		u.trust.silent++
	}
	l.log.Debug("exchange failed", "port", l.settings.Port, "unit", q.unit, "function", q.function, "err", err)
	return err
}

// errChecksum is the ErrFrame that CRCErrors counts.
var errChecksum = fmt.Errorf("%w: wrong CRC", ErrFrame)

// await listens for the answer to q: its first byte until first, all of it until last.
// Well-formed frames that are not the answer are passed over in the same window; anything
// else ends it, since where the next frame begins cannot be known then.
func (l *Line) await(q ask, first, last time.Time) ([]byte, verdict, error) {
	for {
		frame, err := l.receive(first, last)
		if err != nil {
			return nil, 0, err
		}
		switch kind := judge(q, frame); kind {
		case answer, exception:
			return frame, kind, nil
		case damaged:
			return nil, 0, fmt.Errorf("%w in % X", errChecksum, frame[:min(len(frame), 16)])
		case foreign:
			l.count(func(c *Counters) { c.ForeignFrames++ })
			l.log.Debug("not the answer", "port", l.settings.Port, "unit", q.unit, "frame", fmt.Sprintf("% X", frame))
		}
	}
}

// receive reads one frame, exactly as long as its head says it is.
func (l *Line) receive(first, last time.Time) ([]byte, error) {
	have := 0
	for {
		need, whole, err := replyNeed(l.buf[:have])
		if err != nil {
			return nil, fmt.Errorf("%w: % X begins none", ErrFrame, l.buf[:have])
		}
		for have < need {
			deadline := last
			if have == 0 {
				deadline = first
			}
			n, err := l.readUntil(l.buf[have:need], deadline)
			if err != nil {
				return nil, err
			}
			if n == 0 && have == 0 {
				return nil, ErrTimeout
			}
			if n == 0 {
				return nil, fmt.Errorf("%w: torn after %d bytes", ErrFrame, have)
			}
			have += n
		}
		if whole {
			l.at = l.now()
			return l.buf[:have], nil
		}
	}
}

// readUntil reads at least a byte, or returns 0 once the deadline has passed. What already is in
// the buffer then is still taken.
func (l *Line) readUntil(p []byte, deadline time.Time) (int, error) {
	for {
		if err := l.ctx.Err(); err != nil {
			return 0, err
		}
		wait := max(0, min(deadline.Sub(l.tick()), ctxInterval))
		n, err := l.readPort(p, wait)
		if n > 0 || err != nil || wait == 0 {
			return n, err
		}
	}
}

// readPort is one read of the port that lasts at most wait.
func (l *Line) readPort(p []byte, wait time.Duration) (int, error) {
	if err := l.port.SetReadTimeout(wait); err != nil {
		return 0, l.portFault("set read timeout", err)
	}
	n, err := l.port.Read(p)
	if err != nil {
		return 0, l.portFault("read", err)
	}
	if n > 0 {
		l.lastByte = l.tick()
	}
	return n, nil
}

// portFault closes the port: nothing but a reopen helps, and an adapter that was pulled out gets its
// old name back only when nobody holds it any more.
func (l *Line) portFault(doing string, err error) error {
	port := l.port
	l.port = nil
	fault := fmt.Errorf("%w: %s: %w", ErrPort, doing, err)
	if cerr := port.Close(); cerr != nil {
		l.log.Debug("close failed port", "port", l.settings.Port, "err", cerr)
	}
	return fault
}
