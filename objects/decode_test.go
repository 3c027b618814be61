package objects_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"noi-agent/objects"
)

func pspwm(t testing.TB) *objects.Family {
	t.Helper()
	return family(t, "PSPWM")
}

func family(t testing.TB, slug string) *objects.Family {
	t.Helper()
	f, ok := catalog(t).Family(slug)
	if !ok {
		t.Fatalf("the family %s is missing", slug)
	}
	return f
}

// Vectors calculated by hand from the encodings that MS-001838 names. Those for half precision are from the bit
// patterns of IEEE 754-2008 §3.4.
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
		{"n_sys_v", []uint16{0x0001}, "12"},           // a plain integer, as in some firmware
		{"n_sys_v", []uint16{0x0002}, "24"},
		{"Ahc_r", []uint16{0x0001, 0x0000}, "6553.6"}, // high word first
		{"Ahl_t", []uint16{0xFFFF, 0xFFFF}, "429496729.5"},
		{"hourmeter", []uint16{0x0000, 0x2710}, "10000"},
		{"EAhc_t", []uint16{0x0001, 0x0000}, "0.1"}, // low word first
		{"sw_ver", []uint16{0x0012}, "12"},
		{"ETb_min", []uint16{0xFFD8}, "-40"},
		{"Et_float", []uint16{10800}, "10800"},
		{"charge_state", []uint16{7}, `"FLOAT"`},
		{"charge_state", []uint16{9}, `"UNKNOWN_9"`}, // SLAVE on an MPPT, unknown for this family
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
		// NaN: the sensor is absent
		{"T_rts", []uint16{0x7E00}}, {"T_rts", []uint16{0xFFFF}}, {"T_rts", []uint16{0x7C01}},
		{"adc_va", []uint16{0x7C00}}, {"adc_va", []uint16{0xFC00}}, // infinities
		{"sw_ver", []uint16{0x00FF}},                                // invalid BCD digits
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

// number makes an object of one encoding.
func number(e objects.Encoding, registers uint16) *objects.Object {
	return &objects.Object{Name: "x", Encoding: e, Registers: registers, Scale: 1}
}

// The extremes of each encoding, by hand from its definition.
func TestExtremesOfEachEncoding(t *testing.T) {
	for _, c := range []struct {
		encoding objects.Encoding
		regs     []uint16
		want     float64
	}{
		{objects.U8, []uint16{0xAB80}, 128}, {objects.U8, []uint16{0x00FF}, 255},
		{objects.S8, []uint16{0x0080}, -128}, {objects.S8, []uint16{0xAB7F}, 127}, {objects.S8, []uint16{0xFFFF}, -1},
		{objects.U16, []uint16{0xFFFF}, 65535},
		{objects.S16, []uint16{0x8000}, -32768}, {objects.S16, []uint16{0x7FFF}, 32767},
		{objects.U32, []uint16{0x8000, 1}, 1<<31 + 1}, {objects.U32LO, []uint16{1, 0x8000}, 1<<31 + 1},
		{objects.S32, []uint16{0x8000, 0}, -1 << 31}, {objects.S32LO, []uint16{0xFFFF, 0x7FFF}, 1<<31 - 1},
		{objects.F32, []uint16{0x7F7F, 0xFFFF}, math.MaxFloat32}, {objects.F32LO, []uint16{0x0000, 0xC020}, -2.5},
		{objects.F32, []uint16{0x0000, 0x0001}, math.SmallestNonzeroFloat32}, {objects.F32LO, []uint16{0x0000, 0x3F80}, 1},
		{objects.BCD16, []uint16{0x9999}, 9999},
	} {
		v, err := number(c.encoding, uint16(len(c.regs))).Decode(c.regs)
		if err != nil || v.Float() != c.want {
			t.Errorf("%s %04X is %v (%v), want %g", c.encoding, c.regs, v, err, c.want)
		}
	}
	for _, regs := range [][]uint16{{0x7F80, 0}, {0xFF80, 0}, {0x7FC0, 0}, {0x7F80, 1}} {
		if v, err := number(objects.F32, 2).Decode(regs); !errors.Is(err, objects.ErrNoSample) {
			t.Errorf("f32 %04X is %v (%v), want no sample", regs, v, err)
		}
	}
}

// A value that is infinite after its scale is no sample.
func TestScaleCannotMakeInfinity(t *testing.T) {
	o := number(objects.F32, 2)
	o.Scale = 1e300
	if v, err := o.Decode([]uint16{0x7F7F, 0xFFFF}); !errors.Is(err, objects.ErrNoSample) {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestAbsentSensorOutOfRangeAndOldFirmwareAreTold(t *testing.T) {
	tsmppt, tspwm, old := family(t, "TSMPPT"), family(t, "TSPWM"), family(t, "TSMPPT600")
	for _, c := range []struct {
		family *objects.Family
		object string
		own    uint16
		reason error
		text   string
	}{
		{tsmppt, "T_rts", 0x0080, objects.ErrAbsent, "the sensor is absent"},
		{tsmppt, "T_rts", 0xFF80, objects.ErrAbsent, "0x80"}, // sign extended by some firmware
		{tspwm, "T_batt", 0x0080, objects.ErrAbsent, "the sensor is absent"},
		{tsmppt, "T_hs", 0x0080, objects.ErrOutOfRange, "-128 is not within -127 to 127"},
		{tspwm, "Emb_tristar_id", 248, objects.ErrOutOfRange, "248 is not within 1 to 247"},
		{old, "adc_vb_f_med", 0x4A0F, objects.ErrFirmware, "ver_sw is 0, want 16 and later"},
	} {
		o, _ := c.family.Object(c.object)
		addr, count := o.Span()
		span := make([]uint16, count)
		span[o.Address-addr] = c.own
		v, err := o.DecodeSpan(span)
		if !errors.Is(err, c.reason) || !errors.Is(err, objects.ErrNoSample) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s 0x%04X is %v (%v), want %q", c.object, c.own, v, err, c.text)
		}
	}
}

// The example in the document: V_PU is 78 and 934/65536.
func TestScaleComesInTheSameReadAsTheValue(t *testing.T) {
	o, _ := family(t, "TSMPPT").Object("adc_vb_f_med")
	addr, count := o.Span()
	if addr != 0x0000 || count != 0x0019 {
		t.Fatalf("the span is 0x%04X and %d registers, want all from V_PU to 0x0018", addr, count)
	}
	span := make([]uint16, count)
	span[0], span[1], span[0x18] = 78, 934, 0x2000
	v, err := o.DecodeSpan(span)
	if want := 0.25 * (78 + 934.0/65536); err != nil || v.Float() != want {
		t.Errorf("got %v (%v), want %g", v, err, want)
	}
	if v, err := o.Decode(span[0x18:]); err == nil || errors.Is(err, objects.ErrNoSample) {
		t.Errorf("without its scale: %v (%v), want an error of the caller", v, err)
	}
	if v, err := o.DecodeSpan(span[:0x18]); err == nil || errors.Is(err, objects.ErrNoSample) {
		t.Errorf("from a short read: %v (%v), want an error of the caller", v, err)
	}
	span[0], span[1] = 0, 0
	if v, err := o.DecodeSpan(span); !errors.Is(err, objects.ErrNoSample) {
		t.Errorf("with a full scale of 0 it is %v (%v), want no sample", v, err)
	}
}

func TestStateIsNamedByTheMode(t *testing.T) {
	o, _ := family(t, "TSPWM").Object("control_state")
	for _, c := range []struct {
		mode, state uint16
		want        string
	}{{0, 5, "BULK"}, {1, 5, "DISCONNECT"}, {2, 6, "PWM"}, {3, 6, "NORMAL_OFF"}, {1, 8, "UNKNOWN_8"}, {4, 0, "UNKNOWN_0"}} {
		if v, err := o.DecodeSpan([]uint16{c.mode, c.state}); err != nil || v.String() != c.want {
			t.Errorf("mode %d state %d is %v (%v), want %s", c.mode, c.state, v, err, c.want)
		}
	}
}

func TestTextEndsAtItsFirstZero(t *testing.T) {
	for _, c := range []struct {
		encoding objects.Encoding
		regs     []uint16
		want     string
	}{
		{objects.ASCIILoHi, []uint16{0x4241, 0x0043, 0x5A5A}, "ABC"}, {objects.ASCIIHiLo, []uint16{0x4142, 0x4300, 0xFFFF}, "ABC"},
		{objects.ASCIIHiLo, []uint16{0x4142, 0x2020, 0x2020}, "AB"}, {objects.ASCIILoHi, []uint16{0, 0, 0}, ""},
		{objects.IPv4LoHi, []uint16{0xA8C0, 0xFD01}, "192.168.1.253"}, {objects.MACLoHi, []uint16{0x1100, 0x3322, 0xAA44}, "00:11:22:33:44:aa"},
	} {
		if v, err := number(c.encoding, uint16(len(c.regs))).Decode(c.regs); err != nil || v.String() != c.want {
			t.Errorf("%s %04X is %q (%v), want %q", c.encoding, c.regs, v, err, c.want)
		}
	}
}

// An alarm is active with any set bit, and in any state except number 0. Without the mark nothing is active.
func TestWhatOfAnAlarmIsActive(t *testing.T) {
	fault, _ := pspwm(t).Object("array_fault")
	state := &objects.Object{Name: "error", Alarm: true, Names: map[uint16]string{0: "NONE", 3: "OVERHEAT"}}
	bare := &objects.Object{Name: "error", Alarm: true, Names: map[uint16]string{3: "OVERHEAT"}}
	flag := &objects.Object{Name: "hot", Alarm: true, Encoding: objects.Boolean}
	plain := &objects.Object{Name: "charge_state", Names: state.Names}
	for _, c := range []struct {
		object *objects.Object
		value  objects.Value
		want   string
	}{
		{fault, objects.Bits(nil), ""}, {fault, objects.Bits([]string{"rts_shorted", "bit_15"}), "rts_shorted bit_15"},
		{state, objects.Text("NONE"), ""}, {state, objects.Text("OVERHEAT"), "OVERHEAT"}, {state, objects.Text("UNKNOWN_9"), "UNKNOWN_9"},
		{bare, objects.Text("UNKNOWN_0"), ""}, {plain, objects.Text("OVERHEAT"), ""},
		{flag, objects.Bool(true), "true"}, {flag, objects.Bool(false), ""},
	} {
		if got := strings.Join(c.object.Alarms(c.value), " "); got != c.want {
			t.Errorf("%s %v: %q is active, want %q", c.object.Name, c.value, got, c.want)
		}
	}
}
