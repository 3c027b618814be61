package objects

import "math"

// Encoding is how an object's registers hold its value.
type Encoding string

// The encodings. Those with "lo" hold the low word first; the others the high word. The controllers' 32-bit values in RAM
// hold the high word first, their non-volatile counters in EEPROM the low one.
const (
	F16       Encoding = "f16"        // IEEE 754-2008 binary16 in one register
	F32       Encoding = "f32"        // binary32, high word first
	F32LO     Encoding = "f32lo"      // binary32, low word first
	U8        Encoding = "u8"         // unsigned, the low byte of one register
	S8        Encoding = "s8"         // two's complement, the low byte of one register
	U16       Encoding = "u16"        // unsigned
	S16       Encoding = "s16"        // two's complement
	U32       Encoding = "u32"        // unsigned, high word first
	U32LO     Encoding = "u32lo"      // unsigned, low word first
	S32       Encoding = "s32"        // two's complement, high word first
	S32LO     Encoding = "s32lo"      // two's complement, low word first
	BCD16     Encoding = "bcd16"      // four binary coded decimal digits
	State16   Encoding = "state16"    // number of a state
	Bits16    Encoding = "bits16"     // bit field, bit 0 is the least significant
	Bits32    Encoding = "bits32"     // bit field of two registers, high word first
	Bits32LO  Encoding = "bits32lo"   // bit field of two registers, low word first
	Bits64    Encoding = "bits64"     // bit field of four registers, highest word first
	Bits64LO  Encoding = "bits64lo"   // bit field of four registers, lowest word first
	ASCIILoHi Encoding = "ascii_lohi" // two characters a register, the low byte first; padded with zeros or blanks
	ASCIIHiLo Encoding = "ascii_hilo" // two characters a register, the high byte first; padded with zeros or blanks
	Version16 Encoding = "version16"  // major in the high byte, minor in the low one
	IPv4LoHi  Encoding = "ipv4_lohi"  // four bytes of an address, the low byte of the first register first
	MACLoHi   Encoding = "mac_lohi"   // six bytes of an address, the low byte of the first register first
)

// Encodings returns all of them, in the order of the declaration above.
func Encodings() []Encoding {
	return []Encoding{
		F16, F32, F32LO, U8, S8, U16, S16, U32, U32LO, S32, S32LO, BCD16, State16, Bits16, Bits32, Bits32LO, Bits64, Bits64LO,
		ASCIILoHi, ASCIIHiLo, Version16, IPv4LoHi, MACLoHi,
	}
}

// width returns how many registers an encoding takes, 0 when the file must say, -1 when it is unknown.
func (e Encoding) width() int {
	switch e {
	case F16, U8, S8, U16, S16, BCD16, State16, Bits16, Version16:
		return 1
	case F32, F32LO, U32, U32LO, S32, S32LO, Bits32, Bits32LO, IPv4LoHi:
		return 2
	case MACLoHi:
		return 3
	case Bits64, Bits64LO:
		return 4
	case ASCIILoHi, ASCIIHiLo:
		return 0
	default:
		return -1
	}
}

// kind returns the shape of the values; that of an encoding nobody has chosen is a number.
func (e Encoding) kind() Kind {
	switch e {
	case State16, ASCIILoHi, ASCIIHiLo, Version16, IPv4LoHi, MACLoHi:
		return KindText
	case Bits16, Bits32, Bits32LO, Bits64, Bits64LO:
		return KindBits
	default:
		return KindNumber
	}
}

// named reports whether the encoding needs a table of names.
func (e Encoding) named() bool { return e == State16 || e.kind() == KindBits }

// lowFirst reports whether the first register holds the low word.
func (e Encoding) lowFirst() bool {
	switch e {
	case F32LO, U32LO, S32LO, Bits32LO, Bits64LO:
		return true
	default:
		return false
	}
}

// raw returns up to four registers as one whole number; of the 8-bit encodings the low byte alone.
func (e Encoding) raw(regs []uint16) uint64 {
	var n uint64
	low := e.lowFirst()
	for i, r := range regs {
		if low {
			n |= uint64(r) << (16 * i)
		} else {
			n = n<<16 | uint64(r)
		}
	}
	if e == U8 || e == S8 {
		n &= 0xFF
	}
	return n
}

// number returns what a raw number means before it is scaled; NaN when it is none.
func (e Encoding) number(raw uint64) float64 {
	switch e {
	case F16:
		return half(uint16(raw))
	case F32, F32LO:
		return float64(math.Float32frombits(uint32(raw)))
	case S8:
		return float64(int8(raw))
	case S16:
		return float64(int16(raw))
	case S32, S32LO:
		return float64(int32(raw))
	case BCD16:
		return bcd(uint16(raw))
	default:
		return float64(raw)
	}
}

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
