package modbus

import (
	"errors"
	"fmt"
)

// The function codes that this package can send. Every other request is refused before a byte is written, so the
// package can only read.
const (
	FuncReadCoils      = 0x01 // read coils
	FuncReadDiscrete   = 0x02 // read discrete inputs
	FuncReadHolding    = 0x03 // read holding registers
	FuncReadInput      = 0x04 // read input registers
	FuncReportServerID = 0x11 // report server id
	FuncEncapsulated   = 0x2B // encapsulated interface; MEI type 0x0E (identification) only
)

const (
	// meiDeviceID is the MEI type of Read Device Identification. Type 0x0D of the same function tunnels CANopen and
	// can write, so it is refused.
	meiDeviceID = 0x0E
	// readBasic is the ReadDevId code of the basic stream: vendor, product code, revision.
	readBasic = 0x01

	exceptionBit  = 0x80
	exceptionSize = 5    // unit, function, code, CRC
	minFrame      = 4    // unit, function, CRC
	maxFrame      = 256  // MODBUS over Serial Line V1.02 §2.3
	maxRegisters  = 125  // MODBUS Application Protocol V1.1b3 §6.3: 250 bytes of a 253 byte PDU
	maxBits       = 2000 // §6.1
	maxUnit       = 247
)

// ask is the part of a request that is needed to judge its reply.
type ask struct {
	unit, function byte
	addr           uint16 // first register or bit; object id for FuncEncapsulated
	count          uint16 // registers or bits; 0 for the other functions
}

// shape is everything that a normal reply shows of its request. The address is not in a reply, so the replies to two
// requests of one shape cannot be distinguished.
type shape struct {
	function byte
	count    uint16 // registers, or bytes of bits
}

func (q ask) shape() shape {
	if ofBits(q.function) {
		return shape{q.function, (q.count + 7) / 8}
	}
	return shape{q.function, q.count}
}

// bytes is how many bytes of data the reply to a read has.
func (s shape) bytes() int {
	if ofBits(s.function) {
		return int(s.count)
	}
	return 2 * int(s.count)
}

// replyChars returns the length of the expected reply in characters; the longest possible length if the request does
// not determine it.
func (q ask) replyChars() int {
	if isRead(q.function) {
		return 5 + q.shape().bytes()
	}
	return maxFrame
}

// isRead reports whether a function reads registers or bits.
func isRead(function byte) bool { return ofRegisters(function) || ofBits(function) }

func ofRegisters(function byte) bool { return function == FuncReadHolding || function == FuncReadInput }

func ofBits(function byte) bool { return function == FuncReadCoils || function == FuncReadDiscrete }

// ambiguous reports whether the reply to a read of so many bits has three bytes of data. Such a reply has the length of
// a request, and cannot be distinguished from another master's request. The line sends no such read.
func ambiguous(function byte, count uint16) bool { return ofBits(function) && (count+7)/8 == 3 }

// most returns the most that a function reads at once.
func most(function byte) uint16 {
	if ofBits(function) {
		return maxBits
	}
	return maxRegisters
}

func allowed(function byte) bool {
	return isRead(function) || function == FuncReportServerID || function == FuncEncapsulated
}

// appendRequest appends the whole frame that asks q.
func (q ask) appendRequest(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, q.unit, q.function)
	switch {
	case isRead(q.function):
		dst = append(dst, byte(q.addr>>8), byte(q.addr), byte(q.count>>8), byte(q.count))
	case q.function == FuncEncapsulated:
		dst = append(dst, meiDeviceID, readBasic, byte(q.addr))
	}
	sum := crc16(dst[start:])
	return append(dst, byte(sum), byte(sum>>8))
}

// parseRequest reads a request before it is sent. If the request is not, byte by byte, one of the few requests of this
// package, the error is ErrRefused. This check keeps the read-only promise. tcp also allows the unit ids that exist
// only on Modbus TCP.
func parseRequest(adu []byte, tcp bool) (ask, error) {
	if len(adu) < minFrame {
		return ask{}, fmt.Errorf("%w: a request of %d bytes", ErrRefused, len(adu))
	}
	q := ask{unit: adu[0], function: adu[1]}
	switch {
	case !allowed(q.function):
		return q, fmt.Errorf("%w: function code 0x%02X", ErrRefused, q.function)
	case !isUnit(q.unit, tcp):
		return q, fmt.Errorf("%w: unit id %d; it must be 1 to %d", ErrRefused, q.unit, maxUnit)
	case isRead(q.function) && len(adu) == 8:
		q.addr = uint16(adu[2])<<8 | uint16(adu[3])
		q.count = uint16(adu[4])<<8 | uint16(adu[5])
		if q.count == 0 || q.count > most(q.function) || int(q.addr)+int(q.count) > 0x10000 ||
			ambiguous(q.function, q.count) {
			return q, fmt.Errorf("%w: function 0x%02X, %d from 0x%04X", ErrRefused, q.function, q.count, q.addr)
		}
	case q.function == FuncEncapsulated && len(adu) == 7:
		q.addr = uint16(adu[4])
	}
	// The frame must be the one that this package builds for q.
	var own [8]byte
	if string(q.appendRequest(own[:0])) != string(adu) {
		return q, fmt.Errorf("%w: malformed request of function 0x%02X", ErrRefused, q.function)
	}
	return q, nil
}

// isUnit reports whether there is such a unit id. On Modbus TCP 0 and 255 mean the device itself (MODBUS Messaging on
// TCP/IP V1.0b §4.4.1.2).
func isUnit(id byte, tcp bool) bool { return id > 0 && id <= maxUnit || tcp && (id == 0 || id == 255) }

// errGarbage: these bytes begin no reply of ours.
var errGarbage = errors.New("not a reply")

// replyNeed returns the smallest number of bytes of a reply that begins with b, and whether this is the whole reply.
// It only reads lengths. judge checks the content. The error is errGarbage if no reply begins with b.
func replyNeed(b []byte) (need int, whole bool, err error) {
	if len(b) < 3 {
		return 3, false, nil
	}
	function, third := b[1], int(b[2])
	switch {
	case function&exceptionBit != 0 && allowed(function&^exceptionBit):
		return exceptionSize, true, nil
	case ofRegisters(function) && third > 0 && third <= 2*maxRegisters && third%2 == 0,
		ofBits(function) && third > 0 && third <= maxBits/8:
		return 5 + third, true, nil
	case function == FuncReportServerID && third > 0 && third <= maxFrame-5:
		return 5 + third, true, nil
	case function == FuncEncapsulated && third == meiDeviceID:
		return identityNeed(b)
	default:
		return 0, false, errGarbage
	}
}

// identityNeed is replyNeed for an identification, which gives its length object by object:
// unit, function, MEI, code, conformity, more, next, count, then id, length and bytes of each.
func identityNeed(b []byte) (need int, whole bool, err error) {
	const head = 8
	if len(b) < head {
		return head, false, nil
	}
	at := head
	for range b[head-1] {
		if len(b) < at+2 {
			return limited(at+2, false)
		}
		at += 2 + int(b[at+1])
	}
	return limited(at+2, true)
}

func limited(need int, whole bool) (int, bool, error) {
	if need > maxFrame {
		return 0, false, errGarbage
	}
	return need, whole, nil
}

// verdict is the relation of a whole frame to the request that waits.
type verdict int

const (
	foreign   verdict = iota // well formed, but no answer to a request of ours: another unit, function or length
	damaged                  // the CRC is wrong
	answer                   // the reply to a request of this shape
	exception                // an exception of the function asked
)

// judge returns the verdict on the whole frame f, as an answer to q.
func judge(q ask, f []byte) verdict {
	n := len(f)
	if n < minFrame || crc16(f[:n-2]) != uint16(f[n-2])|uint16(f[n-1])<<8 {
		return damaged
	}
	if need, whole, err := replyNeed(f); err != nil || !whole || need != n || f[0] != q.unit {
		return foreign
	}
	switch {
	case f[1] == q.function|exceptionBit:
		return exception
	case f[1] != q.function:
		return foreign
	case isRead(q.function) && int(f[2]) != q.shape().bytes():
		return foreign
	case q.function == FuncEncapsulated && f[3] != readBasic:
		return foreign
	default:
		return answer
	}
}

// crc16 is the RTU checksum: polynomial 0xA001 reflected, start 0xFFFF, low byte sent first (MODBUS over Serial Line
// V1.02 §2.5.1.2). It works nibble by nibble: its sixteen constants fit in a cache line, and it is far faster than any
// line.
func crc16(p []byte) uint16 {
	table := [16]uint16{
		0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
		0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
	}
	sum := uint16(0xFFFF)
	for _, b := range p {
		sum = sum>>4 ^ table[(sum^uint16(b))&0x0F]
		sum = sum>>4 ^ table[(sum^uint16(b>>4))&0x0F]
	}
	return sum
}
