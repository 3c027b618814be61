package objects_test

import (
	"errors"
	"strings"
	"testing"

	"noi-agent/objects"
)

const languageHead = "family: X\nmax_registers: 125\n" +
	"tables: {stage: {0: none, 1: float, 2: boost, 3: equalize}, flags: {0: running, 1: fault}, load: {0: off, 1: on}, states: {4: MPPT}}\nobjects:\n"

// own parses a user's family with these objects, one in each line, without their common keys.
func own(t *testing.T, lines ...string) *objects.Family {
	t.Helper()
	var text strings.Builder
	text.WriteString(languageHead)
	for _, line := range lines {
		text.WriteString("- {" + line + ", interval: 60s}\n")
	}
	f, err := objects.ParseOwnFamily([]byte(text.String()))
	if err != nil {
		t.Fatalf("%s\n%v", text.String(), err)
	}
	return f
}

// decode returns the value of an object as JSON, or the reason why it has none. regs are the registers from 0x0100
// on.
func decode(t *testing.T, f *objects.Family, name string, regs ...uint16) string {
	t.Helper()
	o, ok := f.Object(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	addr, count := o.Span()
	v, err := o.DecodeSpan(regs[addr-0x0100:][:count])
	if errors.Is(err, objects.ErrNoSample) {
		return err.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(v.AppendJSON(nil))
}

// Real register maps: each line has one object, the registers from its address 0x0100 on, and their meaning.
func TestRealMaps(t *testing.T) {
	for _, c := range []struct {
		about   string
		objects []string
		regs    []uint16
		want    map[string]string
	}{
		{"temperatures in both bytes, sign and magnitude", []string{
			"address: 0x0100, name: battery, table: holding, encoding: sm8", "address: 0x0100, bits: 8-15, name: controller, table: holding, encoding: sm8",
		}, []uint16{0x0581}, map[string]string{"controller": "5", "battery": "-1"}},
		{"a stage within a status register", []string{
			"address: 0x0100, bits: 0-1, name: status, table: input, encoding: bits16, names: flags", "address: 0x0100, bits: 2-3, name: stage, table: input, encoding: state16, names: stage",
		}, []uint16{0x0005}, map[string]string{"status": `["running"]`, "stage": `"float"`}},
		{"a stage in the low byte and a bit at the top", []string{
			"address: 0x0100, bits: 0-7, name: stage, table: holding, encoding: state16, names: stage", "address: 0x0100, bits: 15, name: load, table: holding, encoding: bool",
		}, []uint16{0x8002}, map[string]string{"stage": `"boost"`, "load": "true"}},
		{"a bit with names", []string{"address: 0x0100, bits: 15, name: load, table: holding, encoding: bool, names: load, alarm: true"}, []uint16{0x8002}, map[string]string{"load": `"on"`}},
		{"1000 added", []string{"address: 0x0100, name: t, table: holding, encoding: u16, scale: 0.1, offset: -100"}, []uint16{1200}, map[string]string{"t": "20"}},
		{"amount and direction", []string{
			"address: 0x0100, name: ib, table: holding, encoding: u16, scale: 0.1, times: [sign]",
			"address: 0x0101, name: sign, table: holding, encoding: u16, exact: {0x0000: 1, 0x0001: -1}, max: 1",
		}, []uint16{2, 1}, map[string]string{"ib": "-0.2", "sign": "-1"}},
		{"an unknown direction", []string{
			"address: 0x0100, name: ib, table: holding, encoding: u16, scale: 0.1, times: [sign]",
			"address: 0x0101, name: sign, table: holding, encoding: u16, exact: {0x0000: 1, 0x0001: -1}, max: 1",
		}, []uint16{2, 2}, map[string]string{"ib": "decode ib: decode sign: 2 is not within -Inf to 1: no sample: out of range"}},
		{"not implemented", []string{
			"address: 0x0100, name: st, table: holding, encoding: state16, names: states, absent: [0xFFFF]", "address: 0x0101, name: evt, table: holding, encoding: bits32, names: flags, absent: [0xFFFFFFFF]",
			"address: 0x0103, name: st2, table: holding, encoding: state16, names: states, absent: [0xFFFF]", "address: 0x0104, bits: 4-5, name: b, table: holding, encoding: bits16, names: flags, absent: [0x03]",
		}, []uint16{0xFFFF, 0xFFFF, 0xFFFF, 4, 0xFFFF}, map[string]string{
			"st": "decode st: 0xFFFF: no sample: the sensor is absent", "evt": "decode evt: 0xFFFFFFFF: no sample: the sensor is absent", "st2": `"MPPT"`,
			"b": "decode b: 0x03: no sample: the sensor is absent",
		}},
		{"a power of ten", []string{
			"address: 0x0100, name: W, table: holding, encoding: s16, times: [W_SF], absent: [0x8000]", "address: 0x0101, name: W_SF, table: holding, encoding: pow10, absent: [0x8000]",
		}, []uint16{2345, 0xFFFF}, map[string]string{"W": "234.5", "W_SF": "0.1"}},
		{"a power of ten that is not implemented", []string{
			"address: 0x0100, name: W, table: holding, encoding: s16, times: [W_SF]", "address: 0x0101, name: W_SF, table: holding, encoding: pow10, absent: [0x8000]",
		}, []uint16{2345, 0x8000}, map[string]string{"W": "decode W: decode W_SF: 0x8000: no sample: the sensor is absent"}},
		{"a power of ten beyond all numbers", []string{
			"address: 0x0100, name: W, table: holding, encoding: s16, times: [W_SF]", "address: 0x0101, name: W_SF, table: holding, encoding: pow10",
		}, []uint16{2345, 0x8000}, map[string]string{"W": "decode W: decode W_SF: 0x8000 is not a number: no sample"}},
		{"a negative factor", []string{
			"address: 0x0100, name: a, table: holding, encoding: u16, times: [k]", "address: 0x0101, name: k, table: holding, encoding: s16",
		}, []uint16{3, 0xFFFE}, map[string]string{"a": "-6"}},
		{"exact of a byte", []string{"address: 0x0100, name: a, table: holding, encoding: u8, exact: {0x0081: -1}"}, []uint16{0x0581}, map[string]string{"a": "-1"}},
		{"exact of a byte in two digits", []string{"address: 0x0100, name: a, table: holding, encoding: u8, exact: {0x81: -1}"}, []uint16{0x0581}, map[string]string{"a": "-1"}},
		{"exact of two registers", []string{"address: 0x0100, name: a, table: holding, encoding: u32, order: CDAB, exact: {0x00010002: 7}"}, []uint16{2, 1}, map[string]string{"a": "7"}},
		{"twelve bits with a sign, and the four above them", []string{
			"address: 0x0100, bits: 0-11, name: a, table: holding, encoding: s16, scale: 0.1", "address: 0x0100, bits: 12-15, name: b, table: holding, encoding: u16",
		}, []uint16{0xAFFF}, map[string]string{"a": "-0.1", "b": "10"}},
		{"bits over two registers", []string{
			"address: 0x0100, bits: 0-19, name: a, table: holding, encoding: u32", "address: 0x0100, bits: 20-31, name: b, table: holding, encoding: u32",
		}, []uint16{0xABC1, 0x0002}, map[string]string{"a": "65538", "b": "2748"}},
		{"a halved object in the order BADC", []string{"address: 0x0100, high: 0x0103, name: a, table: holding, encoding: u32, order: BADC"}, []uint16{0x0201, 0, 0, 0x0100}, map[string]string{"a": "65794"}},
		{"a mode in a part of a register", []string{
			"address: 0x0100, bits: 4-7, name: mode, table: holding, encoding: u16",
			"address: 0x0101, name: st, table: holding, encoding: state16, names_by: {object: mode, tables: {0: stage, 1: states}}",
		}, []uint16{0xFF1F, 4}, map[string]string{"st": `"MPPT"`}},
		{"a text of 20 registers", []string{"address: 0x0100, name: s, table: holding, encoding: ascii_hilo, registers: 20"},
			[]uint16{0x4142, 0x4344, 0x3031, 0x3233, 0x3435, 0x3637, 0x3839, 0x4546, 0x4748, 0x494A, 0x4B4C, 0x4D4E, 0x4F50, 0x5152, 0x5354, 0x5556, 0x5758, 0x595A, 0x6162, 0x6300},
			map[string]string{"s": `"ABCD0123456789EFGHIJKLMNOPQRSTUVWXYZabc"`}},
		{"bits of a bit table", []string{
			"address: 0x0100, name: night, table: discrete", "address: 0x0101, name: hot, table: discrete, encoding: bool, alarm: true", "address: 0x0102, name: load, table: discrete, encoding: bool, names: load",
		}, []uint16{1, 0, 1}, map[string]string{"night": "true", "hot": "false", "load": `"on"`}},
	} {
		f := own(t, c.objects...)
		for name, want := range c.want {
			if got := decode(t, f, name, c.regs...); got != want {
				t.Errorf("%s: %s of %04X is %s, want %s", c.about, name, c.regs, got, want)
			}
		}
	}
}

// One number in all orders of its bytes: 0x01020304 is A=01, B=02, C=03, D=04. The same rule is for four registers.
func TestAllOrdersOfBytes(t *testing.T) {
	for _, c := range []struct {
		encoding, order string
		regs            []uint16
		want            string
	}{
		{"u32", "ABCD", []uint16{0x0102, 0x0304}, "16909060"}, {"u32", "CDAB", []uint16{0x0304, 0x0102}, "16909060"},
		{"u32", "BADC", []uint16{0x0201, 0x0403}, "16909060"}, {"u32", "DCBA", []uint16{0x0403, 0x0201}, "16909060"},
		{"s32", "DCBA", []uint16{0xFEFF, 0xFFFF}, "-2"}, {"sm32", "CDAB", []uint16{0x0002, 0x8000}, "-2"},
		{"f32", "ABCD", []uint16{0xC020, 0x0000}, "-2.5"}, {"f32", "CDAB", []uint16{0x0000, 0xC020}, "-2.5"},
		{"f32", "BADC", []uint16{0x20C0, 0x0000}, "-2.5"}, {"f32", "DCBA", []uint16{0x0000, 0x20C0}, "-2.5"},
		{"u64", "ABCD", []uint16{0x0001, 0x0203, 0x0405, 0x0607}, "283686952306183"}, {"u64", "CDAB", []uint16{0x0607, 0x0405, 0x0203, 0x0001}, "283686952306183"},
		{"u64", "BADC", []uint16{0x0100, 0x0302, 0x0504, 0x0706}, "283686952306183"}, {"u64", "DCBA", []uint16{0x0706, 0x0504, 0x0302, 0x0100}, "283686952306183"},
		{"s64", "ABCD", []uint16{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE}, "-2"}, {"s64", "CDAB", []uint16{0xFFFE, 0xFFFF, 0xFFFF, 0xFFFF}, "-2"},
		{"f64", "ABCD", []uint16{0x3FF8, 0, 0, 0}, "1.5"}, {"f64", "CDAB", []uint16{0, 0, 0, 0x3FF8}, "1.5"},
		{"f64", "BADC", []uint16{0xF83F, 0, 0, 0}, "1.5"}, {"f64", "DCBA", []uint16{0, 0, 0, 0xF83F}, "1.5"},
		{"u16", "BADC", []uint16{0x0201}, "258"}, {"s16", "ABCD", []uint16{0xFFFE}, "-2"}, {"u8", "BADC", []uint16{0x0201}, "2"},
		{"bits32, names: flags", "DCBA", []uint16{0x0300, 0x0000}, `["running","fault"]`},
		{"bits64, names: flags", "CDAB", []uint16{0x0001, 0, 0, 0x8000}, `["running","bit_63"]`},
	} {
		f := own(t, "address: 0x0100, name: a, table: holding, encoding: "+c.encoding+", order: "+c.order)
		if got := decode(t, f, "a", c.regs...); got != c.want {
			t.Errorf("%s %s %04X is %s, want %s", c.encoding, c.order, c.regs, got, c.want)
		}
	}
}

// A decimal address is refused, with an explanation of such addresses in documents.
func TestDecimalAddressesAreExplained(t *testing.T) {
	for text, want := range map[string]string{
		"40084":  "40084 is holding register 84, which is 0x0053, or the address 0x9C94",
		"30001":  "30001 is input register 1, which is 0x0000, or the address 0x7531",
		"10017":  "10017 is discrete input 17, which is 0x0010, or the address 0x2721",
		"00017":  "00017 is coil 17, which is 0x0010, or the address 0x0011",
		"440084": "440084 is holding register 40084, which is 0x9C93",
		"84":     "84 is register 84, which is 0x0053, or the address 0x0054",
		"0":      "0 is the address 0x0000",
		"22001":  "22001 is register 22001, which is 0x55F0, or the address 0x55F1",
		"0x84":   "want four hex digits as in 0x0012",
		"999999": "want four hex digits as in 0x0012",
	} {
		_, err := objects.ParseOwnFamily([]byte("family: X\nmax_registers: 9\nobjects:\n- {address: " + text + ", name: a, table: input, encoding: u16, interval: 60s}\n"))
		if err == nil || !strings.Contains(err.Error(), "line 4: objects[0].address: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestFaultsOfTheRawNumberNameTheirLine(t *testing.T) {
	const next, second = "- {address: 0x0001, ", "- {address: 0x0005, name: b, table: input, encoding: u16"
	for _, c := range []struct{ objects, want string }{
		{object("encoding: u16, bits: 3-2"), "the lower bit comes first: 2-3"},
		{object("encoding: u16, bits: 02"), "one bit or the first and the last"},
		{object("encoding: u16, bits: 12-16"), "the bits 0 to 15, not 12-16"},
		{object("encoding: f16, bits: 0-7"), "only whole numbers, states and bits"},
		{object("encoding: s8, bits: 4-7"), "s8 reads eight bits"},
		{object("encoding: bool, bits: 4-7"), "bool reads one bit"},
		{object("encoding: ascii_lohi, registers: 65"), "1 to 64"},
		{object("encoding: ascii_lohi, registers: 2, order: BADC"), "have an order of bytes"},
		{object("encoding: u32, order: ABDC"), "want ABCD, CDAB, BADC or DCBA"},
		{object("encoding: u32lo, order: CDAB"), "u32lo is another word for u32 with order CDAB"},
		{object("encoding: u16, order: CDAB"), "one register has but the orders ABCD and BADC"},
		{object("encoding: u32, high: 0x0009, order: CDAB"), "the order is ABCD or BADC"},
		{object("encoding: u16, bits: 0-3, absent: [0x000F]"), "want 2 hex digits"},
		{object("encoding: u16, bits: 0-3, absent: [0x10]"), "is never there: the object has 4 bits"},
		{object("encoding: u8, exact: {0x0581: 1}"), "is never there: the object has 8 bits"},
		{object("encoding: u16, exact: {0x81: 1}"), "want 4 hex digits"},
		{object("encoding: bool, names: t"), "a bool is 0 or 1"},
		{object("encoding: state16, names: w, bits: 0-3"), "names 16 W, which 4 bits cannot hold"},
		{object("encoding: bits16, names: v, bits: 4-7"), "names bit 5, the object has 4"},
		{object("encoding: bool, names: q"), `no table of names "q"`},
		{object("encoding: bool, offset: 1"), "only a number"},
		{object("encoding: u16, alarm: true"), "can be an alarm"},
		{object("encoding: bits16, names: v, unit: V"), "line 7: objects[0].unit: only a number has a unit"},
		{object("encoding: state16, names: w, unit: V"), "only a number has a unit"},
		{object("encoding: u16, scale: 1e-12"), "line 7: objects[0].scale: want a factor between 1e-9 and 1e9"},
		{object("encoding: u16, exact: {0xFFFF: 9}, max: 5"), "line 7: objects[0].exact: 0xFFFF stands for 9, which is outside"},
		{strings.Replace(object("encoding: u16"), "interval: 60s", "interval: 1ns", 1), "line 7: objects[0].interval: want 10ms to 8784h, not 1ns"},
		{object("encoding: bool") + "identity: {product_code: a}\n", "identity.product_code: a has two values only"},
		{object("encoding: u16, bits: 0-7") + next + "bits: 7-9, name: b, table: input, encoding: u16" + familyRest, "line 8: objects[1].bits: some bits of 0x0001 are already used by a"},
		{object("encoding: u16, bits: 4-7") + next + "bits: 0-3, name: b, table: input, encoding: u16" + familyRest, "line 8: objects[1].address: 0x0001 comes before a"},
		{object("encoding: u16") + next + "name: b, table: input, encoding: u16" + familyRest, "is already used by a; if they share it, give each its `bits`"},
		{"- {address: 0x0001, name: a, table: coil, encoding: u16" + familyRest, "a bit of the coil table is bool"},
		{"- {address: 0x0001, name: a, table: coil, bits: 0" + familyRest, "only whole numbers, states and bits of registers"},
		{"- {address: 0x0001, name: a, table: coil" + familyRest + "- {address: 0x0001, name: b, table: coil" + familyRest, "bit 0x0001 is already used by a"},
		{"- {address: 0x0001, name: a, table: coil" + familyRest + object("encoding: u16"), "input table come before those of the coil table"},
		{object("encoding: u8, min: 300"), "a can never give a sample: its registers give 0 to 255"},
		{object("encoding: s16, scale: 0.1, offset: 100, max: -5000"), "a can never give a sample: its registers give -3176.8 to 3376.7"},
		{object("encoding: u16, bits: 3, absent: [0x00, 0x01]"), "a can never give a sample: all that its bits can hold is absent"},
		{object("encoding: u16, times: [b]") + "- {address: 0x0002, name: b, table: input, encoding: u16, min: -1, max: 0" + familyRest, "b can only be 0, which is no factor"},
		{object("encoding: u16, since: {object: b, least: 300}") + "- {address: 0x0002, name: b, table: input, encoding: u8" + familyRest, "a can never give a sample: b is at most 255"},
		{object("encoding: f16, min: 65505"), "a can never give a sample: its registers give -65504 to 65504"},
		{object("encoding: pow10, max: -1"), "a can never give a sample: its registers give 1e-20 to 1e+20"},
		{object("encoding: u8, exact: {0x81: 1, 0x0081: 2}"), "objects[0].exact: 0x81 is there twice"},
		{object("encoding: u16, exact: {0x00AB: 1, 0x00ab: 2}"), "objects[0].exact: 0x00AB is there twice"},
		{object("encoding: u16, exact: {0x0001: 1}, absent: [0x0001]"), "objects[0].absent: 0x0001 is in exact too"},
		{object("encoding: state16, names: s, scale: 0.1"), "objects[0].scale: only a number"},
		{object("choices: [{name: x, encoding: state16, scale: 2}, {name: y, encoding: version16}], names: s"), "objects[0].choices: only a number has a scale"},
		{object("bits: 0-1, choices: [{name: x, encoding: bool}]"), "bool reads one bit"},
		{object("high: 0x0009, choices: [{name: x, encoding: u32}, {name: y, encoding: u32lo}]"), "high word first, may have them apart"},
		{object("high: 0x0009, encoding: ipv4_lohi"), "high word first, may have them apart"},
		{object("high: 0x0009, encoding: ascii_hilo, registers: 2"), "high word first, may have them apart"},
		{object("encoding: state16, names_by: {object: b}") + second + familyRest, "objects[0].names_by.tables: want"},
		{object("encoding: state16, names_by: {object: b, tables: {2: s}}") + "- {address: 0x0005, bits: 0, name: b, table: input, encoding: u16" + familyRest, "b has 1 bits, which cannot hold 2"},
		{object("bits: 0-3, encoding: state16, names_by: {object: b, tables: {2: w}}") + second + familyRest, "names 16 W, which 4 bits cannot hold"},
		{"- {name: a, table: input, encoding: u16" + familyRest, "line 7: objects[0].address: an object needs the address of its first register"},
	} {
		head := strings.Replace(familyHead, "t: {31: B}", "t: {31: B}, v: {5: V}, w: {16: W}", 1)
		if _, err := objects.ParseFamily([]byte(head + c.objects)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s\ngave %v, want %q", c.objects, err, c.want)
		}
	}
}

// Bits and registers with one address are read by different functions, even in a device that answers 03 and 04 with
// the same values. Otherwise an object of one table would be decoded from the other.
func TestNoObjectLeansOnOneOfABitTable(t *testing.T) {
	for _, lines := range []string{
		"- {address: 0x0000, name: version, table: input, encoding: u16, interval: 1m}\n" +
			"- {address: 0x0001, name: hot, table: discrete, since: {object: version, least: 1}, interval: 1m}\n",
		"- {address: 0x0000, name: stage, table: input, encoding: state16, names_by: {object: night, tables: {0: stage, 1: states}}, interval: 1m}\n" +
			"- {address: 0x0001, name: night, table: discrete, interval: 1m}\n",
	} {
		head := strings.Replace(languageHead, "objects:", "one_address_space: true\nobjects:", 1)
		if _, err := objects.ParseOwnFamily([]byte(head + lines)); err == nil || !strings.Contains(err.Error(), "no one read brings both") {
			t.Errorf("%s\ngave %v", lines, err)
		}
	}
}

// The names of a family are shown in terminals and pages, and sent to clouds.
func TestNamesHaveNoControlCharacters(t *testing.T) {
	text := "family: X\nmax_registers: 9\ntables: {s: {0: \"a\\e[31mb\"}}\nobjects:\n- {address: 0x0000, name: a, table: input, encoding: state16, names: s, interval: 60s}\n"
	if _, err := objects.ParseOwnFamily([]byte(text)); err == nil || !strings.Contains(err.Error(), "line 3: tables.s.0: ") {
		t.Errorf("got %v", err)
	}
}
