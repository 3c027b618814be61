package objects_test

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"noi-agent/objects"
)

// languageFile is a family that uses every feature of family files.
const languageFile = "testdata/language.yaml"

// everyObject returns the objects of all families. A disputed object is in it once for each of its encodings.
func everyObject(families []*objects.Family) []objects.Object {
	var all []objects.Object
	for _, f := range families {
		for _, o := range f.Objects {
			if len(o.Choices) == 0 {
				all = append(all, o)
			}
			for _, c := range o.Choices {
				if with, err := o.With(c.Name); err == nil {
					all = append(all, with)
				}
			}
		}
	}
	return all
}

// decodeAny decodes registers made from data, repeated as needed, and checks the promises of Decode.
func decodeAny(t *testing.T, o *objects.Object, data []byte) {
	t.Helper()
	_, count := o.Span()
	regs := make([]uint16, count)
	for i := range regs {
		if len(data) >= 2 {
			regs[i] = binary.BigEndian.Uint16(data[2*i%(len(data)-1):])
		}
	}
	v, err := o.DecodeSpan(regs)
	if err != nil && !errors.Is(err, objects.ErrNoSample) {
		t.Fatalf("%s %04X: %v", o.Name, regs, err)
	}
	if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
		t.Fatalf("%s %04X is %v", o.Name, regs, f)
	}
	if (err == nil) != (v.Kind() != 0) || err == nil && v.Kind() != o.Kind() {
		t.Fatalf("%s %04X is %v (%v), kind %d", o.Name, regs, v, err, v.Kind())
	}
}

// FuzzDecode checks that no register content causes a panic, NaN or infinity, for any object of any family.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x4A, 0x0F, 0x7C, 0x00, 0xFF, 0xFF, 0x00, 0x01})
	f.Add([]byte{0x7E, 0x00, 0x80, 0x00, 0x03, 0xFF, 0x12, 0x34})
	f.Add([]byte{0x00, 0x4E, 0x03, 0xA6, 0x00, 0x50, 0x00, 0x00, 0x00, 0x16, 0x7F, 0x80})
	data, err := os.ReadFile(languageFile)
	if err != nil {
		f.Fatal(err)
	}
	language, err := objects.ParseOwnFamily(data)
	if err != nil {
		f.Fatal(err)
	}
	all := everyObject(append([]*objects.Family{language}, catalog(f).Families()...))
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range all {
			decodeAny(t, &all[i], data)
		}
	})
}

// FuzzFamily checks that no family file causes a panic, and that its objects decode without NaN or infinity.
func FuzzFamily(f *testing.F) {
	paths, err := filepath.Glob("families/*.yaml")
	docs, err2 := filepath.Glob("../docs/families/*.yaml")
	if err := errors.Join(err, err2); err != nil {
		f.Fatal(err)
	}
	for _, path := range slices.Concat(paths, docs, []string{languageFile}) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 3000)])
	}
	f.Add([]byte("family: X\nmax_registers: 9\nobjects: [{address: 0x0001, name: a, table: input, encoding: u16, interval: 60s, confidence: high}]"))
	f.Add([]byte("family: X\nmax_registers: 9\nobjects:\n- {address: 0x0001, name: a, table: input, encoding: f32, scale: 1e30, interval: 60s}\n" +
		"- {address: 0x0003, high: 0x0006, name: b, table: input, encoding: s32, times: [a], min: -1, interval: 60s}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) (*objects.Family, error){objects.ParseFamily, objects.ParseOwnFamily} {
			made, err := parse(data)
			if (made == nil) == (err == nil) {
				t.Fatalf("family %v and error %v", made, err)
			}
			if err != nil {
				continue
			}
			all := everyObject([]*objects.Family{made})
			for i := range all {
				decodeAny(t, &all[i], data)
			}
		}
	})
}

// FuzzFactor checks that every accepted factor is a number and not 0.
func FuzzFactor(f *testing.F) {
	for _, text := range []string{"0.1", "96.667*2^-15", "100/417", "1e-3", "0", "2^999*2^999", "1/0", "-12", "*", "0x10"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var factor objects.Factor
		if err := factor.UnmarshalText([]byte(text)); err != nil {
			return
		}
		if n := float64(factor); n == 0 || math.IsNaN(n) || math.IsInf(n, 0) {
			t.Fatalf("%q was accepted as %g, want an error", text, n)
		}
	})
}
