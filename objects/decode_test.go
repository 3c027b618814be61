package objects_test

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

func pspwm(t testing.TB) *objects.Family {
	t.Helper()
	c, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	f, ok := c.Family("PSPWM")
	if !ok {
		t.Fatal("the family PSPWM is missing")
	}
	return f
}

// Vectors worked out by hand from the encodings that MS-001838 names; the half precision ones
// from the bit patterns of IEEE 754-2008 §3.4.
func TestRegistersBecomeTheValuesOfTheDocument(t *testing.T) {
	f := pspwm(t)
	for _, c := range []struct {
		object string
		regs   []uint16
		want   string
	}{
		{"adc_vbterm", []uint16{0x4A0F}, "12.117188"},
		{"vdd_actual", []uint16{0x428B}, "3.271484"},  // sample of a real unit, 3.27 V
		{"adc_ib_f_1m", []uint16{0xC000}, "-2"},       // discharge
		{"adc_ia", []uint16{0x0000}, "0"},             // zero
		{"adc_ia", []uint16{0x8000}, "0"},             // minus zero
		{"adc_ia", []uint16{0x0400}, "0.000061"},      // least normal, 2^-14
		{"adc_ia", []uint16{0x03FF}, "0.000061"},      // greatest subnormal
		{"adc_ia", []uint16{0x0011}, "0.000001"},      // a subnormal: 17 * 2^-24
		{"adc_va", []uint16{0x7BFF}, "65504"},         // greatest
		{"EV_tempcomp", []uint16{42926}, "-0.029999"}, // seen on an MPPT unit: -0.03 V/°C
		{"n_sys_v", []uint16{0x3C00}, "12"},           // multiplier 1.0
		{"n_sys_v", []uint16{0x4000}, "24"},           // multiplier 2.0
		{"n_sys_v", []uint16{0x0001}, "12"},           // the plain integers some firmware holds
		{"n_sys_v", []uint16{0x0002}, "24"},
		{"Ahc_r", []uint16{0x0001, 0x0000}, "6553.6"}, // high word first
		{"Ahl_t", []uint16{0xFFFF, 0xFFFF}, "429496729.5"},
		{"hourmeter", []uint16{0x0000, 0x2710}, "10000"},
		{"EAhc_t", []uint16{0x0001, 0x0000}, "0.1"}, // low word first
		{"sw_ver", []uint16{0x0012}, "12"},
		{"ETb_min", []uint16{0xFFD8}, "-40"},
		{"Et_float", []uint16{10800}, "10800"},
		{"charge_state", []uint16{7}, `"FLOAT"`},
		{"charge_state", []uint16{9}, `"UNKNOWN_9"`}, // SLAVE on the MPPT, unknown here
		{"load_state", []uint16{6}, `"LOAD_OFF"`},
		{"array_fault", []uint16{0}, `[]`},
		{"array_fault", []uint16{0x0840}, `["rts_shorted","processor_supply_fault"]`},
		{"load_fault", []uint16{0x8001}, `["external_short_circuit","bit_15"]`},
		{"alarm", []uint16{0x1000, 0x0001}, `["rts_open","settings_changed"]`},
		{"dip_switch", []uint16{0x0081}, `["dip1","dip8"]`},
		{"serial_number", []uint16{0x3231, 0x3433, 0x3635, 0x3837}, `"12345678"`},
		{"serial_number", []uint16{0x3231, 0x0033, 0x0000, 0x0000}, `"123"`},
		{"hw_version", []uint16{0x0104}, `"01.04"`},
	} {
		o, ok := f.Object(c.object)
		if !ok {
			t.Errorf("no object %s", c.object)
			continue
		}
		v, err := o.Decode(c.regs)
		if got := string(v.AppendJSON(nil)); err != nil || got != c.want {
			t.Errorf("%s %04X is %s (%v), want %s", c.object, c.regs, got, err, c.want)
		}
	}
}

func TestWhatHoldsNoValueIsNoSample(t *testing.T) {
	f := pspwm(t)
	for _, c := range []struct {
		object string
		regs   []uint16
	}{
		{"T_rts", []uint16{0x7E00}}, {"T_rts", []uint16{0xFFFF}}, {"T_rts", []uint16{0x7C01}}, // NaN: the sensor is absent
		{"adc_va", []uint16{0x7C00}}, {"adc_va", []uint16{0xFC00}}, // infinities
		{"sw_ver", []uint16{0x00FF}},                                // digits that are none
		{"serial_number", []uint16{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}}, // a blank EEPROM
	} {
		o, _ := f.Object(c.object)
		if v, err := o.Decode(c.regs); !errors.Is(err, objects.ErrNoSample) {
			t.Errorf("%s %04X gave %v, %v; want ErrNoSample", c.object, c.regs, v, err)
		}
	}
}

func TestDisputedEncodingWaitsForAChoice(t *testing.T) {
	o, _ := pspwm(t).Object("kWhc_t")
	if _, err := o.Decode([]uint16{0x3C00}); err == nil || errors.Is(err, objects.ErrNoSample) {
		t.Errorf("a disputed object was decoded without a choice: %v", err)
	}
	for choice, want := range map[string]string{"f16": "1", "u16": "1536"} {
		chosen, err := o.With(choice)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := chosen.Decode([]uint16{0x3C00}); err != nil || v.String() != want {
			t.Errorf("as %s it is %v, %v; want %s", choice, v, err, want)
		}
	}
	if _, err := o.With("f32"); err == nil || !strings.Contains(err.Error(), "f16, u16") {
		t.Errorf("an unknown choice must name the known ones: %v", err)
	}
}

func TestEveryStateAndBitHasItsOwnName(t *testing.T) {
	f := pspwm(t)
	for i := range f.Objects {
		o := &f.Objects[i]
		for n, name := range o.Names {
			if got := valueOf(t, o, n); got != name {
				t.Errorf("%s %d is %q, want %q", o.Name, n, got, name)
			}
		}
	}
}

// valueOf returns what the state n, or the bit n alone, prints as.
func valueOf(t *testing.T, o *objects.Object, n uint16) string {
	t.Helper()
	regs := []uint16{n}
	switch o.Encoding {
	case objects.Bits16:
		regs = []uint16{1 << n}
	case objects.Bits32:
		regs = []uint16{uint16(uint32(1) << n >> 16), uint16(uint32(1) << n)}
	}
	v, err := o.Decode(regs)
	if err != nil {
		t.Fatal(err)
	}
	return v.String()
}

func TestEveryObjectHasAnIntervalAndAllButSettingsAreLive(t *testing.T) {
	want := map[string]time.Duration{
		"adc_vbterm": time.Minute, "charge_state": time.Minute, "T_batt": 5 * time.Minute, "Ahc_t": 15 * time.Minute,
		"hourmeter": 15 * time.Minute, "Vb_min_daily": time.Hour, "EV_reg": time.Hour, "array_fault": 30 * time.Second,
		"alarm": 30 * time.Second, "alarm_daily": time.Hour,
	}
	f := pspwm(t)
	live := 0
	for i := range f.Objects {
		o := &f.Objects[i]
		if !o.Setting() {
			live++
		}
		if w, ok := want[o.Name]; ok && o.Interval != w {
			t.Errorf("%s is sampled every %v, want %v", o.Name, o.Interval, w)
		}
	}
	if live != 54 || len(f.Objects) != 103 {
		t.Errorf("%d objects, %d of them live; the map has 103 and 54", len(f.Objects), live)
	}
}

func TestProductCodesFindTheirFamily(t *testing.T) {
	c, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]bool{"PS-PWM-30M": true, "PS-PWM-15": true, "PS-MPPT-40": false, "": false} {
		if f, ok := c.ByProductCode(code); ok != want || ok && f.Slug != "PSPWM" {
			t.Errorf("%q: found %v %v", code, ok, f)
		}
	}
}

func TestFamilyFileFaultsNameTheirLine(t *testing.T) {
	const head = "family: X\ntitle: x\nproduct_codes: [X]\nmax_registers: 10\ntables: {s: {0: A}}\nobjects:\n"
	const rest = ", interval: 60s, confidence: high}\n"
	for _, c := range []struct{ object, want string }{
		{"- {address: 12, name: a, table: input, encoding: u16" + rest, "line 7"},
		{"- {address: 0x0001, name: a, table: input, encoding: u17" + rest, "unknown encoding"},
		{"- {address: 0x0001, name: a, table: coil, encoding: u16" + rest, "want input or holding"},
		{"- {address: 0x0001, name: a, table: input, encoding: state16" + rest, "need a table of names"},
		{"- {address: 0x0001, name: a, table: input, encoding: u16, unit: mV" + rest, "unknown unit"},
		{"- {address: 0x0001, name: a, table: input, encoding: u32" + rest + "- {address: 0x0002, name: b, table: input, encoding: u16" + rest, "line 8"},
		{"- {address: 0x0001, name: a, table: input, encoding: u16" + rest + "- {address: 0x0002, name: a, table: input, encoding: u16" + rest, "twice"},
		{"- {address: 0x0001, name: a, table: input, encoding: ascii_lohi" + rest, "count of registers"},
	} {
		_, err := objects.ParseFamily([]byte(head + c.object))
		var faults strictyaml.Faults
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngave %v, want %q", c.object, err, c.want)
		}
	}
}

// FuzzDecode holds that no register content panics or yields NaN or infinity, for any object.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x4A, 0x0F, 0x7C, 0x00, 0xFF, 0xFF, 0x00, 0x01})
	f.Add([]byte{0x7E, 0x00, 0x80, 0x00, 0x03, 0xFF, 0x12, 0x34})
	objectsToTry := slices.Clone(pspwm(f).Objects)
	for _, o := range pspwm(f).Objects {
		for _, c := range o.Choices {
			chosen, err := o.With(c.Name)
			if err != nil {
				f.Fatal(err)
			}
			objectsToTry = append(objectsToTry, chosen)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range objectsToTry {
			o := &objectsToTry[i]
			if len(data) < 2*int(o.Registers) || len(o.Choices) > 0 {
				continue
			}
			regs := make([]uint16, o.Registers)
			for j := range regs {
				regs[j] = binary.BigEndian.Uint16(data[2*j:])
			}
			v, err := o.Decode(regs)
			if err != nil && !errors.Is(err, objects.ErrNoSample) {
				t.Fatalf("%s %04X: %v", o.Name, regs, err)
			}
			if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
				t.Fatalf("%s %04X is %v", o.Name, regs, f)
			}
		}
	})
}

// FuzzFamily holds that a family file never panics, whatever it holds.
func FuzzFamily(f *testing.F) {
	data, err := os.ReadFile("families/PSPWM.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:2000])
	f.Add([]byte("family: X\nobjects: [{address: 0x0001, name: a, table: input, encoding: u16, interval: 60s, confidence: high}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		family, err := objects.ParseFamily(data)
		if (family == nil) == (err == nil) {
			t.Fatalf("family %v and error %v", family, err)
		}
	})
}
