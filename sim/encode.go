package sim

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"noi-agent/objects"
)

// notANumber is the quiet NaN that controllers with half precision hold where a sensor is absent.
const notANumber = 0x7E00

// Encode is the reverse of objects.Object.Decode: the registers that hold v as o codes it. A number is rounded to the
// nearest that the encoding can hold, ties to even. The zero Value is "no value"; only half precision can say that (NaN).
//
// It fails when v has no place in the encoding: a number out of range, a state or bit without that name, text too long,
// a kind of value the object does not have, or an encoding that is disputed and not chosen.
func Encode(o *objects.Object, v objects.Value) ([]uint16, error) {
	if v.Kind() == 0 && o.Encoding == objects.F16 {
		return []uint16{notANumber}, nil
	}
	if v.Kind() != o.Kind() {
		return nil, fmt.Errorf("encode %s: the object does not hold this kind of value (%q)", o.Name, v.String())
	}
	regs, err := encode(o, v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", o.Name, err)
	}
	return regs, nil
}

func encode(o *objects.Object, v objects.Value) ([]uint16, error) {
	switch o.Encoding {
	case objects.F16:
		return encodeHalf(v.Float() / o.Scale)
	case objects.U16:
		return encodeWhole(v.Float()/o.Scale, 0, math.MaxUint16, oneWord)
	case objects.S16:
		return encodeWhole(v.Float()/o.Scale, math.MinInt16, math.MaxInt16, oneWord)
	case objects.U32:
		return encodeWhole(v.Float()/o.Scale, 0, math.MaxUint32, highFirst)
	case objects.U32LO:
		return encodeWhole(v.Float()/o.Scale, 0, math.MaxUint32, lowFirst)
	case objects.BCD16:
		return encodeWhole(v.Float()/o.Scale, 0, 9999, digits)
	case objects.State16:
		n, err := number(o, v.String(), "UNKNOWN_", 0, math.MaxUint16)
		return []uint16{uint16(n)}, err
	case objects.Bits16:
		field, err := encodeBits(o, v.Names(), 15)
		return []uint16{uint16(field)}, err
	case objects.Bits32:
		field, err := encodeBits(o, v.Names(), 31)
		return highFirst(int64(field)), err
	case objects.ASCIILoHi:
		return encodeText(v.String(), int(o.Registers))
	case objects.Version16:
		return encodeVersion(v.String())
	default:
		return nil, fmt.Errorf("the encoding is disputed and none is chosen")
	}
}

// encodeHalf rounds straight from float64 to binary16: by way of float32 some ties would be rounded twice.
func encodeHalf(f float64) ([]uint16, error) {
	r := half(f)
	if r&0x7C00 == 0x7C00 {
		return nil, fmt.Errorf("%g is beyond half precision", f)
	}
	return []uint16{r}, nil
}

// half returns the IEEE 754 binary16 nearest to f, ties to even. From 65520 on, halfway between the greatest finite
// number and the next power of two, that is infinity.
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
	// 11 bits with the hidden one on top; a carry out of them steps the exponent by itself. Bias 15, less 1 for Frexp's range.
	bits := uint16(math.RoundToEven(fraction*0x1p11)) - 1<<10
	return sign | (uint16(exponent+14)<<10 + bits)
}

// encodeWhole rounds to a whole number, checks its range and lets split lay it out.
func encodeWhole(f, least, most float64, split func(int64) []uint16) ([]uint16, error) {
	f = math.RoundToEven(f)
	if !(f >= least && f <= most) { // so written, NaN fails too
		return nil, fmt.Errorf("%g is not within %g to %g", f, least, most)
	}
	return split(int64(f)), nil
}

func oneWord(n int64) []uint16   { return []uint16{uint16(n)} }
func highFirst(n int64) []uint16 { return []uint16{uint16(n >> 16), uint16(n)} }
func lowFirst(n int64) []uint16  { return []uint16{uint16(n), uint16(n >> 16)} }

// digits writes a number of up to four digits as binary coded decimal.
func digits(n int64) []uint16 {
	var r uint16
	for shift := 0; n > 0; shift += 4 {
		r |= uint16(n%10) << shift
		n /= 10
	}
	return []uint16{r}
}

// number finds a state or bit by name; of several with one name the lowest from `from` on. A name of the form prefix and number
// ("UNKNOWN_9", "bit_23") is what Decode makes of a number that no source names.
func number(o *objects.Object, name, prefix string, from, most uint16) (uint16, error) {
	var found []uint16
	for n, known := range o.Names {
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

// encodeBits sets one bit for each name, which come lowest bit first. Two bits may share a name ("reserved"); a second one
// of that name then means the next bit.
func encodeBits(o *objects.Object, names []string, most uint16) (uint32, error) {
	var field uint32
	next := uint16(0)
	for _, name := range names {
		n, err := number(o, name, "bit_", next, most)
		if err != nil {
			return 0, err
		}
		field |= 1 << n
		next = n + 1
	}
	return field, nil
}

// encodeText puts the first character of each pair into the low byte and pads with zeros.
func encodeText(text string, registers int) ([]uint16, error) {
	if len(text) > 2*registers {
		return nil, fmt.Errorf("%q is longer than %d characters", text, 2*registers)
	}
	regs := make([]uint16, registers)
	for i := range len(text) {
		regs[i/2] |= uint16(text[i]) << (8 * (i % 2))
	}
	return regs, nil
}

// encodeVersion reads "01.04" as major 1, minor 4.
func encodeVersion(text string) ([]uint16, error) {
	first, second, ok := strings.Cut(text, ".")
	major, err := strconv.ParseUint(first, 10, 8)
	minor, err2 := strconv.ParseUint(second, 10, 8)
	if !ok || err != nil || err2 != nil {
		return nil, fmt.Errorf("want a version as in 01.04, not %q", text)
	}
	return []uint16{uint16(major<<8 | minor)}, nil
}
