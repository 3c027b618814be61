package modbus

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A network line has two dangers that a serial one has not: connections that end or go mute, and gateways that give
// one client's reply to another. This file has what the line does about both.

// The kinds of a frame that came instead of the answer. They wrap ErrFrame or ErrTimeout.
var (
	// ErrForeignID: the device answered with a transaction id that is not the request's.
	ErrForeignID = fmt.Errorf("%w: it answers with another transaction id", ErrFrame)
	// ErrForeignUnit: the device answered with another unit id.
	ErrForeignUnit = fmt.Errorf("%w: it answers for another unit", ErrFrame)
	// ErrLength: the answer has another number of registers than the request.
	ErrLength = fmt.Errorf("%w: the answer has another length", ErrFrame)
	// ErrShared: another program gets replies through the same gateway, and this reply may be for it.
	ErrShared = fmt.Errorf("%w: the reply may be for another program that uses this gateway", ErrFrame)
	// ErrLate: no answer came in time, and the answer to an earlier request came after its timeout.
	ErrLate = fmt.Errorf("%w: it answers too late", ErrTimeout)
)

// redialer is a port that can replace its connection.
type redialer interface{ redial() error }

// attach takes what kind of port the line has got.
func (l *Line) attach(port Port) {
	l.port, l.gone = port, nil
	l.lastByte, l.attached = l.tick(), l.tick()
	l.tcp, _ = port.(*tcpPort)
	if l.tcp != nil {
		l.tcp.ids, l.tcp.stray = &l.ids, l.astray
		l.ids.dial++
	}
	_, l.network = port.(redialer)
	l.window.framed = l.tcp != nil
	l.leaveAlone()
}

// distrustGateway takes several replies for on their way after a gateway without ids was connected to: its memory holds
// what was asked before, while a serial line holds one frame.
func (l *Line) distrustGateway() {
	if !l.network || l.tcp != nil {
		return
	}
	for _, u := range l.units {
		u.trust.unknown = maxUnknown
	}
}

// leaveAlone gives a device the time after connecting in which it is not to be asked.
func (l *Line) leaveAlone() {
	if until := l.tick().Add(l.settings.ConnectDelay); l.settings.ConnectDelay > 0 && until.After(l.quietUntil) {
		l.quietUntil = until
	}
}

// proven reports whether the port itself matches replies with requests, so that nothing need be distrusted at first
// sight.
func (l *Line) proven() bool { return l.tcp != nil && !l.tcp.loose && !l.crossed }

// ambiguous reports whether a reply with the right id, if there are ids at all, may still be another program's.
func (l *Line) ambiguous() bool { return l.tcp == nil || l.tcp.loose || l.doubled }

// redial makes a new connection after the port has failed. Gateways end connections that idle, and some devices do
// after each reply: that is no fault. The port is closed when it fails.
func (l *Line) redial() error {
	port := l.gone
	l.gone = nil
	r, ok := port.(redialer)
	if !ok {
		return fmt.Errorf("%w: not open", ErrPort)
	}
	if err := r.redial(); err != nil {
		return fmt.Errorf("%w: %w", ErrPort, err)
	}
	l.port, l.lastByte = port, l.tick()
	for _, u := range l.units {
		if u.silent > 0 { // the gateway may have served another client only, whose replies may come now
			l.attached = l.lastByte
		}
	}
	l.leaveAlone()
	l.others.losses++
	l.tally.count(lineOnly, func(a *account) { a.Redials++ })
	l.log.Debug("connected again", "port", l.settings.Port)
	return nil
}

// canRedial reports whether err has cost the connection, and whether a new one may be had at once.
func (l *Line) canRedial(err error) bool {
	return errors.Is(err, ErrPort) && l.gone != nil && l.network
}

const (
	// muteAfter is how many exchanges in a row every unit must leave unanswered before the connection counts as mute:
	// some gateways keep a connection open that they no longer serve.
	muteAfter = 3
	muteFirst = 10 * time.Second // the wait before the next new connection, twice as long each time
	muteLimit = 5 * time.Minute
)

// unmute replaces the connection of a network line on which no unit answers any more.
func (l *Line) unmute() error {
	if !l.network || l.port == nil || l.tick().Before(l.mute.until) {
		return nil
	}
	for _, u := range l.units {
		if u.silent < muteAfter {
			return nil
		}
	}
	l.mute.wait = min(max(2*l.mute.wait, muteFirst), muteLimit)
	l.mute.until = l.tick().Add(l.mute.wait)
	l.gone, l.port = l.port, nil
	return l.redial()
}

// astray takes a frame that the Modbus TCP port did not take for the answer: counts it, and keeps the reason for the
// case that no answer comes.
func (l *Line) astray(s stray) {
	q := l.window.q
	l.tally.count(l.askedUnit(), func(a *account) {
		a.ForeignFrames++
		switch s.sort {
		case strayID:
			a.ForeignIDs++
		case strayMisfit:
			a.misfit(q, s.frame)
		}
	})
	l.others.misnamed(q, s.frame)
	l.window.hear(s.frame)
	l.log.Debug("not the answer", "port", l.settings.Port, "asked", q, "id", s.id, "frame", s.frame)
	again := l.repetition(s.frame) || l.tcp.repeats(s.frame)
	u := l.units[s.frame[0]]
	switch late := u != nil && len(s.frame) > 2 && u.trust.owes(s.frame); {
	case s.sort == strayLate:
		l.late(u, s.after)
		return
	case s.sort == strayMisfit && late && l.tcp.loose: // a strict id says which request it belongs to
		l.late(u, l.tick().Sub(u.missedAt))
		return
	case s.sort == strayMisfit && l.company(): // the other program has our id
		l.doubled = true
		l.rival(s.frame)
		l.refusal = misfit(q, s.frame)
	case s.sort == strayMisfit:
		l.refusal = misfit(q, s.frame)
	case s.sort == strayID && s.fits: // the device errs, unless the answer comes as well
		l.window.surplus++
		l.refusal = fmt.Errorf("%w: it is 0x%04X, the request's is 0x%04X", ErrForeignID, s.id, l.ids.newest().id)
	case s.sort == strayMoved: // our own answer, but over another connection
	case s.sort == strayDouble && again && !l.tcp.loose: // its id keeps it from being taken for the next answer
		return
	case s.sort == strayDouble && again:
	default:
		l.doubled = l.doubled || s.sort == strayDouble
		l.rival(s.frame)
	}
	l.crossed = true
	l.suspect()
}

// askedUnit is the unit that an answer is waited for from, lineOnly when none is.
func (l *Line) askedUnit() int {
	if l.window.sent == nil {
		return lineOnly
	}
	return int(l.window.q.unit)
}

// repetition reports whether a frame without its checksum is the last answer once more, or the last one that was none.
func (l *Line) repetition(body []byte) bool {
	again := l.previous.is(body) || bytes.Equal(body, l.strayed)
	l.strayed = append(l.strayed[:0], body...)
	return again
}

// is reports whether a frame without its checksum is the last answer once more.
func (p *previous) is(body []byte) bool {
	n := len(p.frame) - 2
	return n > 0 && bytes.Equal(body, p.frame[:n])
}

// rival notes a reply to another program, whichever unit it is of: the program may ask our units as well.
func (l *Line) rival(frame []byte) {
	l.tally.count(lineOnly, func(a *account) { a.Rivals++ })
	if len(frame) < 3 {
		return
	}
	if s, ok := shapeOf(frame); ok {
		l.others.note(s, l.tick())
	}
}

// unasked takes a whole RTU frame through a gateway that no request of ours explains.
func (l *Line) unasked(u *unit, frame []byte) {
	if l.window.sent == nil {
		l.rival(frame)
		return
	}
	// It may be a device that errs, or another program's: the answer will show.
	l.window.surplus++
	l.unfit(frame)
	if s, ok := shapeOf(frame); ok && u != nil {
		l.others.note(s, l.tick())
	}
}

// unfit keeps why a frame is not the answer that is waited for, and counts it.
func (l *Line) unfit(frame []byte) {
	q := l.window.q
	l.others.misnamed(q, frame)
	if l.refusal != nil {
		return
	}
	l.refusal = misfit(q, frame)
	l.tally.count(int(q.unit), func(a *account) { a.misfit(q, frame) })
}

// misfit says how a frame differs from the answer to q.
func misfit(q ask, frame []byte) error {
	s, ok := shape{}, false
	if len(frame) > 2 {
		s, ok = shapeOf(frame)
	}
	switch {
	case frame[0] != q.unit:
		return fmt.Errorf("%w: unit %d was asked, unit %d is in the answer", ErrForeignUnit, q.unit, frame[0])
	case ok && isRead(q.function) && s == q.shape():
		return fmt.Errorf("%w: %d bytes came in a frame whose byte count says %d", ErrLength, len(frame)-3, frame[2])
	case ok && ofRegisters(q.function) && s.function == q.function:
		return fmt.Errorf("%w: %d registers were asked for, %d came", ErrLength, q.count, s.count)
	case ok && ofBits(q.function) && s.function == q.function:
		return fmt.Errorf("%w: %d bytes of bits were asked for, %d came", ErrLength, q.shape().count, s.count)
	default:
		return fmt.Errorf("%w: function %02X was asked, % X is no answer to it", ErrLength, q.function,
			frame[1:min(len(frame), 8)])
	}
}

// deviceFailure is the exception that may be one register's, unlike the others that leave a request open.
const deviceFailure = 0x04

// openRefusal returns the exception in a reply through a gateway that leaves the request open; nil when there is none.
// It may be the gateway's own, which has given up waiting: the device's reply may still come, and some gateways take it
// for that to the next request.
func (l *Line) openRefusal(q ask, frame []byte) *Exception {
	if !l.network || frame[1]&exceptionBit == 0 ||
		!slices.Contains([]byte{deviceFailure, 0x05, 0x06, 0x0A, 0x0B}, frame[2]) {
		return nil
	}
	return &Exception{Function: q.function, Code: frame[2]}
}

// owing takes a frame that looks like the reply to a request that was not answered. One that comes after another
// request, of a device with replies of wrong lengths or long after the request that it would answer, is more likely a
// wrong answer to the present one.
func (l *Line) owing(u *unit, frame []byte) {
	after := l.tick().Sub(u.missedAt)
	if l.network && l.window.sent != nil && (u.misfits || after > 3*max(u.timeout, l.timeout)) {
		l.unfit(frame)
		return
	}
	l.late(u, after)
}

// late notes that an answer came after its timeout. It may have lain in the socket until the line was used again, so
// that the least time says most.
func (l *Line) late(u *unit, after time.Duration) {
	if u == nil {
		return
	}
	if u.late == 0 || after < u.late {
		u.late = after
	}
	l.tally.count(int(u.id), func(a *account) { a.Late++ })
}

// named returns the reason for which an exchange without an answer failed, in the most exact words there are.
func (l *Line) named(u *unit, err error) error {
	if l.window.surplus > 0 && !errors.Is(err, ErrTimeout) {
		return err
	}
	switch {
	case l.refusal != nil && errors.Is(err, ErrTimeout):
		return l.refusal
	case u.late > 0 && err == ErrTimeout:
		return fmt.Errorf("%w: an answer came at most %v after its request; set a timeout above that", ErrLate,
			u.late.Round(10*time.Millisecond))
	default:
		return err
	}
}
