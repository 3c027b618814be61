package modbus

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// fakePort returns the bytes of the test, each after its time on the wire.
type fakePort struct {
	in      []byte
	patient time.Duration
	err     error // result of the next read or write
	closed  int
	dials   int
}

func (p *fakePort) SetReadTimeout(d time.Duration) error {
	p.patient = d
	return nil
}

func (p *fakePort) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if len(p.in) == 0 {
		<-time.After(p.patient)
		return 0, nil
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

func (p *fakePort) Write(b []byte) (int, error) { return len(b), p.err }

func (p *fakePort) Close() error {
	p.closed++
	return nil
}

// dialledPort is a fakePort that can replace its connection.
type dialledPort struct{ *fakePort }

func (p dialledPort) redial() error {
	p.dials++
	p.err = nil
	return nil
}

func newWire(t *testing.T, port Port, s Settings) *wire {
	t.Helper()
	w := &wire{settings: s.withDefaults(), dial: func() (Port, error) { return port, nil },
		log: slog.New(slog.DiscardHandler)}
	if _, err := w.open(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestAFailedPortIsClosedAndOnlyAConnectionIsReplaced.
func TestAFailedPortIsClosedAndOnlyAConnectionIsReplaced(t *testing.T) {
	serial := &fakePort{}
	w := newWire(t, serial, Settings{})
	serial.err = io.ErrUnexpectedEOF
	_, err := w.read(make([]byte, 8), 0)
	if !errors.Is(err, ErrPort) || w.isOpen() || serial.closed != 1 || w.canRedial(err) {
		t.Errorf("serial: %v, open %v, closed %d times, redial %v", err, w.isOpen(), serial.closed, w.canRedial(err))
	}
	if err := w.redial(); !errors.Is(err, ErrPort) {
		t.Errorf("a serial port was dialled again: %v", err)
	}

	conn := dialledPort{&fakePort{}}
	w = newWire(t, conn, Settings{})
	conn.err = io.EOF
	err = w.write([]byte{1}, tick())
	if !w.canRedial(err) || w.canRedial(ErrTimeout) {
		t.Errorf("connection: %v, redial %v, redial after a timeout %v", err, w.canRedial(err), w.canRedial(ErrTimeout))
	}
	if err := w.redial(); err != nil || !w.isOpen() || conn.dials != 1 {
		t.Errorf("redial: %v, open %v", err, w.isOpen())
	}
	if err := w.redial(); !errors.Is(err, ErrPort) {
		t.Errorf("redial without a failure: %v", err)
	}
	if err := w.close(); err != nil || w.isOpen() || w.canRedial(ErrPort) {
		t.Errorf("close: %v, open %v, redial %v", err, w.isOpen(), w.canRedial(ErrPort))
	}
}

// TestTheWireKnowsWhenItIsFree: the wire is free after the characters of a request, after the delay of a new
// connection, and after a time that the line asks for.
func TestTheWireKnowsWhenItIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Settings{ConnectDelay: time.Second}.withDefaults()
		w := newWire(t, &fakePort{}, s)
		start := tick()
		if got := w.notBefore(start).Sub(start); got != time.Second {
			t.Errorf("free %v after connecting, want 1s", got)
		}
		if err := w.write(make([]byte, 8), start); err != nil || w.last().Sub(start) != s.WireTime(8) {
			t.Errorf("the request leaves after %v, want %v: %v", w.last().Sub(start), s.WireTime(8), err)
		}
		w.quiet(start.Add(3 * time.Second))
		if got := w.notBefore(start.Add(2 * time.Second)).Sub(start); got != 3*time.Second {
			t.Errorf("free after %v, want 3s", got)
		}
		if got := w.notBefore(start.Add(4 * time.Second)).Sub(start); got != 4*time.Second {
			t.Errorf("free after %v, want 4s", got)
		}
	})
}

// TestAReadEndsAtItsDeadlineOrWithItsContext: a byte that is there at the deadline is still read.
func TestAReadEndsAtItsDeadlineOrWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := &fakePort{in: []byte{7}}
		w := newWire(t, port, Settings{})
		start, b := tick(), make([]byte, 4)
		if n, err := w.readUntil(t.Context(), b, start.Add(-time.Second)); n != 1 || err != nil || b[0] != 7 {
			t.Errorf("%d bytes, %v: the byte was there before the deadline", n, err)
		}
		if n, err := w.readUntil(t.Context(), b, start.Add(time.Second)); n != 0 || err != nil || time.Since(start) != time.Second {
			t.Errorf("%d bytes, %v, after %v; want none after 1s", n, err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		if _, err := w.readUntil(ctx, b, tick().Add(time.Minute)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's error", err)
		}
		if got := time.Since(start); got > time.Second+2*ctxInterval {
			t.Errorf("the context was noticed after %v", got-time.Second)
		}
	})
}

// TestTheWireSleepsThroughTheRestOfAReply: in a hurry, as at the begin, the wire wakes up shortly before the earliest
// time of the last byte. Otherwise it wakes up when all bytes must have come.
func TestTheWireSleepsThroughTheRestOfAReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Settings{}.withDefaults()
		w := newWire(t, &fakePort{}, s)
		sleeps := func(missing int) time.Duration { // at 9600 baud 1 byte takes 1 ms, and 100 bytes take 115 ms
			start := tick()
			if _, err := w.readRest(t.Context(), make([]byte, missing), start.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			return time.Since(start)
		}
		send := func() {
			if err := w.write(nil, tick()); err != nil {
				t.Fatal(err)
			}
		}
		send()
		one, all := sleeps(1), sleeps(100)
		if want := s.WireTime(100)*sleepShare/100 - sleepSlack; !w.inHurry() || one != 0 || all != want {
			t.Errorf("in a hurry (%v): slept %v and %v, want 0 and %v", w.inHurry(), one, all, want)
		}
		<-time.After(2 * pauseLeast)
		send()
		if all, want := sleeps(100), s.WireTime(100)+sleepSlack; w.inHurry() || all != want {
			t.Errorf("after a pause (hurry %v): slept %v, want %v", w.inHurry(), all, want)
		}
	})
}
