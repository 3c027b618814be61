package objects_test

import (
	"errors"
	"testing"

	"noi-agent/objects"
)

// BenchmarkDecodeSweep decodes every live object of a ProStar PWM once, like one sweep. It should take less than 10
// µs and a few allocations: for the names of set bits, and for the error of an object without a value.
func BenchmarkDecodeSweep(b *testing.B) {
	regs := make([]uint16, 0x50)
	for i := range regs {
		regs[i] = 0x4A00 + uint16(i)
	}
	regs[0x00], regs[0x21], regs[0x2E], regs[0x3B], regs[0x4D] = 0x0006, 7, 1, 6, 6
	regs[0x22], regs[0x2F], regs[0x38], regs[0x39], regs[0x3A], regs[0x45], regs[0x46], regs[0x47], regs[0x48] = 0, 0, 0, 1, 0x24, 0, 0, 0, 1
	var sweep []objects.Object
	for _, o := range family(b, "PSPWM").Objects {
		if len(o.Choices) > 0 {
			o, _ = o.With("f16")
		}
		if !o.Setting() {
			sweep = append(sweep, o)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range sweep {
			o := &sweep[i]
			addr, count := o.Span()
			if _, err := o.DecodeSpan(regs[addr:][:count]); err != nil && !errors.Is(err, objects.ErrNoSample) {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(sweep)), "objects/op")
}

// BenchmarkLoadCatalog reads all built-in families, which an agent does once at its start.
func BenchmarkLoadCatalog(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := objects.LoadCatalog(); err != nil {
			b.Fatal(err)
		}
	}
}
