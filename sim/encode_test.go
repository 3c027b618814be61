package sim_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"noi-agent/objects"
	"noi-agent/sim"
)

// Every finite half precision number comes back to the very registers it came from.
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

// IEEE 754-2008 §4.3.1: to the nearest, halfway to the even one. From zero through all subnormals and normals.
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

// resolution is the largest error of a round trip, in the object's unit.
func resolution(o *objects.Object, v float64) float64 {
	if o.Encoding == objects.F16 {
		return math.Max(math.Abs(v)*0x1p-11, o.Scale*0x1p-25)
	}
	return o.Scale*0.5 + math.Abs(v)*1e-12 // and the error of the product in float64
}

// randomValue returns a value that the object can hold.
func randomValue(r *rand.Rand, o *objects.Object) objects.Value {
	ranges := map[objects.Encoding][2]float64{
		objects.F16: {-65504, 65504}, objects.U16: {0, math.MaxUint16}, objects.S16: {math.MinInt16, math.MaxInt16},
		objects.U32: {0, math.MaxUint32}, objects.U32LO: {0, math.MaxUint32}, objects.BCD16: {0, 9999},
	}
	if limits, ok := ranges[o.Encoding]; ok {
		f := limits[0] + r.Float64()*(limits[1]-limits[0])
		if o.Encoding == objects.F16 {
			f *= math.Exp2(-30 * r.Float64()) // all magnitudes, down to subnormals
		}
		return objects.Number(f * o.Scale)
	}
	regs := make([]uint16, o.Registers)
	for i := range regs {
		regs[i] = uint16(r.Uint32())
		if o.Encoding == objects.ASCIILoHi {
			regs[i] = uint16(0x21+r.IntN(94)) | uint16(0x21+r.IntN(94))<<8
		}
	}
	v, err := o.Decode(regs)
	if err != nil {
		panic(err) // any registers are a state, bits or a version
	}
	return v
}

// What is encoded decodes to the same value, within half a step of the encoding: for every object, and both encodings of the disputed ones.
func TestDecodeUndoesEncode(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, object := range chosen(t) {
		for range 300 {
			want := randomValue(r, &object)
			regs, err := sim.Encode(&object, want)
			if err != nil {
				t.Fatalf("%s (%s): %v", object.Name, object.Encoding, err)
			}
			if _, ok := object.Exact[regs[0]]; ok {
				continue // such a raw value means something of its own (n_sys_v)
			}
			got, err := object.Decode(regs)
			if err != nil {
				t.Fatalf("%s %04X: %v", object.Name, regs, err)
			}
			same := got.Equal(want)
			if want.Kind() == objects.KindNumber {
				same = math.Abs(got.Float()-want.Float()) <= resolution(&object, want.Float())
			}
			if !same {
				t.Fatalf("%s (%s): %v became %04X, which is %v", object.Name, object.Encoding, want, regs, got)
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
}

// chosen returns the family's objects, a disputed one once for each of its encodings.
func chosen(t *testing.T) []objects.Object {
	t.Helper()
	var out []objects.Object
	for _, o := range slices.Clone(pspwm(t).Objects) {
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
	return out
}
