package sim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"noi-agent/objects"
)

// notANumber is the quiet NaN of half precision. Controllers use it for a sensor that is absent.
const notANumber = 0x7E00

// Encode is the reverse of objects.Object.Decode: it returns the registers of o for the value v. A number is rounded to
// the nearest that the encoding has, ties to even. The zero Value means "no value". Only half precision (NaN) and an
// object with a raw number for an absent sensor can encode it.
//
// It fails if the encoding cannot hold v: a number out of range, an unknown name of a state or bit, a text that is too
// long, or a kind of value that the object does not have. It also fails for a disputed encoding that is not chosen, and
// for an object that needs other registers (use EncodeSpan).
func Encode(o *objects.Object, v objects.Value) ([]uint16, error) {
	if o.High != nil || o.Times != nil || o.Since != nil || o.NamesBy != nil {
		return nil, fmt.Errorf("encode %s: the object depends on other registers; use EncodeSpan", o.Name)
	}
	return encodeOwn(o, v, 1, o.Names)
}

// EncodeSpan is the reverse of objects.Object.DecodeSpan: it writes v into span, the registers of o.Span. It uses the
// scale and the mode that span has already. It does not change other registers, or bits of other objects. It fails like
// Encode, and if span has no scale.
func EncodeSpan(o *objects.Object, v objects.Value, span []uint16) error {
	addr, _ := o.Span()
	factor, names := 1.0, o.Names
	for i := range o.Times {
		from, count := o.Times[i].Span()
		scale, err := o.Times[i].Decode(span[from-addr:][:count])
		if err != nil || scale.Float() == 0 {
			return fmt.Errorf("encode %s: %s holds no scale", o.Name, o.Times[i].Name)
		}
		factor *= scale.Float()
	}
	if o.NamesBy != nil {
		p := &o.NamesBy.Object
		names = o.NamesBy.Tables[uint16(p.Raw(span[p.Address-addr:][:1]))]
	}
	regs, err := encodeOwn(o, v, factor, names)
	if err != nil {
		return err
	}
	mask := ownBits(o)
	for i, r := range regs {
		at := o.Address - addr + uint16(i)
		if o.High != nil && i == 0 {
			at = *o.High - addr
		} else if o.High != nil {
			at = o.Address - addr
		}
		span[at] = span[at]&^mask[i] | r
	}
	return nil
}

func encodeOwn(o *objects.Object, v objects.Value, factor float64, names map[uint16]string) ([]uint16, error) {
	switch {
	case v.Kind() == 0 && len(o.Absent) > 0:
		return words(o, o.Absent[0]), nil
	case v.Kind() == 0 && o.Encoding == objects.F16:
		return []uint16{notANumber}, nil
	case v.Kind() != o.Kind():
		return nil, fmt.Errorf("encode %s: the object does not hold this kind of value (%q)", o.Name, v.String())
	case o.Range != nil && v.Kind() == objects.KindNumber && (v.Float() < o.Range.Min || v.Float() > o.Range.Max):
		return nil, fmt.Errorf("encode %s: %s is not within %s", o.Name, v, o.Range)
	}
	regs, err := encode(o, v, factor, names)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", o.Name, err)
	}
	return regs, nil
}

func encode(o *objects.Object, v objects.Value, factor float64, names map[uint16]string) ([]uint16, error) {
	switch o.Encoding {
	case objects.ASCIILoHi, objects.ASCIIHiLo:
		return encodeText(v.String(), int(o.Registers), o.Encoding == objects.ASCIIHiLo)
	case objects.Version16:
		return encodeVersion(v.String())
	case objects.IPv4LoHi:
		return encodeBytes(v.String(), ".", 10, 4)
	case objects.MACLoHi:
		return encodeBytes(v.String(), ":", 16, 6)
	case "":
		return nil, fmt.Errorf("the encoding is disputed and none is chosen")
	}
	raw, err := encodeRaw(o, v, factor, names)
	return words(o, raw), err
}

// encodeRaw returns the raw number of a value: of a bool, of bits, of a state, or of a number.
func encodeRaw(o *objects.Object, v objects.Value, factor float64, names map[uint16]string) (uint64, error) {
	width := o.Bits().Width
	switch {
	case v.Kind() == objects.KindBool:
		return uint64(v.Float()), nil
	case v.Kind() == objects.KindBits:
		return encodeBits(names, v.Names(), uint16(width-1))
	case v.Kind() == objects.KindText:
		most := uint16(1)
		if o.Encoding == objects.State16 {
			most = 1<<width - 1
		}
		n, err := number(names, v.String(), "UNKNOWN_", 0, most)
		return uint64(n), err
	}
	raw, err := encodeNumber(o.Encoding, width, (v.Float()-o.Offset)/(o.Scale*factor))
	if value, special := o.Exact[raw]; err == nil && (!special || value == v.Float()) {
		return raw, nil
	}
	for exact, value := range o.Exact {
		if value == v.Float() {
			return exact, nil
		}
	}
	return 0, cmp.Or(err, fmt.Errorf("0x%X stands for another number", raw))
}

// words splits a raw number into the object's registers, in their order. If the object has High, the high word comes
// first.
func words(o *objects.Object, raw uint64) []uint16 {
	regs, raw := make([]uint16, o.Registers), raw<<o.Bits().Low
	for i := range regs {
		regs[i] = uint16(raw >> (16 * i))
		if o.Order == objects.BADC || o.Order == objects.DCBA {
			regs[i] = regs[i]<<8 | regs[i]>>8
		}
	}
	if o.Order != objects.CDAB && o.Order != objects.DCBA && !strings.HasSuffix(string(o.Encoding), "lo") {
		slices.Reverse(regs)
	}
	return regs
}

// ownBits returns the masks of the object's bits, one for each register, in the order of words.
func ownBits(o *objects.Object) []uint16 {
	switch o.Encoding {
	case objects.ASCIILoHi, objects.ASCIIHiLo, objects.Version16, objects.IPv4LoHi, objects.MACLoHi:
		return slices.Repeat([]uint16{math.MaxUint16}, int(o.Registers))
	default:
		return words(o, 1<<o.Bits().Width-1)
	}
}

// whole returns the least and the greatest whole number of an encoding with width bits.
func whole(e objects.Encoding, width uint8) (least, most float64) {
	top := math.Ldexp(1, int(width))
	switch e {
	case objects.S8, objects.S16, objects.S32, objects.S32LO, objects.S64, objects.Pow10:
		return -top / 2, top/2 - 1
	case objects.SM8, objects.SM16, objects.SM32:
		return 1 - top/2, top/2 - 1
	case objects.BCD16:
		return 0, 9999
	default:
		return 0, top - 1
	}
}

// encodeNumber returns the raw number of width bits that is nearest to f.
func encodeNumber(e objects.Encoding, width uint8, f float64) (uint64, error) {
	switch e {
	case objects.F16:
		r := half(f)
		if r&0x7C00 == 0x7C00 {
			return 0, fmt.Errorf("%g is beyond half precision", f)
		}
		return uint64(r), nil
	case objects.F32, objects.F32LO:
		r := float32(f)
		if math.IsNaN(float64(r)) || math.IsInf(float64(r), 0) {
			return 0, fmt.Errorf("%g is beyond single precision", f)
		}
		return uint64(math.Float32bits(r)), nil
	case objects.F64:
		return math.Float64bits(f), nil
	case objects.Pow10:
		f = math.Log10(f)
	}
	least, most := whole(e, width)
	f = math.RoundToEven(f)
	if !(f >= least && f <= most) { // so written, NaN fails too
		return 0, fmt.Errorf("%g is not within %g to %g", f, least, most)
	}
	switch e {
	case objects.BCD16:
		return digits(int64(f)), nil
	case objects.SM8, objects.SM16, objects.SM32:
		if math.Signbit(f) {
			return 1<<(width-1) | uint64(-f), nil
		}
		return uint64(f), nil
	}
	switch { // most of 64 bits is rounded up to a power of two
	case f >= 0x1p64:
		return math.MaxUint64, nil
	case f >= 0x1p63 && e == objects.S64:
		return math.MaxInt64, nil
	case f >= 0x1p63:
		return uint64(f), nil
	default:
		return uint64(int64(f)) & (1<<width - 1), nil // the other bits mean nothing
	}
}

// half returns the IEEE 754 binary16 that is nearest to f, ties to even. It starts from float64, because some numbers
// would be rounded twice by way of float32. For 65520 or more the result is infinity: 65520 is halfway between the
// greatest finite number and the next power of two.
func half(f float64) uint16 {
	var sign uint16
	if math.Signbit(f) {
		sign = 0x8000
	}
	a := math.Abs(f)
	switch {
	case math.IsNaN(f):
		return notANumber
	case a >= 65520:
		return sign | 0x7C00
	case a < 0x1p-14:
		// A subnormal counts units of 2^-24. Rounding up to 1024 of them gives 0x0400, the least normal number.
		return sign | uint16(math.RoundToEven(a*0x1p24))
	}
	fraction, exponent := math.Frexp(a) // a = fraction * 2^exponent, fraction in [0.5, 1)
	// bits has 11 bits with the hidden bit on top. A carry out of these bits increases the exponent, as it must. The
	// exponent's bias is 15, less 1 because Frexp's fraction is below 1.
	bits := uint16(math.RoundToEven(fraction*0x1p11)) - 1<<10
	return sign | (uint16(exponent+14)<<10 + bits)
}

// digits writes a number of up to four digits as binary coded decimal.
func digits(n int64) uint64 {
	var r uint64
	for shift := 0; n > 0; shift += 4 {
		r |= uint64(n%10) << shift
		n /= 10
	}
	return r
}

// number finds a state or a bit by its name. If several have the name, it returns the lowest that is at least from. For
// a number without a name, Decode returns prefix and number ("UNKNOWN_9", "bit_23"); number accepts such a name too.
func number(names map[uint16]string, name, prefix string, from, most uint16) (uint16, error) {
	var found []uint16
	for n, known := range names {
		if known == name && n >= from {
			found = append(found, n)
		}
	}
	if len(found) > 0 {
		return slices.Min(found), nil
	}
	text, ok := strings.CutPrefix(name, prefix)
	n, err := strconv.ParseUint(text, 10, 16)
	if !ok || err != nil || n > uint64(most) {
		return 0, fmt.Errorf("there is no %q", name)
	}
	return uint16(n), nil
}

// encodeBits sets one bit for each name. The names come in the order of the bits, lowest first. Several bits may have
// the same name ("reserved"); a repeated name then means the next bit with that name.
func encodeBits(known map[uint16]string, names []string, most uint16) (uint64, error) {
	var field uint64
	next := uint16(0)
	for _, name := range names {
		n, err := number(known, name, "bit_", next, most)
		if err != nil {
			return 0, err
		}
		field |= 1 << n
		next = n + 1
	}
	return field, nil
}

// encodeText puts two characters into each register, and fills the rest with zeros. The first character of a register
// is the high byte if highFirst, else the low byte.
func encodeText(text string, registers int, highFirst bool) ([]uint16, error) {
	if len(text) > 2*registers {
		return nil, fmt.Errorf("%q is longer than %d characters", text, 2*registers)
	}
	regs := make([]uint16, registers)
	for i := range len(text) {
		shift := 8 * (i % 2)
		if highFirst {
			shift = 8 - shift
		}
		regs[i/2] |= uint16(text[i]) << shift
	}
	return regs, nil
}

// encodeVersion encodes "01.04" as major 1 (high byte) and minor 4 (low byte).
func encodeVersion(text string) ([]uint16, error) {
	first, second, ok := strings.Cut(text, ".")
	major, err := strconv.ParseUint(first, 10, 8)
	minor, err2 := strconv.ParseUint(second, 10, 8)
	if !ok || err != nil || err2 != nil {
		return nil, fmt.Errorf("want a version as in 01.04, not %q", text)
	}
	return []uint16{uint16(major<<8 | minor)}, nil
}

// encodeBytes encodes the bytes of a network address. The first byte is the low byte of the first register.
func encodeBytes(text, separator string, base, count int) ([]uint16, error) {
	parts := strings.Split(text, separator)
	if len(parts) != count {
		return nil, fmt.Errorf("want %d bytes with %q between them, not %q", count, separator, text)
	}
	regs := make([]uint16, count/2)
	for i, part := range parts {
		b, err := strconv.ParseUint(part, base, 8)
		if err != nil {
			return nil, fmt.Errorf("want %d bytes with %q between them, not %q", count, separator, text)
		}
		regs[i/2] |= uint16(b) << (8 * (i % 2))
	}
	return regs, nil
}
