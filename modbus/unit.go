package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	goburrow "github.com/goburrow/modbus"
)

// unit is what the line knows of one slave.
type unit struct {
	id     byte
	client goburrow.Client
	encode goburrow.Packager
	trust  trust
	good   ask   // the last read that was answered with registers
	short  []ask // the last short reads, of different shapes, the newest first
	probed []ask // the last probes that were answered, of different shapes, the newest first
	named  ask   // the identification, if it was answered last time
	picky  bool  // it has ignored a probe: perhaps it lacks registers, and does not answer reads of them

	silent   int       // exchanges in a row without any byte
	missedAt time.Time // when the last unanswered request was sent
	misfits  bool      // its last reply to a read had another length than requested
	// the longest possible delay of the last late answer, from its request on; 0: no late answer since the last one in
	// time
	late  time.Duration
	avoid []Range // registers that are read only if an object needs them
	most  uint16  // registers in a widened read; 0: as many as the protocol allows

	timeout time.Duration // of the first byte; 0: the line's
	gap     time.Duration // shortest silence before a request; t3.5 if that is longer
}

// newUnit returns a unit without any doubt. Its client sends through the transporter.
func newUnit(id byte, transporter goburrow.Transporter) *unit {
	// The handler's own serial transporter is not used. NewRTUClientHandler is the only way to get its packager.
	handler := goburrow.NewRTUClientHandler("")
	handler.SlaveId = id
	return &unit{id: id, client: goburrow.NewClient2(handler, transporter), encode: handler}
}

// patience returns how long the first byte of a reply may take, on a line with this timeout.
func (u *unit) patience(line time.Duration) time.Duration {
	if u.timeout > 0 {
		return u.timeout
	}
	return line
}

// values asks q through goburrow's client. It appends the registers, or 0 or 1 for each bit.
func (u *unit) values(dst []uint16, q ask) ([]uint16, error) {
	request := goburrow.Client.ReadInputRegisters
	switch q.function {
	case FuncReadCoils:
		request = goburrow.Client.ReadCoils
	case FuncReadDiscrete:
		request = goburrow.Client.ReadDiscreteInputs
	case FuncReadHolding:
		request = goburrow.Client.ReadHoldingRegisters
	}
	p, err := request(u.client, q.addr, q.count)
	var refusal *goburrow.ModbusError
	if errors.As(err, &refusal) {
		return nil, &Exception{Function: q.function, Code: refusal.ExceptionCode}
	}
	if err != nil {
		return nil, err
	}
	if want := q.shape().bytes(); len(p) != want { // Send has checked this; it is the last check before a value
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrFrame, len(p), want)
	}
	for i := range int(q.count) {
		if ofBits(q.function) {
			dst = append(dst, uint16(p[i/8]>>(i%8)&1)) // §6.1: the first one is the lowest bit of the first byte
		} else {
			dst = append(dst, binary.BigEndian.Uint16(p[2*i:]))
		}
	}
	return dst, nil
}

// mostOf returns the largest count of one read of the unit.
func (u *unit) mostOf(function byte) uint16 {
	if u.most > 0 && ofRegisters(function) {
		return min(u.most, most(function))
	}
	return most(function)
}

// wider returns the length of a widened read, in the units of a shape. If a device gives only few registers at a time,
// wider uses any length that the device can give: other programs use these lengths more often, but they are better than
// the wanted length.
func (u *unit) wider(count uint16, draw int) uint16 {
	odd := (max(count+3, widenLeast) | 1) + 2*uint16(draw)
	if u.most == 0 || odd <= u.most {
		return odd
	}
	return count + 1 + uint16(draw)%max(1, max(u.most, count+1)-count)
}

// avoids reports whether a read touches registers that must not be read.
func (u *unit) avoids(q ask) bool {
	for _, r := range u.avoid {
		if int(q.addr) <= int(r.Last) && int(r.First) < int(q.addr)+int(q.count) {
			return true
		}
	}
	return false
}

// units has every unit of a line that was asked, and distrusts all of them together.
type units struct {
	byID       map[byte]*unit
	suspicious bool // in the present exchange a frame came that we did not ask for
}

// get returns a unit; nil before the first request to it.
func (s *units) get(id byte) *unit { return s.byID[id] }

// add adds a unit.
func (s *units) add(u *unit) { s.byID[u.id] = u }

// suspect makes the next distrustNew distrust all units.
func (s *units) suspect() { s.suspicious = true }

// distrustNew is distrust if there was a suspect.
func (s *units) distrustNew() {
	if s.suspicious {
		s.distrust()
	}
}

// distrust marks every unit: a frame of it that we did not ask for may be on its way.
func (s *units) distrust() {
	s.suspicious = false
	now := tick()
	for _, u := range s.byID {
		u.trust.suspect(now)
	}
}

// expect sets how many frames that we did not ask for may be on their way from each unit.
func (s *units) expect(frames int) {
	for _, u := range s.byID {
		u.trust.unknown = frames
	}
}

// owe reports whether a damaged or missing reply may still come from any unit.
func (s *units) owe() bool {
	for _, u := range s.byID {
		if len(u.trust.debts) > 0 {
			return true
		}
	}
	return false
}

// anySilent reports whether a unit has not answered the last request.
func (s *units) anySilent() bool {
	for _, u := range s.byID {
		if u.silent > 0 {
			return true
		}
	}
	return false
}

// allSilent reports whether no unit has answered the last exchanges, as many as given.
func (s *units) allSilent(exchanges int) bool {
	for _, u := range s.byID {
		if u.silent < exchanges {
			return false
		}
	}
	return true
}
