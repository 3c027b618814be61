package objects

import "math"

// Encoding is how an object's registers hold its value.
type Encoding string

// The encodings. Those of more than one register are in the object's Order; an older spelling of CDAB is the word "lo"
// at their end. The controllers' 32-bit values in RAM hold the high word first, their non-volatile counters in EEPROM
// the low one.
const (
	F16       Encoding = "f16"        // IEEE 754-2008 binary16 in one register
	F32       Encoding = "f32"        // binary32
	F32LO     Encoding = "f32lo"      // binary32, low word first
	F64       Encoding = "f64"        // binary64 in four registers
	U8        Encoding = "u8"         // unsigned, the low byte of one register
	S8        Encoding = "s8"         // two's complement, the low byte of one register
	SM8       Encoding = "sm8"        // sign (the top bit, set: minus) and magnitude, the low byte of one register
	U16       Encoding = "u16"        // unsigned
	S16       Encoding = "s16"        // two's complement
	SM16      Encoding = "sm16"       // sign and magnitude
	U32       Encoding = "u32"        // unsigned
	U32LO     Encoding = "u32lo"      // unsigned, low word first
	S32       Encoding = "s32"        // two's complement
	S32LO     Encoding = "s32lo"      // two's complement, low word first
	SM32      Encoding = "sm32"       // sign and magnitude
	U64       Encoding = "u64"        // unsigned, four registers; above 2^53 rounded to what a float64 holds
	S64       Encoding = "s64"        // two's complement, four registers; rounded likewise
	BCD16     Encoding = "bcd16"      // four binary coded decimal digits
	Pow10     Encoding = "pow10"      // ten to the power of a two's complement number: 0xFFFF is 0.1
	Boolean   Encoding = "bool"       // true or false; one bit
	State16   Encoding = "state16"    // number of a state
	Bits16    Encoding = "bits16"     // bit field, bit 0 is the least significant
	Bits32    Encoding = "bits32"     // bit field of two registers
	Bits32LO  Encoding = "bits32lo"   // bit field of two registers, low word first
	Bits64    Encoding = "bits64"     // bit field of four registers
	Bits64LO  Encoding = "bits64lo"   // bit field of four registers, lowest word first
	ASCIILoHi Encoding = "ascii_lohi" // two characters a register, the low byte first; padded with zeros or blanks
	ASCIIHiLo Encoding = "ascii_hilo" // two characters a register, the high byte first; padded with zeros or blanks
	Version16 Encoding = "version16"  // major in the high byte, minor in the low one
	IPv4LoHi  Encoding = "ipv4_lohi"  // four bytes of an address, the low byte of the first register first
	MACLoHi   Encoding = "mac_lohi"   // six bytes of an address, the low byte of the first register first
)

// Encodings returns all encodings, in the order of the declaration above.
func Encodings() []Encoding {
	return []Encoding{
		F16, F32, F32LO, F64, U8, S8, SM8, U16, S16, SM16, U32, U32LO, S32, S32LO, SM32, U64, S64, BCD16, Pow10,
		Boolean, State16,
		Bits16, Bits32, Bits32LO, Bits64, Bits64LO, ASCIILoHi, ASCIIHiLo, Version16, IPv4LoHi, MACLoHi,
	}
}

// width returns the number of registers of an encoding; 0 if the file must give it; -1 for an unknown encoding.
func (e Encoding) width() int {
	switch e {
	case F16, U8, S8, SM8, U16, S16, SM16, BCD16, Pow10, Boolean, State16, Bits16, Version16:
		return 1
	case F32, F32LO, U32, U32LO, S32, S32LO, SM32, Bits32, Bits32LO, IPv4LoHi:
		return 2
	case MACLoHi:
		return 3
	case F64, U64, S64, Bits64, Bits64LO:
		return 4
	case ASCIILoHi, ASCIIHiLo:
		return 0
	default:
		return -1
	}
}

// kind returns the kind of the values. For "", an encoding that is not chosen yet, it returns KindNumber.
func (e Encoding) kind() Kind {
	switch e {
	case State16, ASCIILoHi, ASCIIHiLo, Version16, IPv4LoHi, MACLoHi:
		return KindText
	case Bits16, Bits32, Bits32LO, Bits64, Bits64LO:
		return KindBits
	case Boolean:
		return KindBool
	default:
		return KindNumber
	}
}

// named reports whether the encoding needs a table of names.
func (e Encoding) named() bool { return e == State16 || e.kind() == KindBits }

// text reports whether the registers are bytes, and no one number.
func (e Encoding) text() bool { return e.kind() == KindText && e != State16 }

// float reports whether a raw number is a pattern of which no part means anything.
func (e Encoding) float() bool { return e == F16 || e == F32 || e == F32LO || e == F64 }

// byteWide reports whether the encoding reads eight bits of its register.
func (e Encoding) byteWide() bool { return e == U8 || e == S8 || e == SM8 }

// lowFirst reports whether the first register holds the low word, whatever the order.
func (e Encoding) lowFirst() bool {
	switch e {
	case F32LO, U32LO, S32LO, Bits32LO, Bits64LO:
		return true
	default:
		return false
	}
}

// field returns what the encoding reads of so many registers; of the 8-bit ones the low byte.
func (e Encoding) field(registers uint16) Field {
	if e.byteWide() {
		return Field{Width: 8}
	}
	return Field{Width: uint8(16 * min(registers, 4))}
}

// number returns what a raw number of so many bits means before it is scaled; NaN when it is none.
func (e Encoding) number(raw uint64, width uint8) float64 {
	switch e {
	case F16:
		return half(uint16(raw))
	case F32, F32LO:
		return float64(math.Float32frombits(uint32(raw)))
	case F64:
		return math.Float64frombits(raw)
	case S8, S16, S32, S32LO, S64:
		return float64(signed(raw, width))
	case SM8, SM16, SM32:
		sign := uint64(1) << (width - 1)
		if raw&sign != 0 {
			return -float64(raw &^ sign)
		}
		return float64(raw)
	case Pow10:
		if n := signed(raw, width); n >= -mostPower && n <= mostPower {
			return math.Pow10(int(n))
		}
		return math.NaN() // no device means this: no factor
	case BCD16:
		return bcd(uint16(raw))
	default:
		return float64(raw)
	}
}

// mostPower bounds the exponent of a Pow10. SunSpec's factors go from -10 to 10.
const mostPower = 20

// signed reads two's complement of so many bits.
func signed(raw uint64, width uint8) int64 { return int64(raw<<(64-width)) >> (64 - width) }

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
