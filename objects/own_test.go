package objects_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

const (
	familyHead = "family: X\ntitle: x\nproduct_codes: [X]\nmax_registers: 10\ntables: {s: {0: A}, t: {31: B}}\nobjects:\n"
	familyRest = ", interval: 60s, confidence: high}\n"
)

// object returns a line of a family file with address 0x0001, name a, and the given keys.
func object(keys string) string {
	return "- {address: 0x0001, name: a, table: input, " + keys + familyRest
}

func TestFamilyFileFaultsNameTheirLine(t *testing.T) {
	const second = "- {address: 0x0005, name: b, table: input, encoding: u16"
	for _, c := range []struct{ objects, want string }{
		{"- {address: 12, name: a, table: input, encoding: u16" + familyRest, "line 7"},
		{"- {address: 0x12, name: a, table: input, encoding: u16" + familyRest, "four hex digits"},
		{"- {address: 0xFFFF, name: a, table: input, encoding: u32" + familyRest, "beyond 0xFFFF"},
		{"- {address: 0x0001, name: a, table: coils, encoding: u16" + familyRest, "want input, holding, discrete or coil"},
		{"- {address: 0x0001, name: all, table: input, encoding: u16" + familyRest, `"all" is reserved`},
		{"- {address: 0x0001, name: a, table: input, encoding: u16, confidence: high}\n", "needs a log interval"},
		{"- {address: 0x0001, name: a, table: input, encoding: u16, interval: 60s}\n", "want high, medium or low"},
		{object("encoding: u17"), "unknown encoding"},
		{object("about: x"), "unknown encoding"},
		{object("encoding: state16"), "need a table of names"},
		{object("encoding: u16, names: s"), "only states and bits have names"},
		{object("encoding: bits16, names: t"), "names bit 31"},
		{object("encoding: u16, unit: mV"), "unknown unit"},
		{object("encoding: ascii_lohi"), "count of registers"},
		{object("encoding: ascii_lohi, registers: 0"), "count of registers"},
		{object("encoding: ascii_lohi, registers: 11"), "max_registers is 10"},
		{object("encoding: u32, registers: 1"), "takes 2 registers"},
		{object("encoding: u16, registers: 3"), "takes 1 registers"},
		{object("encoding: u16, scale: 0"), "not 0"},
		{object("encoding: u16, scale: 2^"), "96.667*2^-15"},
		{object("encoding: u16, scale: 1/0"), "number and not 0"},
		{object("encoding: u16, absent: [0x80]"), "want 4 hex digits"},
		{object("encoding: s8, absent: [128]"), "hex digits as in 0x80"},
		{object("encoding: bits16, names: s, absent: [0x80]"), "want 4 hex digits"},
		{object("encoding: bits16, names: s, max: 5"), "only a number"},
		{object("encoding: u16, alarm: true"), "only states and bits"},
		{object("encoding: u16, min: 5, max: 5"), "no value is within"},
		{object("encoding: u32, exact: {0x0001: 1}"), "want 8 hex digits"},
		{object("encoding: u16, high: 0x0009"), "two registers"},
		{object("encoding: u32lo, high: 0x0009"), "high word first"},
		{object("encoding: u16, times: [b]"), `no other object "b"`},
		{object("encoding: u16, times: [a]"), `no other object "a"`},
		{object("encoding: u16, choices: [{name: x, encoding: u16}]"), "not both"},
		{object("choices: [{name: x, encoding: u16}, {name: x, encoding: s16}]"), "a name of its own"},
		{object("choices: [{name: x, encoding: u16}, {name: y, encoding: u32}]"), "takes 2 registers"},
		{object("choices: [{name: x, encoding: u16}, {name: y, encoding: version16}]"), "two kinds"},
		{object("encoding: u16, names_by: {object: b, tables: {0: s}}"), "only states"},
		{object("encoding: state16, names_by: {object: b, tables: {0: q}}") + second + familyRest, "number of a mode and one of the tables"},
		{object("encoding: u16, times: [b]") + second + ", times: [a]" + familyRest, "leans on others itself"},
		{object("encoding: u16, since: {object: b, least: 3}") + "- {address: 0x0005, name: b, table: input, encoding: state16, names: s" + familyRest, "b is no number"},
		{object("encoding: u16, times: [b]") + "- {address: 0x0005, name: b, table: holding, encoding: u16" + familyRest, "no one read brings both"},
		{object("encoding: u16, times: [b]") + "- {address: 0x0050, name: b, table: input, encoding: u16" + familyRest, "80 registers from 0x0001 in one read"},
		{object("encoding: u16, times: [b]") + "- {address: 0xFFFF, name: b, table: input, encoding: u16" + familyRest, "in one read"},
		{object("encoding: u32") + "- {address: 0x0002, name: b, table: input, encoding: u16" + familyRest, "line 8"},
		{object("encoding: u32") + "- {address: 0x0002, name: b, table: input, encoding: u16" + familyRest, "register 0x0002 is already used by a"},
		{object("encoding: u32, high: 0x0005") + second + familyRest, "register 0x0005 is already used by a"},
		{object("encoding: u16") + "- {address: 0x0002, name: a, table: input, encoding: u16" + familyRest, "twice"},
		{second + familyRest + object("encoding: u16"), "comes before b"},
		{"- {address: 0x0005, name: b, table: holding, encoding: u16" + familyRest + object("encoding: u16"), "input table come before"},
	} {
		_, err := objects.ParseFamily([]byte(familyHead + c.objects))
		var faults strictyaml.Faults
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngave %v, want %q", c.objects, err, c.want)
		}
	}
}

func TestFaultsOfAFamilyAsAWhole(t *testing.T) {
	for _, c := range []struct{ head, want string }{
		{"family: a b\nmax_registers: 10\n", "line 1: family: a family needs a slug"},
		{"family: auto\nmax_registers: 10\n", "not auto"},
		{"family: X\nmax_registers: 126\n", "1 to 125"},
		{"family: X\nmax_registers: 10\nproduct_codes: ['']\n", "every controller"},
		{"family: X\nmax_registers: 10\ntables: {s: {01: A}}\n", "want a number and its name"},
		{"family: X\nmax_registers: 10\nobjects: []\n", "at least one object"},
		{"identity: {firmware: version}\n" + ownFamily, `line 1: identity.firmware: there is no object "version"`},
	} {
		if _, err := objects.ParseFamily([]byte(c.head)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngave %v, want %q", c.head, err, c.want)
		}
	}
}

// writeFamilies makes a directory of family files.
func writeFamilies(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const ownFamily = "family: MINE\nproduct_codes: [TS-MPPT-60-9]\nmax_registers: 4\nobjects:\n" +
	"- {address: 0x0001, name: flow, table: holding, encoding: f32lo, unit: m³/h, by_name: false, interval: 10s}\n"

func TestUsersFamiliesStandBesideTheBuiltInOnes(t *testing.T) {
	dir := writeFamilies(t, map[string]string{"mine.yaml": ownFamily, "other.yml": strings.ReplaceAll(ownFamily, "MINE\nproduct_codes: [TS-MPPT-60-9]", "OTHER"), "README": "no family"})
	c, err := objects.LoadCatalog(filepath.Join(dir, "none"), dir)
	if err != nil {
		t.Fatal(err)
	}
	if built := len(catalog(t).Families()); len(c.Families()) != built+2 {
		t.Errorf("%d families, want %d built in and 2 more", len(c.Families()), built)
	}
	for i, f := range c.Families()[1:] {
		if before := c.Families()[i].Slug; before >= f.Slug {
			t.Errorf("%s comes before %s", before, f.Slug)
		}
	}
	if f, ok := c.ByProductCode("TS-MPPT-60-9"); !ok || f.Slug != "MINE" {
		t.Errorf("the longer product code must count: %v", f)
	}
	f, _ := c.Family("MINE")
	o, _ := f.Object("flow")
	if o.Unit != "m³/h" || o.Setting() || o.Interval != 10*time.Second || o.Confidence != "high" {
		t.Errorf("got %+v", o)
	}
	if v, err := o.Decode([]uint16{0x0000, 0xC020}); err != nil || v.Float() != -2.5 {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestFaultsOfUsersFamiliesNameFileAndLine(t *testing.T) {
	dir := writeFamilies(t, map[string]string{
		"a.yaml": strings.Replace(ownFamily, "f32lo", "f33", 1) + "- {address: 0x0001, nam: b}\n",
		"b.yaml": strings.Replace(ownFamily, "MINE", "TSPWM", 1),
		"c.yaml": strings.Replace(ownFamily, "TS-MPPT-60-9", "TS-45", 1),
		"d.yaml": strings.Replace(ownFamily, "m³/h", "kilograms per second", 1),
		"e.yaml": "",
	})
	if err := os.Mkdir(filepath.Join(dir, "f.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := objects.LoadCatalog(dir)
	if err == nil {
		t.Fatal("files with faults were accepted")
	}
	for _, want := range []string{
		dir + "/a.yaml:6: objects[1].nam: unknown key", dir + "/b.yaml: family: there is a family TSPWM already",
		dir + "/c.yaml: product_codes: TS-45 belongs to the family TSPWM", dir + "/d.yaml:5: objects[0].unit: want a unit of at most 16 characters",
		dir + "/e.yaml: family: a family needs a slug", dir + "/e.yaml: objects: a family needs at least one object", "read the family file " + dir + "/f.yaml",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if _, err := objects.LoadCatalog(filepath.Join(dir, "a.yaml")); err == nil || !strings.Contains(err.Error(), "list the family files of") {
		t.Errorf("a file for a directory: %v", err)
	}
}

func TestFactorsAreReadAsDocumentsPrintThem(t *testing.T) {
	for text, want := range map[string]float64{
		"1": 1, "0.1": 0.1, "12": 12, "-1": -1, "1e-3": 0.001, "2^-15": 1.0 / 32768, "96.667*2^-15": 96.667 / 32768, "100/417": 100.0 / 417,
		"1/1800": 1.0 / 1800, "100 * 2^-8": 100.0 / 256, "1/2/5": 0.1, "10^3": 1000,
		"-2^-16": -1.0 / 65536, "-10^2": -100, "3*-2^2": -12, "1/-2^-2": -4, // the sign is not part of the base
	} {
		var f objects.Factor
		if err := f.UnmarshalText([]byte(text)); err != nil || float64(f) != want {
			t.Errorf("%s is %g (%v), want %g", text, f, err, want)
		}
	}
	for _, text := range []string{"", "0", "01", "1,5", "0x10", "2**3", "*2", "2*", "n*2", "nan", "inf", "1/0", "2^999*2^999", "1_000", "+1", "2^1.5", ".5"} {
		var f objects.Factor
		if err := f.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted as %g, want an error", text, f)
		}
	}
}
