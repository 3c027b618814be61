package modbustest

import (
	"bytes"
	"time"
)

// wire is one serial line in time. Bytes that are fed to it become requests when their last byte has crossed the
// line. The replies become bytes that are due one by one. It has no clock of its own.
type wire struct {
	char   time.Duration
	slaves []*Slave
	asked  []byte    // bytes of the request so far
	heard  time.Time // when its last byte has crossed
	out    []dueByte // bytes that the slaves still send, in order of time
	free   time.Time // when the last of these bytes has crossed
}

type dueByte struct {
	at time.Time
	b  byte
}

// charTime returns how long a character takes; none at baud 0.
func charTime(baud, charBits int) time.Duration {
	if baud <= 0 {
		return 0
	}
	return time.Duration(charBits) * time.Second / time.Duration(baud)
}

// feed takes bytes that are written to the line now.
func (w *wire) feed(now time.Time, p []byte) {
	// Frames end by silence: the begin of a request without its end is dropped. The time is much longer than t3.5,
	// because a writer on a busy machine may pause inside a frame.
	if now.After(w.heard.Add(20*time.Millisecond + 10*w.char)) {
		w.asked = w.asked[:0]
	}
	if now.After(w.heard) {
		w.heard = now
	}
	for _, b := range p {
		w.heard = w.heard.Add(w.char)
		w.asked = append(w.asked, b)
		if wholeRequest(w.asked) {
			w.answer(w.asked)
			w.asked = w.asked[:0]
		}
	}
	if len(w.asked) > 256 {
		w.asked = w.asked[:0]
	}
}

// answer makes the requested slave reply to a request that has just crossed the line. If several slaves have the unit
// id, their replies collide; time and faults of the reply are those of the first slave.
func (w *wire) answer(request []byte) {
	var first *Slave
	var frame []byte
	var fault Fault
	for _, s := range w.slaves {
		switch {
		case s.Unit != request[0]:
		case first == nil:
			first = s
			frame, fault = s.handle(request)
		default:
			other, _ := s.handle(request)
			frame = collided(frame, other)
		}
	}
	if first != nil {
		w.reply(request, frame, first.Delay, fault)
	}
}

// collided returns what a master receives if two slaves reply at once, the second one a character later. A bit is 1
// only if both slaves send 1. So even two equal replies give no valid frame.
func collided(one, other []byte) []byte {
	if len(one) == 0 || len(other) == 0 { // only one slave sends
		return append(one, other...)
	}
	mixed := bytes.Repeat([]byte{0xFF}, max(len(one), len(other)+1))
	for i, b := range one {
		mixed[i] &= b
	}
	for i, b := range other {
		mixed[i+1] &= b
	}
	return mixed
}

// reply sends the reply to a request.
func (w *wire) reply(request, frame []byte, delay time.Duration, fault Fault) {
	if fault.Echo != nil { // during the request
		w.send(w.after(w.heard.Add(-time.Duration(len(request))*w.char)),
			fault.Echo(append([]byte(nil), request...)), Fault{})
	}
	begin := w.after(w.heard.Add(delay + fault.Late))
	begin = w.send(begin, fault.Before, Fault{})
	begin = w.send(begin, frame, fault)
	if fault.Duplicate {
		w.send(begin.Add(fault.Gap), frame, fault)
	}
}

// after returns at, or the time when all bytes on their way have crossed, if that is later.
func (w *wire) after(at time.Time) time.Time {
	if w.free.After(at) {
		return w.free
	}
	return at
}

// overhear sends another master's request on the line. The reader gets the request and its reply.
func (w *wire) overhear(now time.Time, request []byte) {
	w.heard = w.send(w.after(now), request, Fault{})
	w.answer(request)
}

// send schedules a frame, and returns when it has crossed.
func (w *wire) send(begin time.Time, frame []byte, fault Fault) time.Time {
	at := begin
	for i, b := range frame {
		if i == fault.TornAt && i > 0 {
			at = at.Add(fault.Pause)
		}
		at = at.Add(w.char)
		w.out = append(w.out, dueByte{at, b})
		w.free = at
	}
	return at
}

// take moves the bytes that have crossed by now into p, and returns their number.
func (w *wire) take(now time.Time, p []byte) int {
	n := 0
	for n < len(p) && n < len(w.out) && !w.out[n].at.After(now) {
		p[n] = w.out[n].b
		n++
	}
	w.out = append(w.out[:0], w.out[n:]...)
	return n
}

// next returns when the next byte is due.
func (w *wire) next() (at time.Time, ok bool) {
	if len(w.out) == 0 {
		return time.Time{}, false
	}
	return w.out[0].at, true
}
