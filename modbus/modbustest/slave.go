package modbustest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"
)

// Exception codes that a Slave's Read may return.
const (
	IllegalFunction = 0x01
	IllegalAddress  = 0x02
	IllegalValue    = 0x03
)

// Slave is a scripted slave. Set the fields before the slave is used. The goroutine of the line calls the functions.
type Slave struct {
	Unit byte // unit id, 1 to 247
	// Read returns count registers from addr, or an exception code and no registers. With functions 01 and 02 it
	// returns 0 or 1 for each of so many bits. nil: every read is an illegal function.
	Read func(function byte, addr, count uint16) (regs []uint16, exception byte)
	// Identity answers function 0x2B/0x0E; nil: the slave does not know it, exception 01.
	Identity *Identity
	// ServerID is the data of the answer to function 0x11; nil: the slave does not know it.
	ServerID []byte
	// Delay is the slave's turnaround, from the request's last byte to the reply's first.
	Delay time.Duration
	// Script returns the fault of the reply to each request, in order; nil: no faults.
	Script func(Request) Fault

	mu        sync.Mutex // guards the fields below
	requests  int
	functions [256]int
}

// Identity is the basic identification.
type Identity struct {
	Vendor, Product, Revision string
	PerReply                  int // objects in one reply; the others follow on request; 0: all
}

// Request is a request to a slave.
type Request struct {
	N              int // number of the request to this slave, from 1
	Unit, Function byte
	Addr, Count    uint16 // of a read; Addr is the object id for 0x2B
}

// Fault is the fault of one reply. The zero Fault is none. Several faults may come together.
type Fault struct {
	Silent    bool                      // no reply
	Late      time.Duration             // added to Slave.Delay
	Exception byte                      // this code instead of the reply; 0: none
	Unit      byte                      // unit id in the reply, with a right CRC; 0: its own
	More      int                       // registers (or bits) more (or less, below 0) than asked, with a right CRC
	TornAt    int                       // after so many bytes the reply pauses; 0: it does not
	Pause     time.Duration             // length of this pause
	Mangle    func(frame []byte) []byte // changes the frame, like noise; nil: no change
	Duplicate bool                      // the reply comes twice
	Gap       time.Duration             // time between the two
	Before    []byte                    // bytes that come right before the reply, even if there is none
	Echo      func(frame []byte) []byte // returns the echo of the request, as on a two-wire adapter; nil: no echo
}

// OwnAddress is a Read for registers that have their own addresses as values.
func OwnAddress(_ byte, addr, count uint16) ([]uint16, byte) {
	regs := make([]uint16, count)
	for i := range regs {
		regs[i] = addr + uint16(i)
	}
	return regs, 0
}

// Same is an Echo without a collision.
func Same(frame []byte) []byte { return frame }

// Noise returns a Mangle that flips one to three bits, or loses a byte, or adds one. It never makes a frame with a
// right checksum, which would happen once in 65,536 frames: a test would then fail without a fault in the code.
func Noise(rng *rand.Rand) func([]byte) []byte {
	return func(frame []byte) []byte {
		for {
			if damaged := damage(rng, frame); !holdsFrame(damaged) {
				return damaged
			}
		}
	}
}

// Static returns a Mangle for a line that flips a bit of each byte, or loses the byte, with probability rate. Like
// Noise it makes no right checksum, but it may leave the frame unchanged.
func Static(rng *rand.Rand, rate float64) func([]byte) []byte {
	return func(frame []byte) []byte {
		for {
			if out := static(rng, rate, frame); bytes.Equal(out, frame) || !holdsFrame(out) {
				return out
			}
		}
	}
}

func static(rng *rand.Rand, rate float64, frame []byte) []byte {
	out := make([]byte, 0, len(frame))
	for _, b := range frame {
		switch {
		case rng.Float64() >= rate:
			out = append(out, b)
		case rng.IntN(2) == 0:
			out = append(out, b^1<<rng.IntN(8))
		}
	}
	return out
}

// holdsFrame reports whether any part of p has a right checksum at its end.
func holdsFrame(p []byte) bool {
	for from := range p {
		for to := from + 4; to <= len(p); to++ {
			if ValidCRC(p[from:to]) {
				return true
			}
		}
	}
	return false
}

func damage(rng *rand.Rand, frame []byte) []byte {
	out := append([]byte(nil), frame...)
	at := rng.IntN(len(out))
	switch rng.IntN(3) {
	case 0:
		for range 1 + rng.IntN(3) {
			out[rng.IntN(len(out))] ^= 1 << rng.IntN(8)
		}
		return out
	case 1:
		return append(out[:at], out[at+1:]...)
	default:
		return append(out[:at], append([]byte{byte(rng.Uint32())}, frame[at:]...)...)
	}
}

// Requests returns how many requests have arrived.
func (s *Slave) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Functions returns how many requests of each function code have arrived.
func (s *Slave) Functions() map[byte]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[byte]int{}
	for f, n := range s.functions {
		if n > 0 {
			seen[byte(f)] = n
		}
	}
	return seen
}

// handle answers a whole request to this slave. A nil frame is silence.
func (s *Slave) handle(p []byte) ([]byte, Fault) {
	r := s.note(p)
	var fault Fault
	if s.Script != nil {
		fault = s.Script(r)
	}
	if fault.Silent {
		return nil, fault
	}
	frame := s.reply(p, r, fault)
	if fault.Unit != 0 {
		frame[0] = fault.Unit
	}
	frame = AppendCRC(frame)
	if fault.Mangle != nil {
		frame = fault.Mangle(frame)
	}
	return frame, fault
}

// note decodes and counts a request.
func (s *Slave) note(p []byte) Request {
	r := Request{Unit: p[0], Function: p[1]}
	switch {
	case requestSize(p) == 8:
		r.Addr, r.Count = binary.BigEndian.Uint16(p[2:]), binary.BigEndian.Uint16(p[4:])
	case p[1] == 0x2B:
		r.Addr = uint16(p[4])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.functions[p[1]]++
	r.N = s.requests
	return r
}

// reply builds the reply without its checksum.
func (s *Slave) reply(p []byte, r Request, fault Fault) []byte {
	refuse := func(code byte) []byte { return []byte{s.Unit, r.Function | 0x80, code} }
	switch {
	case fault.Exception != 0:
		return refuse(fault.Exception)
	case r.Function >= 0x01 && r.Function <= 0x04 && s.Read != nil:
		most := 127
		if r.Function <= 0x02 {
			most = 8 * 254
		}
		count := max(1, min(int(r.Count)+fault.More, most))
		values, code := s.Read(r.Function, r.Addr, uint16(count))
		if code != 0 {
			return refuse(code)
		}
		data := data(r.Function, values)
		return append([]byte{s.Unit, r.Function, byte(len(data))}, data...)
	case r.Function == 0x11 && s.ServerID != nil:
		return append([]byte{s.Unit, 0x11, byte(len(s.ServerID))}, s.ServerID...)
	case r.Function == 0x2B && s.Identity != nil && p[2] == 0x0E && p[3] == 0x01:
		return s.identity(p[4])
	default:
		return refuse(IllegalFunction)
	}
}

// data returns the data of the reply to a read: registers with the high byte first, bits with the first one lowest.
func data(function byte, values []uint16) []byte {
	if function <= 0x02 {
		packed := make([]byte, (len(values)+7)/8)
		for i, v := range values {
			packed[i/8] |= byte(v&1) << (i % 8)
		}
		return packed
	}
	var p []byte
	for _, v := range values {
		p = binary.BigEndian.AppendUint16(p, v)
	}
	return p
}

// identity builds the basic identification from object first on.
func (s *Slave) identity(first byte) []byte {
	objects := []string{s.Identity.Vendor, s.Identity.Product, s.Identity.Revision}
	if int(first) >= len(objects) {
		first = 0 // MODBUS Application Protocol V1.1b3 §6.21: begin again at object 0
	}
	last := len(objects)
	if n := s.Identity.PerReply; n > 0 {
		last = min(last, int(first)+n)
	}
	more, next := byte(0), byte(0)
	if last < len(objects) {
		more, next = 0xFF, byte(last)
	}
	frame := []byte{s.Unit, 0x2B, 0x0E, 0x01, 0x01, more, next, byte(last) - first}
	for id := int(first); id < last; id++ {
		frame = append(frame, byte(id), byte(len(objects[id])))
		frame = append(frame, objects[id]...)
	}
	return frame
}
