package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// wire is the port of a line and its times: when a byte was last sent or received, and until when nothing may be sent.
// It passes on bytes, and knows nothing of frames but their length. After a failure the port is closed.
type wire struct {
	settings Settings // with defaults
	dial     func() (Port, error)
	log      *slog.Logger

	port       Port      // nil: closed
	failed     Port      // the port that has failed, and may be dialled again; nil: none
	lastByte   time.Time // when something was last seen or sent, or the port was opened; zero: it never was
	quietUntil time.Time // until then a late reply may come: send nothing
	rest       sleeper   // sleeps until the missing bytes of a reply can have come
}

// redialer is a port that can replace its connection.
type redialer interface{ redial() error }

// isOpen reports whether the port is open.
func (w *wire) isOpen() bool { return w.port != nil }

// open opens the port, which is closed.
func (w *wire) open() (Port, error) {
	port, err := w.dial()
	if err != nil {
		return nil, err
	}
	w.port, w.failed, w.lastByte = port, nil, tick()
	w.leaveAlone()
	return port, nil
}

// close closes the port if it is open. A failed port cannot be dialled again after this.
func (w *wire) close() error {
	w.failed = nil
	if w.port == nil {
		return nil
	}
	port := w.port
	w.port = nil
	if err := port.Close(); err != nil {
		return fmt.Errorf("close %s: %w", w.settings.Port, err)
	}
	return nil
}

// fault closes the port. Only opening it again helps. An adapter that was unplugged gets its old name again only after
// no process has it open any more.
func (w *wire) fault(doing string, err error) error {
	port := w.port
	w.port, w.failed = nil, port
	fault := fmt.Errorf("%w: %s: %w", ErrPort, doing, err)
	if cerr := port.Close(); cerr != nil {
		w.log.Debug("close failed port", "port", w.settings.Port, "err", cerr)
	}
	return fault
}

// errGone: the port's name now leads to another device than the open one.
var errGone = errors.New("the port's name leads to another device, or to none")

// checkName closes a port whose name now leads to another device, and returns the error; nil: the port is as before.
func (w *wire) checkName() error {
	if g, ok := w.port.(interface{ Gone() bool }); ok && g.Gone() {
		return w.fault("wait", errGone)
	}
	return nil
}

// canRedial reports whether the connection has ended with err, and whether there may be a new one at once.
func (w *wire) canRedial(err error) bool {
	if !errors.Is(err, ErrPort) {
		return false
	}
	_, ok := w.failed.(redialer)
	return ok
}

// redial makes a new connection after the port has failed. If this fails, the port is closed.
func (w *wire) redial() error {
	port := w.failed
	w.failed = nil
	r, ok := port.(redialer)
	if !ok {
		return fmt.Errorf("%w: not open", ErrPort)
	}
	if err := r.redial(); err != nil {
		return fmt.Errorf("%w: %w", ErrPort, err)
	}
	w.port, w.lastByte = port, tick()
	w.leaveAlone()
	return nil
}

// giveUp makes redial replace the connection, although it has not failed.
func (w *wire) giveUp() { w.failed, w.port = w.port, nil }

// leaveAlone waits for the time after connecting in which the device gets no request.
func (w *wire) leaveAlone() {
	if delay := w.settings.ConnectDelay; delay > 0 {
		w.quietUntil = w.notBefore(tick().Add(delay))
	}
}

// quiet sends nothing until a moment.
func (w *wire) quiet(until time.Time) { w.quietUntil = until }

// notBefore returns t, or the moment until which nothing may be sent, if that is later.
func (w *wire) notBefore(t time.Time) time.Time {
	if w.quietUntil.After(t) {
		return w.quietUntil
	}
	return t
}

// write sends a request at start. From then on, last returns the time at which its last character leaves the wire.
func (w *wire) write(adu []byte, start time.Time) error {
	w.rest.pace(w.port, start, w.lastByte)
	n, err := w.port.Write(adu)
	if err == nil && n < len(adu) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return w.fault("write", err)
	}
	w.lastByte = w.left(start, len(adu))
	return nil
}

// left returns the time at which the last of n characters leaves the wire, if writing began at start. A port that
// switches RTS returns from Write only at this time. Any other port returns at once, and its driver may wait before it
// sends.
func (w *wire) left(start time.Time, n int) time.Time {
	if w.settings.RS485.Mode == rs485RTS {
		return tick()
	}
	return start.Add(w.settings.RS485.Before + w.settings.WireTime(n))
}

// last returns when something was last seen or sent.
func (w *wire) last() time.Time { return w.lastByte }

// readUntil reads at least one byte, or returns 0 after the deadline. Bytes that are already in the buffer at the
// deadline are still read.
func (w *wire) readUntil(ctx context.Context, p []byte, deadline time.Time) (int, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		wait := max(0, min(deadline.Sub(tick()), ctxInterval))
		n, err := w.read(p, wait)
		if n > 0 || err != nil || wait == 0 {
			return n, err
		}
	}
}

// read is one read of the port that lasts at most wait.
func (w *wire) read(p []byte, wait time.Duration) (int, error) {
	if err := w.port.SetReadTimeout(wait); err != nil {
		return 0, w.fault("set read timeout", err)
	}
	n, err := w.port.Read(p)
	if err != nil {
		return 0, w.fault("read", err)
	}
	if n > 0 {
		w.lastByte = tick()
	}
	return n, nil
}

// inHurry reports whether the line had no pause for some time.
func (w *wire) inHurry() bool { return w.rest.hurry }

// readRest reads the bytes of a reply that has begun into p, which is as long as the bytes that are known to follow. If
// none have arrived, it sleeps until they can have arrived, in a hurry most of them: a serial port would wake up the
// line for each byte.
func (w *wire) readRest(ctx context.Context, p []byte, until time.Time) (int, error) {
	nap := w.rest.nap(w.settings.WireTime(len(p)))
	if nap < sleepSlack {
		return 0, nil
	}
	n, err := w.read(p, 0)
	if n > 0 || err != nil {
		return n, err
	}
	if err := w.sleep(ctx, w.rest.exact(w.port), min(nap, until.Sub(tick()), longestSleep)); err != nil {
		return 0, err
	}
	return w.read(p, 0)
}

// sleep waits for d by the timer of the port, or by one of Go's runtime if timer is nil.
func (w *wire) sleep(ctx context.Context, timer sleepingPort, d time.Duration) error {
	if timer == nil || d <= 0 {
		return w.rest.sleep(ctx, d)
	}
	if err := timer.Sleep(d); err != nil {
		return w.fault("sleep", err)
	}
	return ctx.Err()
}
