package modbus

import (
	"fmt"
	"slices"
	"time"
)

// A network line has two dangers that a serial line does not have: connections that end or stop answering, and gateways
// that send one client's reply to another client. This file has the measures against both.

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

// attach notes the kind of the line's port.
func (l *Line) attach(port Port) {
	l.attached = l.wire.last()
	l.tcp, _ = port.(*tcpPort)
	l.ids.connect(l.tcp != nil && !l.tcp.loose)
	if l.tcp != nil {
		l.tcp.ids, l.tcp.stray = &l.ids, l.astray
	}
	_, l.network = port.(redialer)
	l.window.framed = l.tcp != nil
}

// redial makes a new connection after the port has failed. Gateways close idle connections, and some devices close the
// connection after each reply. This is no fault. If redial fails, the port is closed.
func (l *Line) redial() error {
	if err := l.wire.redial(); err != nil {
		return err
	}
	if l.units.anySilent() { // the gateway may have served another client only, whose replies may come now
		l.attached = l.wire.last()
	}
	l.others.lose()
	l.tally.count(lineOnly, func(a *account) { a.Redials++ })
	l.log.Debug("connected again", "port", l.settings.Port)
	return nil
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
	if !l.network || !l.wire.isOpen() || tick().Before(l.mute.until) || !l.units.allSilent(muteAfter) {
		return nil
	}
	l.mute.wait = min(max(2*l.mute.wait, muteFirst), muteLimit)
	l.mute.until = tick().Add(l.mute.wait)
	l.wire.giveUp()
	return l.redial()
}

// astray handles a frame that is not the answer for the Modbus TCP port. It counts the frame, and keeps the reason in
// case no answer comes.
func (l *Line) astray(s stray) {
	q := l.window.q
	l.tally.count(l.window.unit(), func(a *account) {
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
	again := l.previous.again(s.frame) || l.tcp.repeats(s.frame)
	doubled := false
	u := l.units.get(s.frame[0])
	switch late := u != nil && len(s.frame) > 2 && u.trust.owes(s.frame); {
	case s.sort == strayLate:
		l.late(u, s.after)
		return
	case s.sort == strayMisfit && late && l.tcp.loose: // a strict id says which request it belongs to
		l.late(u, tick().Sub(u.missedAt))
		return
	case s.sort == strayMisfit && l.rivalNear(): // the other program has our id
		doubled = true
		l.rival(s.frame)
		l.window.refusal = misfit(q, s.frame)
	case s.sort == strayMisfit:
		l.window.refusal = misfit(q, s.frame)
	case s.sort == strayID && s.fits: // a fault of the device, unless the answer comes too
		l.window.surplus++
		l.window.refusal = fmt.Errorf("%w: it is 0x%04X, the request's is 0x%04X", ErrForeignID, s.id,
			l.ids.newest().id)
	case s.sort == strayMoved: // our own answer, but over another connection
	case s.sort == strayDouble && again && !l.tcp.loose: // because of its id it cannot be taken for the next answer
		return
	case s.sort == strayDouble && again:
	default:
		doubled = s.sort == strayDouble
		l.rival(s.frame)
	}
	l.ids.cross(doubled)
	l.suspect()
}

// rival notes a reply of any unit to another program: the program may also send requests to our units.
func (l *Line) rival(frame []byte) {
	l.tally.count(lineOnly, func(a *account) { a.Rivals++ })
	if len(frame) < 3 {
		return
	}
	if s, ok := shapeOf(frame); ok {
		l.others.note(s, tick())
	}
}

// unasked handles a whole RTU frame from a gateway that none of our requests explains.
func (l *Line) unasked(u *unit, frame []byte) {
	if l.window.sent == nil {
		l.rival(frame)
		return
	}
	// The frame is from a faulty device, or for another program. If the answer comes too, it was for another program.
	l.window.surplus++
	l.unfit(frame)
	if s, ok := shapeOf(frame); ok && u != nil {
		l.others.note(s, tick())
	}
}

// unfit counts a frame that is not the answer, and keeps the reason.
func (l *Line) unfit(frame []byte) {
	q := l.window.q
	l.others.misnamed(q, frame)
	if l.window.refusal != nil {
		return
	}
	l.window.refusal = misfit(q, frame)
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

// deviceFailure is the exception that a device may give for a single register. The other exceptions that leave a
// request open come from the gateway.
const deviceFailure = 0x04

// openRefusal returns the exception in a reply through a gateway that leaves the request open; nil when there is none.
// The gateway itself may have sent it because it has stopped waiting. Then the device's reply may still come, and some
// gateways send it as the reply to the next request.
func (l *Line) openRefusal(q ask, frame []byte) *Exception {
	if !l.network || frame[1]&exceptionBit == 0 ||
		!slices.Contains([]byte{deviceFailure, 0x05, 0x06, 0x0A, 0x0B}, frame[2]) {
		return nil
	}
	return &Exception{Function: q.function, Code: frame[2]}
}

// owing handles a frame that looks like the reply to an earlier, unanswered request. It is more likely a wrong answer
// to the present request if the device has sent replies of wrong lengths, or if the earlier request was long ago.
func (l *Line) owing(u *unit, frame []byte) {
	after := tick().Sub(u.missedAt)
	if l.network && l.window.sent != nil && (u.misfits || after > 3*max(u.timeout, l.timeout)) {
		l.unfit(frame)
		return
	}
	l.late(u, after)
}

// late notes that an answer came after its timeout. The answer may have waited in the socket until the line was used
// again, so the shortest time is the most exact.
func (l *Line) late(u *unit, after time.Duration) {
	if u == nil {
		return
	}
	if u.late == 0 || after < u.late {
		u.late = after
	}
	l.tally.count(int(u.id), func(a *account) { a.Late++ })
}
