package modbus

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	goburrow "github.com/goburrow/modbus"
)

// maxIdentityReplies limits how often a slave may answer that more follows. The basic stream has three objects, so a
// correct slave needs at most three replies.
const maxIdentityReplies = 8

// Identity is the identification that a slave gives. A field that the slave does not give is empty. Texts end at the
// first zero byte, have no blanks at either end, and only printable characters.
type Identity struct {
	Vendor, ProductCode, Revision string
	At                            time.Time // Options.Now() at the arrival of the last byte
}

// Identify asks for the basic identification: function 0x2B/0x0E, objects 0x00 to 0x02. Errors are those of Read; if a
// slave does not know the function, the error is an *Exception with code 1.
func (l *Line) Identify(ctx context.Context, unit byte) (Identity, error) {
	l.ctx = ctx
	defer func() { l.ctx = context.Background() }()
	id, err := l.identify(unit)
	if err != nil {
		return Identity{}, fmt.Errorf("identify unit %d: %w", unit, err)
	}
	return id, nil
}

func (l *Line) identify(id byte) (Identity, error) {
	var found Identity
	next := byte(0)
	for range maxIdentityReplies {
		adu, err := l.unit(id).encode.Encode(&goburrow.ProtocolDataUnit{
			FunctionCode: FuncEncapsulated,
			Data:         []byte{meiDeviceID, readBasic, next},
		})
		if err != nil {
			return Identity{}, err
		}
		frame, err := l.Send(adu)
		if err != nil {
			return Identity{}, err
		}
		if frame[1]&exceptionBit != 0 {
			return Identity{}, &Exception{Function: FuncEncapsulated, Code: frame[2]}
		}
		found.At = l.at
		more, then := found.take(frame)
		if !more {
			return found, nil
		}
		if then <= next { // otherwise the requests would never end
			return Identity{}, fmt.Errorf("%w: object 0x%02X follows 0x%02X", ErrFrame, then, next)
		}
		next = then
	}
	return Identity{}, fmt.Errorf("%w: more than %d replies", ErrFrame, maxIdentityReplies)
}

// ServerID asks with function 0x11. Each manufacturer defines the answer: an id and a status byte, and often text.
// ServerID returns the words in it; zero bytes separate words, as blanks do. Errors are those of Read.
func (l *Line) ServerID(ctx context.Context, unit byte) (text string, at time.Time, err error) {
	l.ctx = ctx
	defer func() { l.ctx = context.Background() }()
	adu, err := l.unit(unit).encode.Encode(&goburrow.ProtocolDataUnit{FunctionCode: FuncReportServerID})
	if err == nil {
		adu, err = l.Send(adu)
	}
	if err == nil && adu[1]&exceptionBit != 0 {
		err = &Exception{Function: FuncReportServerID, Code: adu[2]}
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("report server id of unit %d: %w", unit, err)
	}
	return CleanText(bytes.ReplaceAll(adu[3:len(adu)-2], []byte{0}, []byte{' '})), l.at, nil
}

// take reads the objects of a whole, checked reply. It returns whether more objects follow, and the number of the next
// one.
func (id *Identity) take(frame []byte) (more bool, next byte) {
	objects := frame[8 : len(frame)-2]
	for range frame[7] {
		size := int(objects[1])
		text := CleanText(objects[2 : 2+size])
		switch objects[0] {
		case 0x00:
			id.Vendor = text
		case 0x01:
			id.ProductCode = text
		case 0x02:
			id.Revision = text
		}
		objects = objects[2+size:]
	}
	return frame[5] == 0xFF, frame[6]
}

// CleanText returns a text of a device in a form that can be shown and sent. Devices send control characters in a text,
// and other bytes after its end.
func CleanText(raw []byte) string {
	raw, _, _ = bytes.Cut(raw, []byte{0})
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, string(raw)))
}
