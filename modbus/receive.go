package modbus

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

const (
	// pauseTolerance is the longest pause inside a frame. An FTDI adapter passes on its bytes every 16 ms; with a hub
	// or a busy host it may be several times as long. No adapter on USB can keep t1.5 of the specification (MODBUS over
	// Serial Line V1.02 §2.5.1.1).
	pauseTolerance = 150 * time.Millisecond
	// damagePatience is how long the line continues to listen after damaged bytes. The reply may still follow in this
	// time.
	damagePatience = adapterSlack
)

// window has the bytes since a request was sent, without those that are handled already. Frames in it are recognised by
// unit, function, byte count and CRC, so noise before a reply does not affect the reply.
type window struct {
	q     ask
	sent  []byte    // the request, to recognise its echo; nil: no request
	asked time.Time // when the request had left the wire
	began time.Time // when the first byte of the reply was seen; asked before
	buf   [maxFrame]byte
	have  int

	framed bool // the port takes frames apart by itself: there is no echo, and no request of another master

	widened bool // the request has a shape that no reply to another program has

	begun int // bytes after the answer that may begin a frame of another master; hush reads the rest

	surplus  int  // whole frames that are for another program if the answer comes too
	heard    bool // bytes came that are no echo
	echoed   bool // the echo came
	skipped  int  // bytes that belong to no frame
	damaged  bool // a frame that began well had a wrong checksum
	torn     int  // bytes of the first frame, if it was incomplete when the window closed
	doubtful bool // the unit has answered another program in this window

	refusal error // why the frames that came are not the answer; nil: no such frame

	came   [faultBytes]byte // the first bytes since the request, for a Fault
	length int              // number of all bytes that came
}

// reset begins a new window for the answer to q.
func (w *window) reset(q ask, sent []byte) {
	w.q, w.sent, w.have = q, sent, 0
	w.heard, w.echoed, w.skipped, w.damaged, w.torn, w.doubtful, w.surplus = false, false, 0, false, 0, false, 0
	w.length, w.begun, w.refusal = 0, 0, nil
}

// next returns the first whole frame; nil if more bytes are needed. final: no more bytes will come, so an incomplete
// frame does not count. The frame stays in the window until drop.
func (w *window) next(final bool) []byte {
	for w.have > 0 {
		own, waits := w.echo(final)
		if waits {
			return nil
		}
		if own {
			continue
		}
		frame, waits := w.frame(final)
		switch {
		case waits:
			return nil
		case frame == nil:
			w.skipped++
			w.drop(1)
		case bytes.Equal(frame, w.sent): // after noise
			w.echoed = true
			w.drop(len(frame))
		default:
			return frame
		}
	}
	return nil
}

// echo removes our own request from the begin of the window, before any other search: a request may look like its own
// reply. waits: all bytes look like the begin of the request. A reply may look like this too, but differs before its
// end, because no reply has the length of its request.
func (w *window) echo(final bool) (own, waits bool) {
	if w.framed || w.heard || w.echoed || len(w.sent) == 0 {
		return false, false
	}
	n := min(w.have, len(w.sent))
	switch {
	case !bytes.Equal(w.buf[:n], w.sent[:n]):
		w.heard = true
		return false, false
	case n < len(w.sent):
		return false, !final
	default:
		w.echoed = true
		w.drop(n)
		return true, false
	}
}

// frame returns the whole frame at the begin of the window; nil if there is none. waits: an incomplete frame may be
// there.
func (w *window) frame(final bool) (frame []byte, waits bool) {
	b := w.buf[:w.have]
	w.heard = true
	if !w.framed && (b[0] == 0 || b[0] > maxUnit) {
		return nil, false
	}
	reply, whole, err := replyNeed(b)
	switch {
	case err != nil:
	case len(b) < reply:
		if !final { // the head of a reply may look like a whole request
			return nil, true
		}
		w.tears(len(b))
	case whole && validCRC(b[:reply]):
		return b[:reply], false
	default:
		w.damaged = true
	}
	request := requestSize(b)
	switch {
	case w.framed:
		return nil, false
	case len(b) < request:
		if final {
			w.tears(len(b))
		}
		return nil, !final
	case request > 0 && validCRC(b[:request]):
		return b[:request], false
	default:
		return nil, false
	}
}

// tears notes the number of bytes of a frame that was incomplete when the window closed.
func (w *window) tears(n int) {
	if w.torn == 0 {
		w.torn = n
	}
}

// need returns how many bytes to read next, at least 1: a reply to its predicted end and not beyond. A port that takes
// frames apart by itself gives a whole one.
func (w *window) need() int {
	if w.framed {
		return maxFrame
	}
	b := w.buf[:w.have]
	if len(b) > 2 && !w.heard && !w.echoed { // an echo so far
		return max(1, len(w.sent)-len(b))
	}
	if reply, _, err := replyNeed(b); err == nil && reply > len(b) {
		return reply - len(b)
	}
	return max(1, requestSize(b)-len(b))
}

// missing returns how many bytes still come at least, of the reply that has begun or of what may be the echo of our own
// request; 0 after noise. As long as the bytes do not show the length of the reply, it may be an exception. With whole,
// it counts as a reply with all registers: an exception is then noticed late.
func (w *window) missing(whole bool) int {
	least := exceptionSize // no reply is shorter, and one follows an echo
	switch {
	case !w.heard && whole && isRead(w.q.function):
		least = w.q.replyChars()
	case w.heard:
		reply, _, err := replyNeed(w.buf[:w.have])
		if err != nil {
			return 0
		}
		least = max(least, reply)
	}
	if w.have == 0 {
		return 0
	}
	return max(0, least-w.have)
}

// space returns where the next n bytes go.
func (w *window) space(n int) []byte { return w.buf[w.have:min(w.have+n, len(w.buf))] }

// drop takes n bytes off the head.
func (w *window) drop(n int) { w.have = copy(w.buf[:], w.buf[n:w.have]) }

// deadline returns the time until which the next byte may come. Before there are enough bytes for a frame, only first
// counts, because a few bytes may be an error of a bus driver. A frame that has begun may pause, but not longer than
// until last.
func (w *window) deadline(first, last, lastByte time.Time) time.Time {
	until := lastByte.Add(pauseTolerance)
	switch {
	case w.damaged:
		until = lastByte.Add(damagePatience)
	case w.skipped+w.have < strayFrame:
		if w.have == 0 || until.Before(first) {
			return first
		}
	case w.have == 0:
		until = lastByte.Add(damagePatience)
	}
	if until.After(last) {
		return last
	}
	return until
}

// unit returns the unit whose answer is waited for; lineOnly: none.
func (w *window) unit() int {
	if w.sent == nil {
		return lineOnly
	}
	return int(w.q.unit)
}

// failure says why there was no answer. echo: the request should have come back.
func (w *window) failure(echo bool) error {
	switch {
	case echo && w.heard && !w.echoed:
		return errCollision
	case w.damaged:
		return errChecksum
	case w.torn > 1 && w.torn == w.skipped:
		return fmt.Errorf("%w: torn after %d bytes", ErrFrame, w.torn)
	case w.skipped > 0:
		return fmt.Errorf("%w: %d bytes that make none", ErrFrame, w.skipped)
	default:
		return ErrTimeout
	}
}

// named returns the most exact known reason for which an exchange that ended with err had no answer. late is the
// longest possible delay of a late answer of the unit; 0: none came.
func (w *window) named(late time.Duration, err error) error {
	if w.surplus > 0 && !errors.Is(err, ErrTimeout) {
		return err
	}
	switch {
	case w.refusal != nil && errors.Is(err, ErrTimeout):
		return w.refusal
	case late > 0 && err == ErrTimeout:
		return fmt.Errorf("%w: an answer came at most %v after its request; set a timeout above that", ErrLate,
			late.Round(10*time.Millisecond))
	default:
		return err
	}
}

// requestSize returns the length of the request that b may begin with; 0 when it begins none. Other
// masters do more than read, so their functions count too.
func requestSize(b []byte) int {
	if len(b) < 2 {
		return minFrame
	}
	switch b[1] {
	case 0x01, 0x02, FuncReadHolding, FuncReadInput, 0x05, 0x06:
		return 8
	case 0x0F, 0x10:
		switch {
		case len(b) < 7:
			return 7
		case 9+int(b[6]) > maxFrame:
			return 0
		default:
			return 9 + int(b[6])
		}
	case FuncReportServerID:
		return minFrame
	case FuncEncapsulated:
		return 7
	default:
		return 0
	}
}

// isRequest reports whether a whole frame is a request of a master. No reply that we wait for has the length of a
// request of its function: replies to reads of registers have an odd length, replies to reads of bits never have this
// length (ambiguous), and replies to the other functions are longer.
func isRequest(frame []byte) bool { return len(frame) == requestSize(frame) }

func validCRC(f []byte) bool {
	n := len(f) - 2
	return n >= 2 && crc16(f[:n]) == uint16(f[n])|uint16(f[n+1])<<8
}
