package objects

import (
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
)

// An object's raw number is made in two steps. Order puts the bytes of the registers in order; Field selects the bits.
// The raw numbers of `absent` and `exact` are compared with the result.

// Field is the bits of an object's registers that hold its value, counted from the lowest bit. The zero Field means all
// bits that the encoding reads.
type Field struct{ Low, Width uint8 }

// UnmarshalText accepts "15" and "2-3", the lower bit first.
func (f *Field) UnmarshalText(text []byte) error {
	form := regexp.MustCompile(`^(0|[1-9][0-9]?)(?:-(0|[1-9][0-9]?))?$`)
	m := form.FindSubmatch(text)
	if m == nil {
		return fmt.Errorf("want one bit or the first and the last of several, as in 15 or 2-3, not %q", text)
	}
	low, _ := strconv.Atoi(string(m[1])) // up to two digits by its form
	last := low
	if len(m[2]) > 0 {
		last, _ = strconv.Atoi(string(m[2]))
	}
	if last < low {
		return fmt.Errorf("the lower bit comes first: %d-%d", last, low)
	}
	*f = Field{Low: uint8(low), Width: uint8(last - low + 1)}
	return nil
}

// String returns "2-3", or "15" for a single bit.
func (f Field) String() string {
	if f.Width <= 1 {
		return strconv.Itoa(int(f.Low))
	}
	return fmt.Sprintf("%d-%d", f.Low, f.end()-1)
}

// end returns the number of the bit after the last one.
func (f Field) end() int { return int(f.Low) + int(f.Width) }

// mask returns the bits of the field as a mask.
func (f Field) mask() uint64 { return (1<<f.Width - 1) << f.Low }

// Order is the order of the bytes in the registers: A is the most significant byte. On the wire a register's high byte
// is first. The names are for two registers; the rule is the same for four registers.
type Order string

// The orders. For one register only ABCD exists, and BADC with swapped bytes.
const (
	ABCD Order = "ABCD" // high word first; the same as ""
	CDAB Order = "CDAB" // low word first
	BADC Order = "BADC" // high word first, low byte of each word first
	DCBA Order = "DCBA" // low word first, low byte of each word first
)

// Orders returns all orders.
func Orders() []Order { return []Order{ABCD, CDAB, BADC, DCBA} }

// lowFirst reports whether the first register holds the low word.
func (o Order) lowFirst() bool { return o == CDAB || o == DCBA }

// swapped reports whether the low byte of a register comes first.
func (o Order) swapped() bool { return o == BADC || o == DCBA }

// Bits returns the bits of the registers that are the object's raw number.
func (o *Object) Bits() Field {
	switch {
	case o.Field.Width > 0:
		return o.Field
	case o.Table.OfBits():
		return Field{Width: 1}
	default:
		return o.Encoding.field(o.Registers)
	}
}

// Raw returns the object's own registers, one to four, as its raw number: the number before any scale.
func (o *Object) Raw(regs []uint16) uint64 {
	var n uint64
	low, swapped := o.lowFirst(), o.Order.swapped()
	for i, r := range regs {
		if swapped {
			r = bits.ReverseBytes16(r)
		}
		if low {
			n |= uint64(r) << (16 * i)
		} else {
			n = n<<16 | uint64(r)
		}
	}
	f := o.Bits()
	return n & f.mask() >> f.Low
}

// lowFirst reports whether the first register holds the low word.
func (o *Object) lowFirst() bool { return o.Order.lowFirst() || o.Encoding.lowFirst() }
