package objects_test

import (
	"errors"
	"fmt"
	"testing"

	"noi-agent/objects"
)

// The ends of a range are decimal numbers. A register times its scale is binary. Nevertheless both ends belong to the
// range, and their neighbours do not.
func TestEndsOfARangeBelongToIt(t *testing.T) {
	for _, c := range []struct {
		encoding    string
		scale       string
		min, max    string
		least, most uint32
	}{
		{encoding: "u16", scale: "0.1", min: "0.7", max: "16.4", least: 7, most: 164},
		{encoding: "u16", scale: "0.01", min: "0.35", max: "1.13", least: 35, most: 113},
		{encoding: "u16", scale: "0.001", min: "0.003", max: "65.534", least: 3, most: 65534},
		{encoding: "u32", scale: "0.1", min: "0.3", max: "429496729.4", least: 3, most: 4294967294},
	} {
		family, err := objects.ParseOwnFamily(fmt.Appendf(nil, `
family: OWN
title: own
max_registers: 10
objects:
  - {address: 0x0001, name: v, table: input, encoding: %s, scale: %s, unit: V, min: %s, max: %s, interval: 10s}
`, c.encoding, c.scale, c.min, c.max))
		if err != nil {
			t.Fatal(err)
		}
		o := family.Objects[0]
		decode := func(raw uint32) error {
			registers := []uint16{uint16(raw)}
			if o.Registers == 2 {
				registers = []uint16{uint16(raw >> 16), uint16(raw)}
			}
			_, err := o.Decode(registers)
			return err
		}
		for _, raw := range []uint32{c.least, c.most} {
			if err := decode(raw); err != nil {
				t.Errorf("%d × %s: %v", raw, c.scale, err)
			}
		}
		for _, raw := range []uint32{c.least - 1, c.most + 1} {
			if err := decode(raw); !errors.Is(err, objects.ErrOutOfRange) {
				t.Errorf("%d × %s is accepted: %v", raw, c.scale, err)
			}
		}
	}
}
