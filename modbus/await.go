package modbus

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// await waits for the answer to the request in the window. The request left the wire at the time asked. The first byte
// of the answer must come before the timeout, and all of it within its time on the wire after that. In this time await
// skips noise, and frames that are not the answer.
func (l *Line) await(u *unit, asked time.Time) ([]byte, error) {
	w := &l.window
	first := asked.Add(l.timeoutOf(u) + adapterSlack)
	last := first.Add(l.settings.WireTime(w.q.replyChars()))
	l.asked, l.began = asked, asked
	for final := false; ; {
		frame, err := l.pick(u, final)
		if frame != nil || err != nil {
			return frame, err
		}
		if final {
			return nil, l.unanswered()
		}
		empty := w.have == 0 && !w.heard
		until := w.deadline(first, last, l.lastByte)
		n, err := l.restOf(until)
		if err == nil && n == 0 {
			n, err = l.readUntil(w.space(w.need()), until)
		}
		if err != nil {
			return nil, err
		}
		if empty { // it may be the echo; the reply comes to an empty window too
			l.began = l.lastByte
		}
		w.received(n)
		final = n == 0
	}
}

// A line in a hurry sleeps for sleepShare of the wire time of the missing bytes, in percent, less sleepSlack. The
// remaining time is for differences between the clocks of both ends. The slack is how late a port delivers bytes that
// have arrived, and how late a timer of Go's runtime may be if nothing else runs.
const (
	sleepShare = 95
	sleepSlack = time.Millisecond
)

// nap returns how long to sleep for bytes that take so long on the wire. A line with pauses has time: it sleeps until
// all bytes must have come, and so wakes up once.
func (s *sleeper) nap(wire time.Duration) time.Duration {
	if s.hurry {
		return wire*sleepShare/100 - sleepSlack
	}
	return wire + sleepSlack
}

// longestSleep is how late the line may notice that its context has ended.
const longestSleep = 500 * time.Millisecond

// sleepingPort is a port with a more exact timer than Go's runtime. While the line is in a hurry, the timer is not
// used.
type sleepingPort interface {
	Sleep(d time.Duration) error
	Hurry(on bool)
}

// A line is in a hurry if it had no pause of pauseLeast for hurryAfter, or none yet.
const (
	pauseLeast = 100 * time.Millisecond
	hurryAfter = 2 * time.Second
)

// pace notes that a request is sent at start, after the last byte on the line, and whether the line is in a hurry.
func (s *sleeper) pace(port Port, start, last time.Time) {
	if start.Sub(last) > pauseLeast {
		s.paused = start
	}
	s.hurry = start.Sub(s.paused) > hurryAfter
	if port, ok := port.(sleepingPort); ok {
		port.Hurry(s.hurry)
	}
}

// restOf reads the bytes of a reply that has begun. If none have arrived, it sleeps until the bytes that are known to
// follow can have arrived, in a hurry most of them: a serial port would wake up the line for each byte. A port that
// delivers whole frames is never slept for.
func (l *Line) restOf(until time.Time) (int, error) {
	missing := l.window.missing(!l.rest.hurry && !l.echoes)
	nap := l.rest.nap(l.settings.WireTime(missing))
	if missing == 0 || l.network || nap < sleepSlack {
		return 0, nil
	}
	port, _ := l.port.(sleepingPort)
	if l.rest.hurry {
		port = nil
	}
	n, err := l.readPort(l.window.space(missing), 0)
	if n > 0 || err != nil {
		return n, err
	}
	if err := l.sleep(port, min(nap, until.Sub(l.tick()), longestSleep)); err != nil {
		return 0, err
	}
	return l.readPort(l.window.space(missing), 0)
}

// sleep waits for d by the timer of the port, if it has one.
func (l *Line) sleep(port sleepingPort, d time.Duration) error {
	if port == nil || d <= 0 {
		return l.rest.sleep(l.ctx, d)
	}
	if err := port.Sleep(d); err != nil {
		return l.portFault("sleep", err)
	}
	return l.ctx.Err()
}

// sleeper waits without a new timer each time.
type sleeper struct {
	timer  *time.Timer
	paused time.Time // when the line had its last pause
	hurry  bool      // it had none for some time
}

// sleep waits for d, or returns the context's error.
func (s *sleeper) sleep(ctx context.Context, d time.Duration) error {
	if s.timer == nil {
		s.timer = time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	select {
	case <-s.timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// timeoutOf returns how long the first byte of a unit's reply may take.
func (l *Line) timeoutOf(u *unit) time.Duration {
	if u.timeout > 0 {
		return u.timeout
	}
	return l.timeout
}

// pick takes frames out of the window until one is the answer.
func (l *Line) pick(u *unit, final bool) ([]byte, error) {
	w := &l.window
	for {
		frame := w.next(final)
		if frame == nil {
			return nil, nil
		}
		if (l.tcp != nil || !isRequest(frame)) && judge(w.q, frame) != foreign {
			switch {
			case frame[1] == w.q.function && l.doubts(w.q):
				u.trust.answered(w.q.shape()) // if it was for another program, our own reply will still come
				l.tally.count(int(u.id), func(a *account) { a.Ambiguous++ })
				return nil, ErrShared
			case w.doubtful && l.network:
				return nil, ErrShared
			case w.doubtful:
				return nil, errRival
			}
			l.at = l.now()
			return l.lift(frame), nil
		}
		l.log.Debug("not the answer", "port", l.settings.Port, "unit", u.id, "asked", fmt.Sprintf("%+v", w.q), "frame",
			fmt.Sprintf("% X", frame))
		expected := l.stranger(frame)
		if l.tcp == nil && isRequest(frame) && frame[0] == u.id {
			return nil, errRival
		}
		// A reply of this unit to another program: the next one may be to that program as well.
		w.doubtful = w.doubtful || !expected && !w.disguised && frame[0] == u.id && !l.proven()
		w.drop(len(frame))
	}
}

// lift takes the answer out of the window. Other bytes in the window are handled like bytes that no request waited for,
// but for the begin of a frame: hush reads its end. Without the begin, a request of another master would be noise.
func (l *Line) lift(frame []byte) []byte {
	w := &l.window
	answer := append(l.reply[:0], frame...)
	w.drop(len(frame))
	if rest := w.have; rest > 0 {
		skipped := w.skipped // noise before and after the answer is counted separately
		l.overhear(w.framed)
		w.begun = w.have
		l.discarded(rest - w.begun)
		w.skipped = skipped
	}
	return answer
}

// unanswered returns the reason why the closed window has no answer.
func (l *Line) unanswered() error {
	w := &l.window
	if w.heard && !w.echoed && (l.echo == EchoOn || l.echo == EchoAuto && l.echoes) {
		return errCollision
	}
	return w.failure()
}

// readUntil reads at least one byte, or returns 0 after the deadline. Bytes that are already in the buffer at the
// deadline are still read.
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

// portFault closes the port. Only opening it again helps. An adapter that was unplugged gets its old name again only
// after no process has it open any more.
func (l *Line) portFault(doing string, err error) error {
	port := l.port
	l.port, l.gone = nil, port
	if errors.Is(err, errMBAP) {
		l.tally.count(lineOnly, func(a *account) { a.BadHeaders++ })
	}
	fault := fmt.Errorf("%w: %s: %w", ErrPort, doing, err)
	if cerr := port.Close(); cerr != nil {
		l.log.Debug("close failed port", "port", l.settings.Port, "err", cerr)
	}
	return fault
}
