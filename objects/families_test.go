package objects_test

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
)

func TestObjectsAreThereUnderTheirExactNames(t *testing.T) {
	file, err := os.Open("testdata/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	kinds := map[string]objects.Kind{"number": objects.KindNumber, "text": objects.KindText, "bits": objects.KindBits}
	c, checked := catalog(t), 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if words[0] == "#" {
			continue
		}
		checked++
		f, ok := c.Family(words[0])
		if !ok {
			t.Fatalf("no family %s", words[0])
		}
		o, ok := f.Object(words[1])
		if !ok || o.Kind() != kinds[words[2]] {
			t.Errorf("%s is not there as a %s", words[:2], words[2])
		}
	}
	if checked != 194 {
		t.Errorf("%d names checked, want 194", checked)
	}
}

// The numbers of objects in the register maps show an object that is lost in an edit.
func TestFamiliesAreWhole(t *testing.T) {
	want := map[string][2]int{ // objects, of them live
		"GENSTAR": {91, 91}, "PSMPPT": {117, 63}, "PSPWM": {103, 54}, "SSDUO": {77, 45}, "SSMPPT": {94, 39}, "SURESINE": {28, 14},
		"TSMPPT": {112, 51}, "TSMPPT600": {114, 51}, "TSPWM": {75, 21},
	}
	for _, f := range catalog(t).Families() {
		live := 0
		for i := range f.Objects {
			if !f.Objects[i].Setting() {
				live++
			}
		}
		if got := [2]int{len(f.Objects), live}; got != want[f.Slug] {
			t.Errorf("%s has %d objects and live ones, the map has %d", f.Slug, got, want[f.Slug])
		}
		delete(want, f.Slug)
	}
	if len(want) > 0 {
		t.Errorf("missing families: %v", want)
	}
}

func TestProductCodesFindTheirFamily(t *testing.T) {
	c := catalog(t)
	for code, want := range map[string]string{
		"PS-PWM-15": "PSPWM", "PS-PWM-15M": "PSPWM", "PS-PWM-30": "PSPWM", "PS-PWM-30M": "PSPWM",
		"PS-MPPT-25": "PSMPPT", "PS-MPPT-25M": "PSMPPT", "PS-MPPT-40": "PSMPPT", "PS-MPPT-40M": "PSMPPT",
		"TS-MPPT-30": "TSMPPT", "TS-MPPT-45": "TSMPPT", "TS-MPPT-60": "TSMPPT", "TS-MPPT-60-600V-48": "TSMPPT600", "TS-MPPT-60-600V": "TSMPPT600",
		"TS-45": "TSPWM", "TS-60": "TSPWM", "SS-MPPT": "SSMPPT", "SS-MPPT-15L": "SSMPPT", "SSDuo": "SSDUO", "GS-MPPT-60M-200V": "GENSTAR",
		"": "", "TS-MPPT": "", "PS-PWM": "", "ps-pwm-30m": "", "XTS-45": "",
	} {
		f, ok := c.ByProductCode(code)
		if ok != (want != "") || ok && f.Slug != want {
			t.Errorf("%q: found %v %v, want %q", code, ok, f, want)
		}
	}
}

func TestWhetherAProductCodeFitsAFamily(t *testing.T) {
	c := catalog(t)
	for _, x := range []struct {
		family, code string
		fits         bool
		other        string
	}{
		{"PSPWM", "PS-PWM-30M", true, "PSPWM"},
		{"TSPWM", "PS-PWM-30M", false, "PSPWM"},
		{"PSPWM", "OEM-1", false, ""},
		{"TSMPPT", "TS-MPPT-60-600V-48", false, "TSMPPT600"}, // the longest matching prefix counts
		{"SSDUO", "TS-45", true, "SSDUO"},                    // shared by two families
		{"SSDUO", "SSDuo", true, "SSDUO"},
		{"TSPWM", "SSDuo", false, "SSDUO"},
		{"SSDUO", "TS-MPPT-60", false, "TSMPPT"},
	} {
		f, _ := c.Family(x.family)
		fits, other := c.Fits(f, x.code)
		slug := ""
		if other != nil {
			slug = other.Slug
		}
		if fits != x.fits || slug != x.other {
			t.Errorf("%s as %s: %v %q, want %v %q", x.code, x.family, fits, slug, x.fits, x.other)
		}
	}
}

// All family files have the same form: a header, keys in one order, one line for each object with its keys in one
// order.
func TestFamilyFilesHaveOneSilhouette(t *testing.T) {
	paths, err := filepath.Glob("families/*.yaml")
	if err != nil || len(paths) != len(catalog(t).Families()) {
		t.Fatalf("%d files (%v)", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			checkSilhouette(t, string(data), strings.TrimSuffix(filepath.Base(path), ".yaml"))
		})
	}
}

var (
	topKeys    = regexp.MustCompile(`(?m)^([a-z_]+):`)
	objectKeys = regexp.MustCompile(`(?:\{|, )([a-z_]+): `)
	nested     = regexp.MustCompile(`: (\{[^{}]*(\{[^{}]*\}[^{}]*)*\}|\[[^\]]*\]|"[^"]*")`)
)

func checkSilhouette(t *testing.T, text, slug string) {
	t.Helper()
	header, body, _ := strings.Cut(text, "\nfamily: "+slug+"\n")
	for i, line := range strings.Split(header, "\n") {
		if !strings.HasPrefix(line, "#") || len([]rune(line)) > 150 {
			t.Errorf("line %d of the header: %q", i+1, line)
		}
	}
	unfolded := strings.ReplaceAll(header, "\n# ", " ")
	for _, want := range []string{"# Source: ", "Confidence is that of address and encoding together", "Log intervals are ours", "Addresses are PDU addresses, 0-based"} {
		if !strings.Contains(unfolded, strings.TrimPrefix(want, "# ")) {
			t.Errorf("the header has no %q", want)
		}
	}
	inOrder(t, slug, topKeys.FindAllStringSubmatch(body, -1), []string{"title", "product_codes", "shared_product_codes", "max_registers", "one_address_space", "tables", "objects"})
	_, list, _ := strings.Cut(body, "\nobjects:\n")
	for _, line := range strings.Split(strings.TrimSpace(list), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		if !strings.HasPrefix(line, "- {address: 0x") || !strings.HasSuffix(line, `"}`) {
			t.Errorf("not one line: %s", line)
		}
		inOrder(t, line, objectKeys.FindAllStringSubmatch(nested.ReplaceAllString(line[2:], ": x"), -1), []string{
			"address", "high", "name", "table", "encoding", "choices", "registers", "scale", "times", "since", "exact", "absent", "min", "max",
			"names", "names_by", "alarm", "unit", "by_name", "interval", "confidence", "about",
		})
	}
}

// inOrder checks that the found keys are in the order of all.
func inOrder(t *testing.T, where string, found [][]string, all []string) {
	t.Helper()
	last := -1
	for _, m := range found {
		at := slices.Index(all, m[1])
		if at <= last {
			t.Errorf("%s: the key %s is not in the same place as in other files", where, m[1])
		}
		last = at
	}
}

func TestIntervalsFollowWhatAnObjectIs(t *testing.T) {
	for _, f := range catalog(t).Families() {
		for i := range f.Objects {
			o := &f.Objects[i]
			if want := intervals(o); !slices.Contains(want, o.Interval) {
				t.Errorf("%s %s is sampled every %v, want %v", f.Slug, o.Name, o.Interval, want)
			}
		}
	}
}

func intervals(o *objects.Object) []time.Duration {
	name := strings.ToLower(o.Name)
	switch {
	case o.Table == objects.Holding, strings.HasSuffix(name, "daily"), strings.HasSuffix(name, "hourly"):
		return []time.Duration{time.Hour}
	case o.Alarm:
		return []time.Duration{30 * time.Second}
	case o.Unit == "°C" || o.Unit == "°F":
		return []time.Duration{5 * time.Minute}
	case slices.Contains([]string{"Ah", "kWh", "Wh", "h"}, o.Unit):
		return []time.Duration{15 * time.Minute}
	default: // changing values, and values that are kept from power-up or configured
		return []time.Duration{time.Minute, time.Hour}
	}
}

// Present faults and alarms are marked in every family. Those that are kept for the day, and settings about alarms,
// are not.
func TestFaultsAndAlarmsAreMarked(t *testing.T) {
	for _, f := range catalog(t).Families() {
		for i := range f.Objects {
			o := &f.Objects[i]
			name := strings.ToLower(o.Name)
			word := strings.Contains(name, "fault") || strings.Contains(name, "alarm")
			if want := word && o.Kind() == objects.KindBits && !strings.HasSuffix(name, "_daily"); o.Alarm != want {
				t.Errorf("%s %s: alarm is %v", f.Slug, o.Name, o.Alarm)
			}
		}
	}
}

func TestEveryStateAndBitHasItsOwnName(t *testing.T) {
	// The documents themselves give these names to several numbers.
	several := []string{"reserved", "UNDEFINED", "NOT_USED", "undefined"}
	for _, f := range catalog(t).Families() {
		for i := range f.Objects {
			o := &f.Objects[i]
			numbers := map[string]uint16{}
			for n, name := range o.Names {
				if strings.TrimSpace(name) != name || strings.ContainsAny(name, ",;= ") {
					t.Errorf("%s %s: %d is named %q", f.Slug, o.Name, n, name)
				}
				if other, twice := numbers[name]; twice && !slices.Contains(several, name) {
					t.Errorf("%s %s: %d and %d are both named %s", f.Slug, o.Name, other, n, name)
				}
				numbers[name] = n
			}
		}
	}
}

// Tables that look similar but belong to different controllers, from the notes to the sources.
func TestFamiliesKeepTheirOwnTables(t *testing.T) {
	for _, c := range []struct {
		family, object string
		n              uint16
		want           string
	}{
		{"PSPWM", "charge_state", 5, "BULK"}, {"PSMPPT", "charge_state", 5, "MPPT"}, {"SSMPPT", "charge_state", 5, "BULK_CHARGE"}, {"TSMPPT", "charge_state", 9, "SLAVE"},
		{"PSPWM", "array_fault", 10, "dip_switch_changed_excl_dip8"}, {"PSMPPT", "array_fault", 10, "slave_control_timeout"}, {"SSMPPT", "array_fault", 9, ""},
		{"PSPWM", "load_fault", 8, "fp10_fault"}, {"PSMPPT", "load_fault", 8, ""}, {"SSMPPT", "load_fault", 6, "eeprom_setting_edit"},
		{"PSPWM", "alarm", 19, "reset"}, {"PSMPPT", "alarm", 23, "reset"}, {"TSMPPT", "alarm", 19, "controller_was_reset"},
		{"TSMPPT", "fault", 10, "reserved"}, {"TSMPPT600", "fault", 10, "controller_reset"}, {"TSPWM", "fault", 10, "rts_shorted"},
		{"TSMPPT", "led_state", 10, "BLINK_RED"}, {"TSMPPT600", "led_state", 10, "NOT_USED"},
	} {
		o, ok := family(t, c.family).Object(c.object)
		if !ok || o.Names[c.n] != c.want {
			t.Errorf("%s %s %d is %q, want %q", c.family, c.object, c.n, o.Names[c.n], c.want)
		}
	}
}

// Objects from doubtful sources are marked, and an object with a disputed encoding is not sampled before one is
// chosen.
func TestDoubtIsMarked(t *testing.T) {
	for _, c := range []struct{ family, object string }{
		{"PSPWM", "kWhc_r"}, {"PSPWM", "EkWhc_t"}, {"PSMPPT", "kWhc_t"}, {"SURESINE", "Iac"}, {"GENSTAR", "alarms"}, {"TSPWM", "Et_sun1"},
	} {
		o, _ := family(t, c.family).Object(c.object)
		if !o.Unverified() || len(o.Choices) < 2 {
			t.Errorf("%s %s: unverified %v, choices %v", c.family, c.object, o.Unverified(), o.Choices)
		}
	}
	for _, c := range []struct{ family, object string }{{"TSMPPT", "EV_absorp"}, {"TSMPPT600", "EV_absorp"}, {"TSMPPT", "ControllerID"}} {
		if o, _ := family(t, c.family).Object(c.object); len(o.Choices) == 0 {
			t.Errorf("%s %s is sampled without a choice", c.family, c.object)
		}
	}
}
