package objects

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Encoding is how an object's registers hold its value.
type Encoding string

// The encodings. 32-bit values in RAM hold the high word first, the non-volatile counters in EEPROM
// the low word first (registers/README, "Word order rule").
const (
	F16       Encoding = "f16"        // IEEE 754-2008 binary16 in one register
	U16       Encoding = "u16"        // unsigned
	S16       Encoding = "s16"        // two's complement
	U32       Encoding = "u32"        // unsigned, high word first
	U32LO     Encoding = "u32lo"      // unsigned, low word first
	BCD16     Encoding = "bcd16"      // four binary coded decimal digits
	State16   Encoding = "state16"    // number of a state
	Bits16    Encoding = "bits16"     // bit field, bit 0 is the least significant
	Bits32    Encoding = "bits32"     // bit field of two registers, high word first
	ASCIILoHi Encoding = "ascii_lohi" // two characters a register, the low byte first; padded with zeros or blanks
	Version16 Encoding = "version16"  // major in the high byte, minor in the low one
)

// ErrNoSample says that the registers hold no value: not a number, infinity, digits that are none.
// The read was sound; the sampler counts it and sends nothing.
var ErrNoSample = errors.New("no sample")

// width returns how many registers an encoding takes, 0 when the file must say, -1 when it is unknown.
func (e Encoding) width() int {
	switch e {
	case F16, U16, S16, BCD16, State16, Bits16, Version16:
		return 1
	case U32, U32LO, Bits32:
		return 2
	case ASCIILoHi:
		return 0
	default:
		return -1
	}
}

// Decode turns the object's registers into its value. It returns ErrNoSample (wrapped) when they
// hold none. Any other error is a broken rule of the caller: a wrong count of registers, or an object whose
// disputed encoding nobody has chosen.
func (o *Object) Decode(regs []uint16) (Value, error) {
	if len(regs) != int(o.Registers) {
		return Value{}, fmt.Errorf("decode %s: %d registers, want %d", o.Name, len(regs), o.Registers)
	}
	if v, ok := o.Exact[regs[0]]; ok {
		return Number(v), nil
	}
	switch o.Encoding {
	case F16, U16, S16, U32, U32LO, BCD16:
		return o.decodeNumber(regs)
	case State16:
		return Text(o.stateName(regs[0])), nil
	case Bits16:
		return Bits(o.bitNames(uint32(regs[0]))), nil
	case Bits32:
		return Bits(o.bitNames(highFirst(regs))), nil
	case ASCIILoHi:
		return o.decodeText(regs)
	case Version16:
		return Text(fmt.Sprintf("%02d.%02d", regs[0]>>8, regs[0]&0xFF)), nil
	default:
		return Value{}, fmt.Errorf("decode %s: the encoding is disputed and none is chosen", o.Name)
	}
}

func (o *Object) decodeNumber(regs []uint16) (Value, error) {
	var f float64
	switch o.Encoding {
	case F16:
		f = half(regs[0])
	case U16:
		f = float64(regs[0])
	case S16:
		f = float64(int16(regs[0]))
	case U32:
		f = float64(highFirst(regs))
	case U32LO:
		f = float64(uint32(regs[1])<<16 | uint32(regs[0]))
	case BCD16:
		f = bcd(regs[0])
	}
	f *= o.Scale
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}, fmt.Errorf("decode %s: 0x%04X is not a number: %w", o.Name, regs[0], ErrNoSample)
	}
	return Number(f), nil
}

// decodeText reads an identity string. Anything but printable ASCII is no sample: such registers are
// blank on units that were never given a number.
func (o *Object) decodeText(regs []uint16) (Value, error) {
	text := make([]byte, 0, 2*len(regs))
	for _, r := range regs {
		text = append(text, byte(r), byte(r>>8))
	}
	end := len(text)
	for end > 0 && (text[end-1] == 0 || text[end-1] == ' ') {
		end--
	}
	for _, c := range text[:end] {
		if c < 0x20 || c > 0x7E {
			return Value{}, fmt.Errorf("decode %s: byte 0x%02X is not printable: %w", o.Name, c, ErrNoSample)
		}
	}
	return Text(string(text[:end])), nil
}

// stateName returns the name of a state. A number that no source names is reported, not hidden:
// newer firmware may know more states than the documents.
func (o *Object) stateName(n uint16) string {
	if name, ok := o.Names[n]; ok {
		return name
	}
	return "UNKNOWN_" + strconv.Itoa(int(n))
}

// bitNames returns the names of the set bits, lowest first; a bit that no source names is "bit_N".
func (o *Object) bitNames(field uint32) []string {
	names := []string{}
	for n := uint16(0); field != 0; n, field = n+1, field>>1 {
		if field&1 == 0 {
			continue
		}
		name, ok := o.Names[n]
		if !ok {
			name = "bit_" + strconv.Itoa(int(n))
		}
		names = append(names, name)
	}
	return names
}

func highFirst(regs []uint16) uint32 { return uint32(regs[0])<<16 | uint32(regs[1]) }

// half converts IEEE 754 binary16: 1 sign, 5 exponent (bias 15) and 10 fraction bits.
// Exponent 0 is zero and the subnormals, exponent 31 infinity and NaN.
func half(r uint16) float64 {
	sign := 1.0
	if r&0x8000 != 0 {
		sign = -1
	}
	exponent, fraction := int(r>>10&0x1F), float64(r&0x3FF)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1F:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	default:
		return sign * math.Ldexp(1024+fraction, exponent-25)
	}
}

// bcd reads four decimal digits; NaN when one of them is none.
func bcd(r uint16) float64 {
	n := 0
	for shift := 12; shift >= 0; shift -= 4 {
		digit := int(r >> shift & 0xF)
		if digit > 9 {
			return math.NaN()
		}
		n = n*10 + digit
	}
	return float64(n)
}
