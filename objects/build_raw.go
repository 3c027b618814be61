package objects

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// This file checks how registers become a value: the number of registers, their order, the bits, and the meaning of the
// raw number.

// mostText is the most registers of a text: 128 characters.
const mostText = 64

// encodings returns the encodings that the object may have: its encoding, or those of its choices.
func (o *Object) encodings() []Encoding {
	if len(o.Choices) == 0 {
		return []Encoding{o.Encoding}
	}
	var all []Encoding
	for _, c := range o.Choices {
		all = append(all, c.Encoding)
	}
	return all
}

// setWidth sets the number of registers of the object. All choices of a disputed object must have the same number and
// the same kind of value.
func (b *familyBuilder) setWidth(path string, o *Object) {
	if len(o.Choices) > 0 && o.Encoding != "" {
		b.fault(path+".encoding", "an object has an encoding, or choices; not both")
	}
	if o.Table.OfBits() && len(o.Choices) == 0 {
		o.Encoding = cmp.Or(o.Encoding, Boolean) // a bit table has no other encoding
	}
	for i, e := range o.encodings() {
		width := e.width()
		switch {
		case o.Table.OfBits() && e != Boolean:
			b.fault(path+".encoding", "a bit of the %s table is bool, not %s", o.Table, e)
		case width < 0:
			b.fault(path+".encoding", "unknown encoding %q; known are %s", e, encodingWords())
		case width == 0 && (o.Registers < 1 || o.Registers > mostText):
			b.fault(path+".registers", "text needs its count of registers, 1 to %d", mostText)
		case width > 0 && o.Registers != 0 && int(o.Registers) != width:
			b.fault(path+".registers", "%s takes %d registers, not %d", e, width, o.Registers)
		case width > 0:
			o.Registers = uint16(width)
		}
		if i > 0 && e.kind() != o.Choices[0].Encoding.kind() {
			b.fault(path+".choices", "%s and %s give values of two kinds", o.Choices[0].Name, o.Choices[i].Name)
		}
	}
	for i, c := range o.Choices {
		if c.Name == "" || slices.ContainsFunc(o.Choices[:i], func(d Choice) bool { return d.Name == c.Name }) {
			b.fault(path+".choices", "each choice needs a name of its own, not %q", c.Name)
		}
	}
	apart := func(e Encoding) bool { return e.width() == 2 && !e.lowFirst() && !e.text() }
	if o.High != nil && slices.ContainsFunc(o.encodings(), func(e Encoding) bool { return !apart(e) }) {
		b.fault(path+".high", "only encodings of two registers, high word first, may have them apart")
	}
}

func encodingWords() string {
	words := make([]string, 0, len(Encodings()))
	for _, e := range Encodings() {
		words = append(words, string(e))
	}
	return strings.Join(words, " ")
}

// setOrder checks that the registers can have the order of bytes.
func (b *familyBuilder) setOrder(path string, o *Object) {
	if o.Order == "" {
		return
	}
	low := slices.ContainsFunc(o.encodings(), Encoding.lowFirst)
	switch {
	case !slices.Contains(Orders(), o.Order):
		b.fault(path+".order", "want ABCD, CDAB, BADC or DCBA, not %q", o.Order)
	case slices.ContainsFunc(o.encodings(), Encoding.text), o.Table.OfBits():
		b.fault(path+".order", "only numbers, states and bits of registers have an order of bytes")
	case low:
		b.fault(path+".order", "%s is another word for %s with order CDAB; give one of them", o.encodings()[0],
			strings.TrimSuffix(string(o.encodings()[0]), "lo"))
	case o.Registers == 1 && o.Order.lowFirst():
		b.fault(path+".order", "one register has but the orders ABCD and BADC")
	case o.High != nil && o.Order.lowFirst():
		b.fault(path+".order",
			"the high word stands in the register that high names, so that the order is ABCD or BADC")
	}
}

// setField checks that the registers have the bits of the field.
func (b *familyBuilder) setField(path string, o *Object, f *ObjectFile) {
	if f.Bits == nil {
		return
	}
	o.Field = *f.Bits
	all := 16 * int(o.Registers)
	switch {
	case slices.ContainsFunc(o.encodings(), Encoding.text), slices.ContainsFunc(o.encodings(), Encoding.float),
		o.Table.OfBits():
		b.fault(path+".bits", "only whole numbers, states and bits of registers can be a part of them")
	case o.Field.end() > all:
		b.fault(path+".bits", "the registers have the bits 0 to %d, not %s", all-1, o.Field)
	case slices.ContainsFunc(o.encodings(), Encoding.byteWide) && o.Field.Width != 8:
		b.fault(path+".bits", "%s reads eight bits, as in 8-15; for others take the encoding of 16", o.encodings()[0])
	case slices.Contains(o.encodings(), Boolean) && o.Field.Width != 1:
		b.fault(path+".bits", "bool reads one bit")
	}
}

// numeric reports whether all encodings of the object are numbers. If not, it adds a fault for key, which only numbers
// may have.
func (b *familyBuilder) numeric(path, key string, o *Object) bool {
	for _, e := range o.encodings() {
		if e.kind() != KindNumber {
			b.fault(path+"."+key, "only a number has this")
			return false
		}
	}
	return true
}

// digits returns the number of hex digits of the object's raw numbers.
func (o *Object) digits() int {
	width, digits := int(o.Bits().Width), 2
	for 4*digits < width {
		digits *= 2
	}
	return digits
}

// fits reports whether the object's bits can hold a raw number.
func (o *Object) fits(raw uint64) bool { return raw <= Field{Width: o.Bits().Width}.mask() }

func (b *familyBuilder) setExact(path string, o *Object, f *ObjectFile) {
	if len(f.Exact) == 0 || !b.numeric(path, "exact", o) {
		return
	}
	o.Exact = map[uint64]float64{}
	for text, value := range f.Exact {
		var w Word
		err := w.UnmarshalText([]byte(text))
		want := o.digits()
		switch {
		case err != nil:
			b.fault(path+".exact", "%v", err)
		case math.IsNaN(value) || math.IsInf(value, 0):
			b.fault(path+".exact", "%s stands for %v, which is no number", text, value)
		// Four digits are allowed for eight bits too: older family files have them.
		case w.Bits != 4*want && (want != 2 || w.Bits != 16):
			b.fault(path+".exact", "want %d hex digits, as many as %s has, not %s", want, o.Encoding, text)
		case !o.fits(w.Value):
			b.fault(path+".exact", "%s is never there: the object has %d bits", text, o.Bits().Width)
		}
		if _, twice := o.Exact[w.Value]; twice && err == nil {
			b.fault(path+".exact", "0x%0*X is there twice", o.digits(), w.Value)
		}
		o.Exact[w.Value] = value
	}
}

func (b *familyBuilder) setAbsent(path string, o *Object, f *ObjectFile) {
	if len(f.Absent) == 0 {
		return
	}
	if slices.ContainsFunc(o.encodings(), Encoding.text) || o.Table.OfBits() {
		b.fault(path+".absent", "only numbers, states and bits of registers can be absent")
		return
	}
	for _, w := range f.Absent {
		switch {
		case w.Bits != 4*o.digits():
			b.fault(path+".absent", "want %d hex digits, as many as %s has", o.digits(), o.Encoding)
		case !o.fits(w.Value):
			b.fault(path+".absent", "0x%02X is never there: the object has %d bits", w.Value, o.Bits().Width)
		}
		if _, exact := o.Exact[w.Value]; exact {
			b.fault(path+".absent", "0x%0*X is in exact too, and a raw number is a value or none", o.digits(), w.Value)
		}
		o.Absent = append(o.Absent, w.Value)
	}
}

// checkScale checks that only numbers have a scale.
func (b *familyBuilder) checkScale(path string, o *Object) {
	if o.Scale != 1 && b.numeric(path, "scale", o) && !inScale(o.Scale) {
		b.fault(path+".scale", scaleLimits, o.Scale)
	}
	for _, c := range o.Choices {
		if c.Scale != 1 && c.Encoding.kind() != KindNumber {
			b.fault(path+".choices", "only a number has a scale")
		} else if !inScale(c.Scale) {
			b.fault(path+".choices", scaleLimits, c.Scale)
		}
	}
}

// scaleLimits is the error text for a factor that is too small or too large for any unit: probably the exponent is
// wrong.
const scaleLimits = "want a factor between 1e-9 and 1e9, negative or not, and not %g"

func inScale(factor float64) bool { return math.Abs(factor) >= 1e-9 && math.Abs(factor) <= 1e9 }

func (b *familyBuilder) setOffset(path string, o *Object, f *ObjectFile) {
	if f.Offset != 0 && b.numeric(path, "offset", o) {
		o.Offset = f.Offset
	}
}

func (b *familyBuilder) setRange(path string, o *Object, f *ObjectFile) {
	if f.Min == nil && f.Max == nil {
		return
	}
	o.Range = &Range{Min: math.Inf(-1), Max: math.Inf(1)}
	key := "max"
	if f.Min != nil {
		o.Range.Min, key = *f.Min, "min"
	}
	if f.Max != nil {
		o.Range.Max = *f.Max
	}
	if b.numeric(path, key, o) && !(o.Range.Min < o.Range.Max) {
		b.fault(path+"."+key, "no value is within %s", o.Range)
		return
	}
	for raw, value := range o.Exact {
		if value < o.Range.Min || value > o.Range.Max {
			b.fault(path+".exact", "0x%0*X stands for %v, which is outside %s and so no value; list it in absent",
				o.digits(), raw, value, o.Range)
		}
	}
}
