package modbus

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

const (
	// adapterSlack is added to every deadline. It is twice 16 ms, the time after which an FTDI adapter passes on a
	// packet that is not full: once for the request and once for the reply.
	adapterSlack = 32 * time.Millisecond
	// ctxInterval is how often a waiting read looks at its context.
	ctxInterval = 100 * time.Millisecond
	// strayFrame is the smallest length of another program's frame, in bytes. Fewer unexpected bytes are errors of a
	// bus driver that changes its direction.
	strayFrame = 5
)

// The kinds of ErrFrame that have their own counters.
var (
	errChecksum  = fmt.Errorf("%w: wrong CRC", ErrFrame)
	errCollision = fmt.Errorf("%w: the request came back changed, so something else was sending", ErrFrame)
	errRival     = fmt.Errorf("%w: another master is asking on this line", ErrFrame)
)

// Send makes the line the Transporter of goburrow's client: it sends one request frame and returns the frame of the
// reply, which may be an exception. The reply is valid until the next call. Every request of this package goes through
// Send. It accepts only a well-formed request of function 01, 02, 03, 04, 0x11 or 0x2B/0x0E to a unit from 1 to 247 (0
// and 255 too on Modbus TCP). Any other request is ErrRefused, before a byte is written.
func (l *Line) Send(adu []byte) ([]byte, error) {
	q, err := parseRequest(adu, l.isTCP())
	if err != nil {
		return nil, err
	}
	u := l.unit(q.unit)
	frame, err := l.ask(u, q, adu)
	if err == nil && !l.ids.proven() && l.previous.repeats(q, frame) {
		// The reply equals, byte by byte, the reply to another address: by chance, or because that frame was sent
		// twice. The line treats it as a repetition, so the real answer may still come. It asks again after a probe.
		u.trust.sent(q.shape(), false, tick())
		frame, err = l.ask(u, q, adu)
	}
	if err != nil {
		return nil, err
	}
	l.previous.keep(q, frame)
	switch {
	case isRead(frame[1]):
		u.keep(q)
	case q.function == FuncEncapsulated && frame[1] == q.function:
		u.named = q
	}
	return frame, nil
}

// ask brings unit and line in step if needed, then sends q. While a reply of the unit may still come that looks like
// the answer, ask sends probes to the unit first.
func (l *Line) ask(u *unit, q ask, adu []byte) ([]byte, error) {
	if !l.network {
		u.trust.forget(tick().Add(-u.patience(l.timeout) - lostAfter))
	}
	var refusal *Exception // of the last probe
	for try := 0; ; try++ {
		if err := l.hush(u); err != nil {
			return nil, err
		}
		switch {
		case l.unaware && l.rivalNear():
			return nil, errAware
		case u.trust.ready(q.shape()), try == maxProbes && !u.trust.blocked(q.shape()):
			return l.exchangeOver(u, q, adu, false)
		case try == maxProbes && refusal != nil:
			return nil, refusal
		case try == maxProbes:
			return nil, unasked{fmt.Errorf("%w: out of step with the slave after %d probes", ErrFrame, maxProbes)}
		}
		probe := u.trust.probe(q.shape(), u.probes(q, &l.others, tick()), u.proofs(), try)
		frame, err := l.exchangeOver(u, probe, probe.appendRequest(l.request[:0]), true)
		if err != nil {
			return nil, unasked{err} // the slave has not answered a probe; q was not sent
		}
		refusal = l.openRefusal(q, frame)
		switch {
		case refusal == nil && (isRead(probe.function) || frame[1]&exceptionBit == 0):
			u.proved(probe)
		case refusal == nil: // the slave does not know the identification
		case refusal.Code != deviceFailure:
			return nil, refusal // the exception is of the whole device
		}
	}
}

// exchangeOver is exchange, and a second exchange over a new connection if the gateway has closed the present one. A
// connection on which no unit answers any more is also replaced, for the next request.
func (l *Line) exchangeOver(u *unit, q ask, adu []byte, probe bool) ([]byte, error) {
	frame, err := l.exchange(u, q, adu, probe)
	if l.wire.canRedial(err) {
		if err := l.redial(); err != nil {
			return nil, err
		}
		// A gateway may send replies for another program to the newest connection, which is ours now.
		if l.attached = tick(); l.unaware && l.early() {
			return nil, errAware
		}
		if err := l.hush(u); err != nil {
			return nil, err
		}
		frame, err = l.exchange(u, q, adu, probe)
	}
	if errors.Is(err, ErrTimeout) {
		err = cmp.Or(l.unmute(), err)
	}
	return frame, err
}

// hush waits until no bytes are expected on the line any more: until the time of each late reply is over, and then
// until the silence of t3.5, or of the unit's own gap, is over. It discards bytes that come meanwhile.
func (l *Line) hush(u *unit) error {
	if !l.wire.isOpen() {
		return fmt.Errorf("%w: not open", ErrPort)
	}
	if l.drained() && u.gap == 0 {
		return l.ctx.Err()
	}
	silence := max(l.silence(), u.gap)
	limit := l.wire.notBefore(tick()).Add(silence + l.timeout + l.settings.WireTime(maxFrame))
	discarded, redialled := l.window.begun, false
	l.window.reset(ask{}, nil)
	l.window.have = discarded
	defer func() {
		l.overhear(true)
		l.discarded(discarded)
	}()
	for {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		now := tick()
		if now.After(limit) {
			return fmt.Errorf("%w: the line does not fall silent", ErrFrame)
		}
		ready := l.wire.notBefore(l.wire.last().Add(silence))
		wait := max(0, min(ready.Sub(now), ctxInterval))
		n, err := l.wire.read(l.window.space(maxFrame), wait)
		l.tally.ended(err)
		switch {
		case !redialled && l.wire.canRedial(err): // the gateway closed an idle connection
			redialled = true
			if err := l.redial(); err != nil {
				return err
			}
			limit = limit.Add(l.settings.ConnectDelay)
			if ready := l.wire.notBefore(limit); ready.After(limit) {
				limit = ready.Add(silence)
			}
		case err != nil:
			return err
		case n > 0:
			discarded += n
			l.window.have += n
			l.overhear(false)
		case wait == 0: // the silence is over and nothing is left in any buffer
			return nil
		}
	}
}

// drainedFor is how long a port counts as empty after it was read until it was empty.
const drainedFor = time.Millisecond

// drained reports whether the port was empty a moment ago, and need not be read before the next request. This is only
// for lines on which ids prove what a reply is. There a read could find only another program's reply or the end of the
// connection, and both are also noticed after the request. The read would cost a tenth of a round trip over loopback.
func (l *Line) drained() bool {
	return l.ids.proven() && l.tcp.spent() && tick().Sub(l.wire.last()) < drainedFor
}

// silence returns the pause between two frames: t3.5, or 0 if the port separates frames in another way.
func (l *Line) silence() time.Duration {
	if l.tcp != nil {
		return 0
	}
	return l.settings.Silence()
}

// overhear handles frames that came while no request waited for an answer.
func (l *Line) overhear(final bool) {
	for {
		frame := l.window.next(final)
		if frame == nil {
			return
		}
		l.stranger(frame)
		l.window.drop(len(frame))
	}
}

// stranger counts a whole frame that is not the answer, and reports whether the frame was expected: a late reply to our
// own request is expected. Any other frame means that another program sends requests on this line. Replies to it look
// like replies to us.
func (l *Line) stranger(frame []byte) (expected bool) {
	request := isRequest(frame) && l.tcp == nil
	l.tally.count(lineOnly, func(a *account) {
		a.ForeignFrames++
		if request {
			a.Rivals++
		}
	})
	again := l.network && l.previous.again(frame[:len(frame)-2])
	u := l.units.get(frame[0])
	switch {
	case request:
		if u != nil {
			u.trust.overheard(tick())
		}
		return false
	case u != nil && u.trust.owes(frame):
		l.owing(u, frame)
		return true
	case u != nil && u.trust.unknown > 0 && !l.others.any():
		if s, ok := shapeOf(frame); ok && l.network {
			l.others.mark(s, tick())
		}
		if l.network && l.window.sent != nil {
			l.unfit(frame)
		}
		return true
	default:
		switch {
		case l.network && !again:
			l.unasked(u, frame)
		case l.network && l.window.sent != nil && !l.previous.is(frame[:len(frame)-2]): // the same error again
			l.unfit(frame)
		}
		l.suspect()
		return false
	}
}

// suspect makes the line distrust all units after a frame that we did not ask for, when the present exchange is over.
// This is not for another program that is known to use the gateway: it causes such frames at any time, so probes would
// not help. shared.go handles this case.
func (l *Line) suspect() {
	if !l.rivalNear() {
		l.units.suspect()
	}
}

// discarded counts bytes that no request waited for. If the bytes are as long as a frame, and no unanswered request
// explains them, another device sent them: a master, a repeater. The line then distrusts every unit. Frames that the
// port itself drops are not counted.
func (l *Line) discarded(n int) {
	if n > 0 {
		l.tally.count(lineOnly, func(a *account) { a.DiscardedBytes += uint64(n) })
		l.log.Debug("discarded bytes", "port", l.settings.Port, "bytes", n)
	}
	if l.window.skipped >= strayFrame && !l.units.owe() {
		l.units.suspect()
	}
	l.units.distrustNew()
}

// exchange sends a request on the silent line, and returns its answer or exception. The deadline is absolute: a slave
// that sends byte by byte cannot block the line.
func (l *Line) exchange(u *unit, q ask, adu []byte, probe bool) ([]byte, error) {
	start := tick()
	l.tally.count(int(u.id), func(a *account) {
		a.Requests++
		if probe {
			a.Probes++
		}
	})
	u.trust.sent(q.shape(), probe, start) // from the first byte on: the slave may answer even an incomplete request
	l.window.reset(q, adu)
	l.window.widened = l.rivalNear()
	if err := l.wire.write(adu, start); err != nil {
		return nil, err
	}
	if l.sent != nil {
		l.sent()
	}
	frame, err := l.await(u, l.wire.last())
	l.account(u, start)
	if err == nil {
		l.answered(u, q, frame)
	} else {
		u.missedAt = start
		err = l.miss(u, q, err)
		if probe {
			u.trust.unanswered(errors.Is(err, ErrTimeout))
			u.drop(q)
		}
	}
	l.units.distrustNew()
	return frame, err
}

// account counts the bus time of an exchange, and the bytes that came in addition to the answer.
func (l *Line) account(u *unit, start time.Time) {
	w := &l.window
	l.tally.count(int(u.id), func(a *account) {
		a.BusTime += tick().Sub(start) + l.silence()
		a.DiscardedBytes += uint64(w.skipped)
		if w.echoed {
			a.Echoes++
		}
	})
	if echo, changed := l.echoes.learn(w); changed {
		l.log.Info("echo of the own requests", "port", l.settings.Port, "echo", echo)
	}
}

// answered counts the answer, and ends the doubts that the answer disproves.
func (l *Line) answered(u *unit, q ask, frame []byte) {
	u.silent, u.late, l.mute = 0, 0, growing{}
	refused := frame[1]&exceptionBit != 0
	if isRead(frame[1]) {
		u.misfits = false
	}
	switch {
	case !refused:
		u.trust.answered(q.shape())
	case l.openRefusal(q, frame) != nil:
		u.missedAt, u.trust.silent = l.window.asked, 0
	case l.ids.ambiguous() && l.others.any(): // the answer may be for another program, and proves nothing
		u.trust.silent = 0
	default:
		u.trust.refused(q.function)
	}
	l.tally.count(int(u.id), func(a *account) {
		a.Replies++
		a.turnaround(l.window.began.Sub(l.window.asked) - l.settings.CharTime())
		a.Rivals += uint64(l.window.surplus)
		if refused {
			a.exception(frame[2])
		}
		if l.window.skipped > 0 {
			a.Resyncs++
		}
	})
	if refused {
		l.tally.failed(l.window.fault(&Exception{Function: q.function, Code: frame[2]}), tick())
	}
}

// miss counts a failed exchange. It keeps the line silent until a late reply, if it begins now, would be over.
func (l *Line) miss(u *unit, q ask, err error) error {
	if errors.Is(err, ErrPort) {
		l.tally.ended(err)
		return err
	}
	err = l.window.named(u.late, err)
	l.tally.failed(l.window.fault(err), tick())
	u.missedAt, u.misfits = l.window.asked, errors.Is(err, ErrLength)
	if l.tcp == nil {
		l.wire.quiet(tick().Add(adapterSlack + l.settings.WireTime(q.replyChars())))
	}
	l.tally.count(int(u.id), func(a *account) {
		switch {
		case errors.Is(err, ErrTimeout):
			a.Timeouts++
		case errors.Is(err, errChecksum):
			a.CRCErrors++
		case errors.Is(err, ErrFrame):
			a.FrameErrors++
		}
		if errors.Is(err, errCollision) {
			a.Collisions++
		}
	})
	if errors.Is(err, ErrTimeout) {
		u.silent++
		if gone := l.wire.checkName(); gone != nil {
			return gone
		}
	}
	l.log.Debug("exchange failed", "port", l.settings.Port, "unit", q.unit, "function", q.function, "err", err)
	return err
}
