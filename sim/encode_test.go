package sim_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"noi-agent/objects"
	"noi-agent/sim"
)

// Every finite half precision number is encoded to the same registers from which it was decoded.
func TestHalfPrecisionSurvivesTheRoundTrip(t *testing.T) {
	o := &objects.Object{Name: "x", Encoding: objects.F16, Registers: 1, Scale: 1}
	for r := range 1 << 16 {
		v, err := o.Decode([]uint16{uint16(r)})
		if errors.Is(err, objects.ErrNoSample) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := sim.Encode(o, v); err != nil || got[0] != uint16(r) {
			t.Fatalf("0x%04X decodes to %g, which encodes to %04X (%v)", r, v.Float(), got, err)
		}
	}
}

// IEEE 754-2008 §4.3.1: rounds to the nearest number, a half to the even one. From zero through all subnormal and
// normal numbers.
func TestHalfPrecisionRoundsToTheNearestAndTiesToEven(t *testing.T) {
	o := &objects.Object{Name: "x", Encoding: objects.F16, Registers: 1, Scale: 1}
	at := func(r uint16) float64 {
		v, err := o.Decode([]uint16{r})
		if err != nil {
			t.Fatal(err)
		}
		return v.Float()
	}
	for r := uint16(0); r < 0x7BFF; r++ {
		middle := (at(r) + at(r+1)) / 2 // exact: float64 has bits to spare
		even := r + r&1
		for _, c := range []struct {
			f    float64
			want uint16
		}{{math.Nextafter(middle, 0), r}, {middle, even}, {math.Nextafter(middle, 1e9), r + 1}} {
			got, err := sim.Encode(o, objects.Number(c.f))
			if err != nil || got[0] != c.want {
				t.Fatalf("%.20g gives %04X (%v), want %04X", c.f, got, err, c.want)
			}
			got, err = sim.Encode(o, objects.Number(-c.f))
			if err != nil || got[0] != c.want|0x8000 {
				t.Fatalf("%.20g gives %04X (%v), want %04X", -c.f, got, err, c.want|0x8000)
			}
		}
	}
	if got, err := sim.Encode(o, objects.Number(math.Nextafter(65520, 0))); err != nil || got[0] != 0x7BFF {
		t.Errorf("just below 65520 gives %04X (%v), want the greatest number 7BFF", got, err)
	}
	if got, err := sim.Encode(o, objects.Number(65520)); err == nil {
		t.Errorf("65520 gives %04X; it rounds to infinity and must be refused", got)
	}
}

// seeded returns random numbers and prints their seed.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// randomRegister returns a register that probably has a meaning in some encoding: any, small, very small, or two
// characters.
func randomRegister(r *rand.Rand) uint16 {
	switch r.IntN(4) {
	case 0:
		return uint16(r.IntN(256))
	case 1:
		return uint16(r.IntN(16))
	case 2:
		return uint16(0x21+r.IntN(94)) | uint16(0x21+r.IntN(94))<<8
	default:
		return uint16(r.Uint32())
	}
}

// randomSpan returns random registers for the object's span, with a valid scale, firmware and mode, if it depends on them.
func randomSpan(t *testing.T, r *rand.Rand, o *objects.Object) []uint16 {
	t.Helper()
	addr, count := o.Span()
	span := make([]uint16, count)
	for i := range span {
		span[i] = randomRegister(r)
	}
	put := func(p *objects.Object, v objects.Value) {
		regs, err := sim.Encode(p, v)
		if err != nil {
			t.Fatal(err)
		}
		copy(span[p.Address-addr:], regs)
	}
	for i := range o.Times {
		putFactor(r, &o.Times[i], span[o.Times[i].Address-addr:])
	}
	if o.Since != nil {
		put(&o.Since.Object, objects.Number(o.Since.Least))
	}
	if o.NamesBy != nil {
		span[o.NamesBy.Object.Address-addr] = uint16(r.IntN(len(o.NamesBy.Tables)))
	}
	return span
}

// putFactor puts a random factor into its registers. Its size keeps the products readable.
func putFactor(r *rand.Rand, p *objects.Object, regs []uint16) {
	for {
		for i := range p.Registers {
			regs[i] = randomRegister(r)
		}
		v, err := p.Decode(regs[:p.Registers])
		if f := math.Abs(v.Float()); err == nil && f > 1e-6 && f < 1e6 {
			return
		}
	}
}

// A decoded value is encoded to registers that decode to the same value: for every object of every family over random
// registers, a disputed one in each of its encodings. The registers of others in the span stay as they were.
func TestEncodeUndoesDecode(t *testing.T) {
	r := seeded(t)
	for _, o := range chosen(t) {
		tried := 0
		for range 400 {
			span := randomSpan(t, r, &o)
			want, err := o.DecodeSpan(span)
			if errors.Is(err, objects.ErrNoSample) {
				continue
			}
			if err != nil {
				t.Fatalf("%s %04X: %v", o.Name, span, err)
			}
			tried++
			again := slices.Clone(span)
			if err := sim.EncodeSpan(&o, want, again); err != nil {
				t.Fatalf("%s %04X, %v: %v", o.Name, span, want, err)
			}
			got, err := o.DecodeSpan(again)
			if err != nil || !same(got, want) {
				t.Fatalf("%s (%s): %04X is %v, which became %04X, which is %v (%v)", o.Name, o.Encoding, span, want, again, got, err)
			}
			if faithful(&o) && !slices.Equal(again, span) {
				t.Fatalf("%s (%s): %04X became %04X", o.Name, o.Encoding, span, again)
			}
		}
		if tried < 5 {
			t.Errorf("%s: only %d of 400 random spans held a value", o.Name, tried)
		}
	}
}

// faithful reports whether each value of the object has only one raw number. This is not so with sixty-four bits in a
// float64, raw numbers of special meaning, a zero of either sign, text with its padding, and two bits with one name
// ("reserved").
func faithful(o *objects.Object) bool {
	names := map[string]bool{}
	for _, name := range o.Names {
		names[name] = true
	}
	return o.Exact == nil && !negativeZero(o.Encoding) && o.Encoding != objects.U64 && o.Encoding != objects.S64 && o.Kind() != objects.KindText && len(names) == len(o.Names)
}

// negativeZero reports whether an encoding has two zeros. A number keeps only one sign after an offset was added.
func negativeZero(e objects.Encoding) bool {
	return slices.Contains([]objects.Encoding{objects.SM8, objects.SM16, objects.SM32, objects.F64}, e)
}

func same(a, b objects.Value) bool {
	if a.Kind() == objects.KindNumber && b.Kind() == objects.KindNumber {
		return math.Abs(a.Float()-b.Float()) <= 1e-12*math.Abs(b.Float())
	}
	return a.Equal(b)
}

// A number between two possible values becomes the nearer one.
func TestEncodeRoundsToTheNearest(t *testing.T) {
	r := seeded(t)
	for _, o := range chosen(t) {
		switch o.Encoding {
		case objects.F16, objects.F32, objects.F32LO, objects.F64, objects.Pow10:
			// Half precision has its own tests. The compiler rounds single and double precision. Powers have no steps.
			continue
		}
		if o.Kind() != objects.KindNumber || o.Exact != nil || o.Bits().Width < 8 {
			continue
		}
		for range 50 {
			span := randomSpan(t, r, &o)
			step, most := o.Scale, 65535.0
			for i := range o.Times {
				addr, _ := o.Span()
				from, count := o.Times[i].Span()
				scale, err := o.Times[i].Decode(span[from-addr:][:count])
				if err != nil {
					t.Fatal(err)
				}
				step *= scale.Float()
			}
			if o.Range != nil {
				most = o.Range.Max / step
			}
			sign := math.Copysign(1, step)
			step = math.Abs(step)
			want := objects.Number(o.Offset + sign*step*r.Float64()*min(most, 120))
			if err := sim.EncodeSpan(&o, want, span); err != nil {
				if o.Range != nil {
					continue // rounding may leave the range
				}
				t.Fatalf("%s: %v", o.Name, err)
			}
			got, err := o.DecodeSpan(span)
			if errors.Is(err, objects.ErrOutOfRange) {
				continue
			}
			if err != nil || math.Abs(got.Float()-want.Float()) > step*0.5*(1+1e-9) {
				t.Fatalf("%s (%s): %v became %v (%v), steps are %g", o.Name, o.Encoding, want, got, err, step)
			}
		}
	}
}

func TestEncodeRefusesWhatHasNoPlace(t *testing.T) {
	names := map[uint16]string{0: "A", 3: "B"}
	object := func(e objects.Encoding, registers uint16) *objects.Object {
		return &objects.Object{Name: "x", Encoding: e, Registers: registers, Scale: 1, Names: names}
	}
	for _, c := range []struct {
		name string
		o    *objects.Object
		v    objects.Value
	}{
		{"below zero", object(objects.U16, 1), objects.Number(-1)},
		{"beyond 16 bits", object(objects.U16, 1), objects.Number(65536)},
		{"beyond 15 bits", object(objects.S16, 1), objects.Number(32768)},
		{"beyond 32 bits", object(objects.U32, 2), objects.Number(1 << 32)},
		{"five digits", object(objects.BCD16, 1), objects.Number(10000)},
		{"unknown state", object(objects.State16, 1), objects.Text("C")},
		{"unknown bit", object(objects.Bits16, 1), objects.Bits([]string{"C"})},
		{"bit beyond the field", object(objects.Bits16, 1), objects.Bits([]string{"bit_16"})},
		{"one bit twice", object(objects.Bits32, 2), objects.Bits([]string{"B", "B"})},
		{"long text", object(objects.ASCIILoHi, 2), objects.Text("12345")},
		{"no version", object(objects.Version16, 1), objects.Text("1")},
		{"text for a number", object(objects.U16, 1), objects.Text("1")},
		{"number for a state", object(objects.State16, 1), objects.Number(0)},
		{"nothing for a whole number", object(objects.U16, 1), objects.Value{}},
		{"beyond 7 bits", object(objects.S8, 1), objects.Number(128)},
		{"beyond 8 bits", object(objects.U8, 1), objects.Number(256)},
		{"beyond 31 bits", object(objects.S32LO, 2), objects.Number(1 << 31)},
		{"beyond single precision", object(objects.F32, 2), objects.Number(1e39)},
		{"bit 64", object(objects.Bits64LO, 4), objects.Bits([]string{"bit_64"})},
		{"three bytes", object(objects.IPv4LoHi, 2), objects.Text("10.0.0")},
		{"no hex", object(objects.MACLoHi, 3), objects.Text("00:11:22:33:44:xx")},
		{"outside the range", &objects.Object{Name: "x", Encoding: objects.U16, Registers: 1, Scale: 1, Range: &objects.Range{Min: 1, Max: 5}}, objects.Number(6)},
		{"half of it elsewhere", &objects.Object{Name: "x", Encoding: objects.U32, Registers: 2, Scale: 1, High: new(uint16)}, objects.Number(6)},
		{"disputed", &objects.Object{Name: "x", Registers: 1}, objects.Number(1)},
	} {
		if regs, err := sim.Encode(c.o, c.v); err == nil {
			t.Errorf("%s gave %04X, want an error", c.name, regs)
		}
	}
}

func TestNoValueIsNotANumber(t *testing.T) {
	o := &objects.Object{Name: "T_rts", Encoding: objects.F16, Registers: 1, Scale: 1}
	regs, err := sim.Encode(o, objects.Value{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Decode(regs); !errors.Is(err, objects.ErrNoSample) {
		t.Errorf("%04X decodes with %v, want ErrNoSample", regs, err)
	}
	o = &objects.Object{Name: "T_rts", Encoding: objects.S8, Registers: 1, Scale: 1, Absent: []uint64{0x80}}
	regs, err = sim.Encode(o, objects.Value{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Decode(regs); !errors.Is(err, objects.ErrAbsent) {
		t.Errorf("%04X decodes with %v, want ErrAbsent", regs, err)
	}
}

// ownFamilies returns the families of the documentation, and one that uses every feature of family files.
func ownFamilies(t *testing.T) (families []*objects.Family) {
	t.Helper()
	paths, err := filepath.Glob("../docs/families/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "../objects/testdata/language.yaml") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := objects.ParseOwnFamily(data)
		if err != nil {
			t.Fatal(path, err)
		}
		families = append(families, f)
	}
	return families
}

// chosen returns the objects of all families. A disputed object is in it once for each of its encodings.
func chosen(t *testing.T) []objects.Object {
	t.Helper()
	var out []objects.Object
	for _, f := range append(ownFamilies(t), mustCatalog(t).Families()...) {
		for _, o := range f.Objects {
			if len(o.Choices) == 0 {
				out = append(out, o)
			}
			for _, c := range o.Choices {
				with, err := o.With(c.Name)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, with)
			}
		}
	}
	return out
}
