package modbus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// mbapHead is the length of an MBAP header with its unit id: transaction, protocol, length, unit.
const mbapHead = 7

// wordIgnore is the Settings.TransactionID for devices that do not send back the id.
const (
	wordCheck  = "check"
	wordIgnore = "ignore"
)

// errMBAP: the stream is out of step, and only a new connection brings it back.
var errMBAP = errors.New("not a Modbus TCP frame (malformed MBAP header)")

// tcpPort is a Modbus TCP device as a port of RTU frames: it replaces the CRC of a request by a transaction id, and the
// id of a reply by a CRC. Only a frame with the id, unit, function and byte count of the last request becomes a reply.
// All other frames are reported to stray.
type tcpPort struct {
	conn    *netPort
	loose   bool        // the id proves nothing
	stray   func(stray) // nil: not reported
	timeout time.Duration

	ids     *transactions
	q       ask  // the last request
	waiting bool // it has not been answered
	answers int  // over this connection
	request [mbapHead + maxFrame]byte
	in      [2 * (mbapHead + maxFrame)]byte // received, not yet a whole frame
	have    int
	frame   [maxFrame]byte // the reply as an RTU frame
	size    int            // of its unit id and PDU
	out     []byte         // the part of frame that was not read yet
}

// stray is a frame that is not the answer to the last request.
type stray struct {
	frame []byte // unit id and PDU; valid during the call
	sort  straySort
	id    uint16
	after time.Duration // since the request with this id; 0: there is none
	fits  bool          // except for its id it fits the waiting request
}

type straySort int

const (
	strayID     straySort = iota // an id that none of our latest requests had
	strayLate                    // the answer to an earlier request, on the same connection
	strayMoved                   // the same, to a request over an earlier connection
	strayDouble                  // a second frame with the id of a request
	strayMisfit                  // our id, but another unit, function or length
)

// dialTCP connects to a Modbus TCP device.
func dialTCP(s Settings, connect Connect) (Port, error) {
	conn, err := dialNet(s, connect, schemeTCP, DefaultTCPPort)
	if err != nil {
		return nil, err
	}
	return &tcpPort{conn: conn, loose: s.TransactionID == wordIgnore, ids: &transactions{}}, nil
}

func (p *tcpPort) redial() error {
	p.have, p.out, p.waiting, p.answers = 0, nil, false, 0
	p.ids.dial++
	return p.conn.redial()
}

func (p *tcpPort) SetReadTimeout(d time.Duration) error {
	p.timeout = d
	return nil
}

func (p *tcpPort) Close() error { return p.conn.Close() }

// Write sends one RTU request frame.
func (p *tcpPort) Write(adu []byte) (n int, err error) {
	if p.q, err = parseRequest(adu, true); err != nil {
		return 0, err
	}
	p.waiting, p.out = true, nil
	body := adu[:len(adu)-2] // without the CRC
	frame := binary.BigEndian.AppendUint16(p.request[:0], p.ids.begin(tick()))
	frame = append(frame, 0, 0)
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(body)))
	if _, err := p.conn.Write(append(frame, body...)); err != nil {
		return 0, err
	}
	return len(adu), nil
}

// Read returns bytes of the reply as an RTU frame. If another frame comes, it returns (0, nil) before the read timeout.
// With timeout 0 it reads everything that has arrived.
func (p *tcpPort) Read(b []byte) (int, error) {
	if err := p.conn.SetReadTimeout(p.timeout); err != nil {
		return 0, err
	}
	for more := true; more && len(p.out) == 0; more = p.timeout <= 0 {
		n, err := p.conn.Read(p.in[p.have:])
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, p.checkLength()
		}
		p.have += n
		if err := p.unpack(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

// unpack takes whole MBAP frames off what was received.
func (p *tcpPort) unpack() error {
	for p.have >= mbapHead {
		head := p.in[:p.have]
		protocol, length := binary.BigEndian.Uint16(head[2:]), int(binary.BigEndian.Uint16(head[4:]))
		if protocol != 0 || length < 2 || length > maxFrame-2 {
			return fmt.Errorf("%w: % X", errMBAP, head[:mbapHead])
		}
		whole := mbapHead - 1 + length
		if p.have < whole {
			return nil
		}
		p.sortOut(binary.BigEndian.Uint16(head), head[mbapHead-1:whole])
		p.have = copy(p.in[:], p.in[whole:p.have])
	}
	return nil
}

// checkLength returns errMBAP if the reply at the begin of the buffer is whole, but its header announces more bytes
// that do not come.
func (p *tcpPort) checkLength() error {
	if p.have < mbapHead {
		return nil
	}
	said, body := int(binary.BigEndian.Uint16(p.in[4:])), p.in[mbapHead-1:p.have]
	if need, whole, err := replyNeed(body); err != nil || !whole || need-2 > len(body) || need-2 >= said {
		return nil
	}
	return fmt.Errorf("%w: it says %d bytes, and the reply has fewer: % X", errMBAP, said, p.in[:p.have])
}

// spent reports whether the last answer was read and no byte followed, on a connection that does not end after each
// answer.
func (p *tcpPort) spent() bool { return !p.waiting && p.answers > 1 && p.have == 0 && len(p.out) == 0 }

// repeats reports whether unit id and PDU are the same as in the last answer.
func (p *tcpPort) repeats(body []byte) bool { return bytes.Equal(body, p.frame[:p.size]) }

// sortOut decides whether a frame is the answer, or which kind of stray frame. Only one frame is the answer.
func (p *tcpPort) sortOut(id uint16, body []byte) {
	now, fits := tick(), p.waiting && p.fits(body)
	s := stray{frame: body, id: id, fits: fits}
	sent := p.ids.find(id)
	if sent != nil {
		s.after = now.Sub(sent.at)
	}
	switch {
	case p.ids.belongs(id, p.loose) && p.waiting:
		if fits {
			p.waiting, p.ids.newest().answered = false, true
			p.out, p.size = appendCRC(append(p.frame[:0], body...)), len(body)
			p.answers++
			return
		}
		s.sort = strayMisfit
	case p.loose && sent == nil && p.ids.belongs(id, true):
		s.sort = strayDouble
	case sent == nil:
		s.sort = strayID
	case sent.answered:
		s.sort = strayDouble
	case sent.dial != p.ids.dial:
		sent.answered, s.sort = true, strayMoved
	default:
		sent.answered, s.sort = true, strayLate
	}
	if p.stray != nil {
		p.stray(s)
	}
}

// fits reports whether unit id and PDU answer the last request.
func (p *tcpPort) fits(body []byte) bool {
	var frame [maxFrame]byte
	v := judge(p.q, appendCRC(append(frame[:0], body...)))
	return v == answer || v == exception
}

// appendCRC appends the checksum of a frame to it.
func appendCRC(frame []byte) []byte {
	sum := crc16(frame)
	return append(frame, byte(sum), byte(sum>>8))
}
