package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
	"noi-agent/objects"
)

var seedOfFamilies = flag.Uint64("seed", 0, "seed of the register values in TestFamiliesComeOutAsPythonReadsThem; 0: random")

// differencesShown is how many differences of a family are printed. A wrong table makes hundreds.
const differencesShown = 10

// nameModel are the families that no product code identifies (their files say why). The others are found by `model:
// auto`.
var nameModel = map[string]bool{"SSDUO": true, "SURESINE": true}

// familyLine is a line of controllers of one family, simulated by pymodbus, with the values that Python expects.
type familyLine struct {
	family *objects.Family
	port   string
	units  []pythonUnit
}

// pythonUnit is one unit of such a line. images.py makes it.
type pythonUnit struct {
	UnitID    int               `json:"unit_id"`
	Encodings map[string]string `json:"encodings"` // the encodings that its configuration must choose
	Values    map[string][]any  `json:"values"`    // by object, the possible values; empty: no value
	Held      map[string][]string
}

// startFamilies starts a slave for each built-in family.
func startFamilies(t *testing.T, seed uint64) []*familyLine {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's, because another interpreter does not find Debian's modules
	modbustest.NeedPeer(t, "pymodbus", "python3-pymodbus python3-serial-asyncio", python, "-c", "import pymodbus.server")
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	var lines []*familyLine
	var slaves []*modbustest.Peer
	dir := t.TempDir()
	story := func(l *familyLine) string { return filepath.Join(dir, l.family.Slug+".json") }
	for _, f := range catalog.Families() {
		here, there := modbustest.MustCable(t)
		l := &familyLine{family: f, port: here}
		lines = append(lines, l)
		slaves = append(slaves, modbustest.StartPeer(t, python,
			"testdata/peers/family_slave.py", there, "115200", f.Slug, strconv.FormatUint(seed, 10), story(l)))
	}
	for i, l := range lines {
		slaves[i].Await(t, "ready")
		text, err := os.ReadFile(story(l))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &l.units); err != nil {
			t.Fatalf("%s: %v", l.family.Slug, err)
		}
	}
	return lines
}

// slaves returns the line's part of the configuration as JSON, which is also YAML. Every object is named, so settings
// are read too. The log interval is longer than the test, so each object is read once, and the test knows when all
// were read.
func (l *familyLine) slaves(t *testing.T) string {
	t.Helper()
	var names []string
	for _, o := range l.family.Objects {
		names = append(names, o.Name)
	}
	model := "auto"
	if nameModel[l.family.Slug] {
		model = l.family.Slug
	}
	var list []map[string]any
	for _, u := range l.units {
		list = append(list, map[string]any{
			"id": u.UnitID, "name": fmt.Sprintf("%s-%d", l.family.Slug, u.UnitID), "model": model,
			"objects": names, "encodings": u.Encodings, "intervals": map[string]string{"*": "1h"},
		})
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// familiesConfig returns a configuration without integrations: the test reads the latest values.
func (w *world) familiesConfig(lines []*familyLine) string {
	w.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "state_dir: %s/state\nfamilies_dir: \"\"\nstatus: {listen: \"\", socket: %s}\nlines:\n", w.dir, w.socket())
	for _, l := range lines {
		fmt.Fprintf(&text, "  - {name: %s, port: %s, baud: 115200, timeout: 5s, slaves: %s}\n", l.family.Slug, l.port, l.slaves(w.t))
	}
	return clitest.WriteConfig(w.t, text.String())
}

// unitStatus is the part of the status about one unit.
type unitStatus struct {
	UnitID   int `json:"unit_id"`
	Family   string
	Error    string
	Objects  int
	NoSample int `json:"no_sample"`
	Missed   int
	Refused  []string
}

// readings returns the values that a daemon has read, by line and unit, in the order of the configuration.
type readings struct {
	units  map[string][]unitStatus
	values map[string]map[string]json.RawMessage // by "line/unit id", by object
}

func (w *world) readings() readings {
	w.t.Helper()
	r := readings{units: map[string][]unitStatus{}, values: map[string]map[string]json.RawMessage{}}
	var status struct {
		Lines []struct {
			Name   string
			Slaves []unitStatus
		}
	}
	var latest struct {
		Objects []struct {
			Line, Object string
			UnitID       int `json:"unit_id"`
			Value        json.RawMessage
		}
	}
	for path, into := range map[string]any{"/api/v1/status": &status, "/api/v1/objects": &latest} {
		if err := json.Unmarshal(w.get(path), into); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, l := range status.Lines {
		r.units[l.Name] = l.Slaves
	}
	for _, row := range latest.Objects {
		unit := fmt.Sprintf("%s/%d", row.Line, row.UnitID)
		if r.values[unit] == nil {
			r.values[unit] = map[string]json.RawMessage{}
		}
		r.values[unit][row.Object] = row.Value
	}
	return r
}

// whole reports whether each object of a line was read, with or without a value.
func (r readings) whole(l *familyLine) bool {
	for _, u := range r.units[l.family.Slug] {
		values := r.values[fmt.Sprintf("%s/%d", l.family.Slug, u.UnitID)]
		if u.Objects == 0 || len(values)+u.NoSample+len(u.Refused) < u.Objects {
			return false
		}
	}
	return len(r.units[l.family.Slug]) == len(l.units)
}

// TestFamiliesComeOutAsPythonReadsThem runs the real daemon on controllers of all families. Python has chosen every
// register at random. The test compares each object with the value that Python calculates from the sources' own maps.
// Both programs share no code.
func TestFamiliesComeOutAsPythonReadsThem(t *testing.T) {
	t.Parallel()
	seed := *seedOfFamilies
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test -run %s ./cmd/noi-agent/e2e -seed %d repeats this", t.Name(), seed)
	lines := startFamilies(t, seed)
	w := &world{t: t, dir: t.TempDir()}
	modbustest.StartPeer(t, buildBinary(t, ".."), "run", "--config", w.familiesConfig(lines)).Await(t, "agent started")
	var got readings
	eventually(t, "every object of every unit was read", func() bool {
		got = w.readings()
		return !slices.ContainsFunc(lines, func(l *familyLine) bool { return !got.whole(l) })
	})
	for _, l := range lines {
		t.Run(l.family.Slug, func(t *testing.T) { l.check(t, got) })
	}
}

func (l *familyLine) check(t *testing.T, got readings) {
	var differences []string
	compared := 0
	for i, u := range l.units {
		status := got.units[l.family.Slug][i]
		if status.Family != l.family.Slug || status.Missed != 0 || len(status.Refused) != 0 || status.Objects != len(u.Values) {
			differences = append(differences, fmt.Sprintf("unit %d, of %d objects, is %+v", u.UnitID, len(u.Values), status))
		}
		differences = append(differences, u.differences(got.values[fmt.Sprintf("%s/%d", l.family.Slug, u.UnitID)])...)
		compared += len(u.Values)
	}
	t.Logf("%d units of %d objects, %d values compared", len(l.units), len(l.family.Objects), compared)
	for i, d := range differences {
		if i == differencesShown {
			t.Errorf("and %d more", len(differences)-i)
			break
		}
		t.Error(d)
	}
}

// differences compares a unit's objects, including those that only one side has.
func (u *pythonUnit) differences(got map[string]json.RawMessage) []string {
	var out []string
	differ := func(name, format string, args ...any) {
		out = append(out, fmt.Sprintf("unit %d %s (%s) %s", u.UnitID, name, strings.Join(u.Held[name], " or "), fmt.Sprintf(format, args...)))
	}
	for _, name := range slices.Sorted(maps.Keys(u.Values)) {
		want, value := u.Values[name], got[name]
		switch {
		case value == nil && len(want) > 0:
			differ(name, "has no value, want %s", either(want))
		case value != nil && len(want) == 0:
			differ(name, "is %s, want no value", value)
		case value != nil && !slices.ContainsFunc(want, func(w any) bool { return printsAs(w, string(value)) }):
			differ(name, "is %s, want %s", value, either(want))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, known := u.Values[name]; !known {
			differ(name, "is %s, and Python knows no such object", got[name])
		}
	}
	return out
}

// either prints the values that an object may have.
func either(values []any) string {
	var words []string
	for _, v := range values {
		word, _ := json.Marshal(v) // the value was decoded from JSON
		words = append(words, string(word))
	}
	return strings.Join(words, " or ")
}

// plainNumber is the form of a printed number: six decimals at most, no exponent, no zero at the end.
var plainNumber = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d{0,5}[1-9])?$`)

// printsAs compares printed JSON with the value that Python calculated: a number to six decimals, everything else exactly.
func printsAs(want any, got string) bool {
	number, ok := want.(float64)
	if !ok {
		var value any
		return json.Unmarshal([]byte(got), &value) == nil && reflect.DeepEqual(value, want)
	}
	value, err := strconv.ParseFloat(got, 64)
	// Half of the sixth decimal, and in addition the difference between two ways to multiply.
	return err == nil && got != "-0" && plainNumber.MatchString(got) && math.Abs(value-number) <= 0.5e-6+1e-12+1e-14*math.Abs(number)
}
