package objects

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// The reasons why a good read gives no sample. The sampler counts each and sends nothing. All of them are ErrNoSample.
var (
	// ErrNoSample: the registers hold no value: NaN, infinity, invalid BCD digits, a factor of zero.
	ErrNoSample = errors.New("no sample")
	// ErrAbsent: the registers hold the number that means "no sensor connected" in the document.
	ErrAbsent = fmt.Errorf("%w: the sensor is absent", ErrNoSample)
	// ErrOutOfRange: the value is outside the range of the document.
	ErrOutOfRange = fmt.Errorf("%w: out of range", ErrNoSample)
	// ErrFirmware: the slave's firmware is older than the object's address and encoding.
	ErrFirmware = fmt.Errorf("%w: the firmware is older than this register map", ErrNoSample)
)

// Decode turns the object's registers into its value. It returns ErrNoSample (wrapped) if they hold none. Any other
// error is a mistake of the caller: a wrong number of registers, an object that needs other registers too (DecodeSpan),
// or an object whose disputed encoding is not selected.
func (o *Object) Decode(regs []uint16) (Value, error) {
	if len(regs) != int(o.Registers) || len(regs) == 0 {
		return Value{}, fmt.Errorf("decode %s: %d registers, want %d", o.Name, len(regs), o.Registers)
	}
	if o.leans() {
		return Value{}, fmt.Errorf("decode %s: it needs the registers of its span, not its own alone", o.Name)
	}
	return o.value(regs, 1, o.Names)
}

// value decodes the object's own registers. If the object has High, the high word comes first.
func (o *Object) value(regs []uint16, factor float64, names map[uint16]string) (Value, error) {
	if o.Encoding == "" {
		return Value{}, fmt.Errorf("decode %s: the encoding is disputed and none is chosen", o.Name)
	}
	if o.Encoding.text() {
		return o.textValue(regs)
	}
	raw := o.Raw(regs)
	if v, ok := o.Exact[raw]; ok {
		return Number(v), nil
	}
	if slices.Contains(o.Absent, raw) {
		return Value{}, fmt.Errorf("decode %s: 0x%02X: %w", o.Name, raw, ErrAbsent)
	}
	switch kind := o.Encoding.kind(); {
	case kind == KindNumber:
		return o.numberValue(raw, factor)
	case kind == KindBits:
		return Bits(bitNames(names, raw)), nil
	case o.Encoding == State16:
		return Text(stateName(names, uint16(raw))), nil
	case names != nil:
		return Text(stateName(names, uint16(min(raw, 1)))), nil
	default:
		return Bool(raw != 0), nil
	}
}

func (o *Object) numberValue(raw uint64, factor float64) (Value, error) {
	f := o.Encoding.number(raw, o.Bits().Width) * (o.Scale * factor)
	if o.Offset != 0 { // adding 0 would make 0 from a negative zero
		f += o.Offset
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}, fmt.Errorf("decode %s: 0x%04X is not a number: %w", o.Name, raw, ErrNoSample)
	}
	if o.Range != nil && !o.Range.holds(f) {
		return Value{}, fmt.Errorf("decode %s: %g is not within %s: %w", o.Name, f, o.Range, ErrOutOfRange)
	}
	return Number(f), nil
}

func (o *Object) textValue(regs []uint16) (Value, error) {
	switch o.Encoding {
	case Version16:
		return Text(fmt.Sprintf("%02d.%02d", regs[0]>>8, regs[0]&0xFF)), nil
	case IPv4LoHi:
		b := bytesOf(regs, false)
		return Text(fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3])), nil
	case MACLoHi:
		b := bytesOf(regs, false)
		return Text(fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])), nil
	default:
		return o.printable(bytesOf(regs, o.Encoding == ASCIIHiLo))
	}
}

// bytesOf returns the two bytes of each register.
func bytesOf(regs []uint16, highFirst bool) []byte {
	b := make([]byte, 0, 2*len(regs))
	for _, r := range regs {
		if highFirst {
			r = bits.ReverseBytes16(r)
		}
		b = append(b, byte(r), byte(r>>8))
	}
	return b
}

// printable returns a text up to its first zero. If it has other bytes than printable ASCII, it returns an error: a
// unit that never got a serial number has such registers.
func (o *Object) printable(text []byte) (Value, error) {
	end := slices.Index(text, 0)
	if end < 0 {
		end = len(text)
	}
	for _, c := range text[:end] {
		if c < 0x20 || c > 0x7E {
			return Value{}, fmt.Errorf("decode %s: byte 0x%02X is not printable: %w", o.Name, c, ErrNoSample)
		}
	}
	return Text(strings.TrimRight(string(text[:end]), " ")), nil
}

// stateName returns the name of a state. A number without a name in the documents gives UNKNOWN_N: newer firmware may
// have more states.
func stateName(names map[uint16]string, n uint16) string {
	if name, ok := names[n]; ok {
		return name
	}
	return "UNKNOWN_" + strconv.Itoa(int(n))
}

// bitNames returns the names of the set bits, lowest first. A bit without a name in the documents is "bit_N".
func bitNames(names map[uint16]string, field uint64) []string {
	set := make([]string, 0, bits.OnesCount64(field))
	for ; field != 0; field &= field - 1 {
		n := uint16(bits.TrailingZeros64(field))
		name, ok := names[n]
		if !ok {
			name = "bit_" + strconv.Itoa(int(n))
		}
		set = append(set, name)
	}
	return set
}
