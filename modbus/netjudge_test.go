package modbus_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The judge of the storm behind gateways. docs/line.md names two wrong values that no line without usable ids can
// exclude. The judge recognises them from the frames on the connections. Any other wrong value is a fault.

// seenRead is a read, or the reply to one, on one of the connections.
type seenRead struct {
	at time.Time
	question
	regs []uint16 // registers of a reply
}

// newLife marks in the trace where the line starts again without any knowledge.
const newLife = "new life"

// documented returns the documented case of a wrong value, or "". since is the begin of its read.
func (tr *frameTrace) documented(q question, wrong []uint16, since time.Time, rtu bool) string {
	ours, others, replies := tr.reads(rtu)
	has := func(list []seenRead, r seenRead) bool {
		return slices.ContainsFunc(list, func(a seenRead) bool { return a.question == r.question })
	}
	for i, taken := range replies {
		same := func(a seenRead) bool {
			return a.unit == taken.unit && a.function == taken.function && a.count == taken.count && !a.at.Before(since)
		}
		asked := slices.IndexFunc(ours, same) // our read of the same unit, function and length
		if taken.at.Before(since) || taken.unit != q.unit || taken.function != q.function || asked < 0 || !has(others, taken) ||
			!containsRun(taken.regs, wrong) {
			continue
		}
		var foreign []seenRead // earlier replies to the other client
		for _, r := range replies[:i] {
			if !has(ours, r) {
				foreign = append(foreign, r)
			}
		}
		odd := slices.ContainsFunc(foreign, func(r seenRead) bool {
			return r.count >= 11 && r.count%2 == 1 && taken.at.Sub(r.at) < 10*time.Minute
		})
		lost := !slices.ContainsFunc(replies, func(r seenRead) bool { return same(r) && has(ours[asked:], r) })
		switch {
		case len(foreign) == 0:
			return fmt.Sprintf("the first reply to the other client, %+v, came in the place of ours", taken.question)
		case taken.count >= 11 && taken.count%2 == 1 && !odd && lost:
			return fmt.Sprintf("the other client read the odd length first now, %+v, and our reply was lost", taken.question)
		}
	}
	return ""
}

// containsRun reports whether the values of part follow one another somewhere in all.
func containsRun(all, part []uint16) bool {
	for i := 0; i+len(part) <= len(all); i++ {
		if slices.Equal(all[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// reads returns the requests of this line and of the other client since the line was new, and the replies on this
// line's connection.
func (tr *frameTrace) reads(rtu bool) (ours, others, replies []seenRead) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var in []byte
	for _, r := range tr.ring {
		switch {
		case r.what == newLife:
			ours, others, replies, in = nil, nil, nil, nil
		case r.what == "us connects":
			in = nil
		case r.what == "us <-":
			in = append(in, r.b...)
			for {
				frame, n := cutFrame(in, rtu)
				if n == 0 {
					break
				}
				if s, ok := seenReply(r.at, frame); ok {
					replies = append(replies, s)
				}
				in = in[n:]
			}
		case strings.HasSuffix(r.what, "->"):
			body := r.b
			if !rtu {
				body = body[min(6, len(body)):]
			}
			if len(body) < 6 || body[1] != 3 && body[1] != 4 {
				continue
			}
			q := question{body[0], body[1], binary.BigEndian.Uint16(body[2:]), binary.BigEndian.Uint16(body[4:])}
			if strings.HasPrefix(r.what, "us") {
				ours = append(ours, seenRead{at: r.at, question: q})
			} else {
				others = append(others, seenRead{at: r.at, question: q})
			}
		}
	}
	return ours, others, replies
}

// cutFrame returns the unit id and PDU at the begin of the bytes, and the length of the whole frame; 0: more bytes
// must come.
func cutFrame(b []byte, rtu bool) (frame []byte, n int) {
	if !rtu {
		if len(b) < 6 || len(b) < 6+int(binary.BigEndian.Uint16(b[4:])) {
			return nil, 0
		}
		n = 6 + int(binary.BigEndian.Uint16(b[4:]))
		return b[6:n], n
	}
	switch {
	case len(b) < 3:
		return nil, 0
	case b[1]&0x80 != 0:
		n = 5
	case b[1] == 0x2B:
		if n = 8; len(b) < n {
			return nil, 0
		}
		for range b[7] {
			if len(b) < n+2 {
				return nil, 0
			}
			n += 2 + int(b[n+1])
		}
		n += 2
	default:
		n = 5 + int(b[2])
	}
	if len(b) < n {
		return nil, 0
	}
	return b[:n-2], n
}

// seenReply decodes a reply of registers. The stamps in the registers contain the address.
func seenReply(at time.Time, frame []byte) (s seenRead, ok bool) {
	if len(frame) < 5 || frame[1] != 3 && frame[1] != 4 {
		return s, false
	}
	s = seenRead{at: at, question: question{unit: frame[0], function: frame[1], count: uint16(frame[2]) / 2}}
	for i := 3; i+1 < len(frame); i += 2 {
		s.regs = append(s.regs, binary.BigEndian.Uint16(frame[i:]))
	}
	s.addr = s.regs[0] % stormRegisters
	return s, true
}
