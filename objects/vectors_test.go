package objects_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"noi-agent/objects"
)

// vector has registers by address, and their value by the formula of the source. testdata/vectors/vectors.py makes it
// without this code and the family files.
type vector struct {
	Object    string            `json:"object"`
	Choice    string            `json:"choice"`
	Registers map[string]string `json:"registers"` // hexadecimal values by hexadecimal address
	Want      any               `json:"want"`
	None      string            `json:"none"` // why there is no value
}

type vectorFile struct {
	Family  string   `json:"family"`
	Source  string   `json:"source"`
	Vectors []vector `json:"vectors"`
}

// reasons has the words in vectors.py for registers without a value.
func reasons() map[string]error {
	return map[string]error{
		"number": objects.ErrNoSample, "text": objects.ErrNoSample, "absent": objects.ErrAbsent, "range": objects.ErrOutOfRange,
		"firmware": objects.ErrFirmware,
	}
}

func loadVectors(t *testing.T, slug string) vectorFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "vectors", slug+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file vectorFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if file.Family != slug || file.Source == "" {
		t.Errorf("%s.json is of the family %q, from %q", slug, file.Family, file.Source)
	}
	return file
}

// loadCatalog reads the families once for all tests; a catalog does not change.
var loadCatalog = sync.OnceValues(func() (*objects.Catalog, error) { return objects.LoadCatalog() })

func catalog(t testing.TB) *objects.Catalog {
	t.Helper()
	c, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The committed vectors are those that the generator makes from maps.txt.
func TestVectorsAreTheGenerators(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("python3 is missing: apt-get install python3") // python3-pymodbus needs it, which `make test` installs if it can
	}
	dir := t.TempDir()
	if out, err := exec.Command(python, filepath.Join("testdata", "vectors", "vectors.py"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(made) != len(catalog(t).Families()) {
		t.Errorf("%d files of vectors (%v), want one a family", len(made), err)
	}
	for _, path := range made {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("testdata", "vectors", filepath.Base(path)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from the output of vectors.py (%v); run it", filepath.Base(path), err)
		}
	}
}

// Every object of every family has a vector for each of its choices, each state and each bit. It gives the wanted
// value whatever the other registers of its span contain.
func TestVectorsOfAllFamilies(t *testing.T) {
	for _, f := range catalog(t).Families() {
		t.Run(f.Slug, func(t *testing.T) {
			seen := map[string]map[string]bool{} // object and choice: the decoded values
			for _, v := range loadVectors(t, f.Slug).Vectors {
				o, ok := f.Object(v.Object)
				if !ok {
					t.Fatalf("there is no object %s", v.Object)
				}
				key := v.Object + " " + v.Choice
				if seen[key] == nil {
					seen[key] = map[string]bool{}
				}
				for _, filler := range []uint16{0x0000, 0x5A5A, 0xFFFF} {
					for _, name := range v.check(t, chosen(t, o, v.Choice), filler) {
						seen[key][name] = true
					}
				}
			}
			for i := range f.Objects {
				checkCovered(t, &f.Objects[i], seen)
			}
		})
	}
}

// chosen returns the object, with an encoding chosen if it is disputed.
func chosen(t *testing.T, o *objects.Object, choice string) *objects.Object {
	t.Helper()
	if choice == "" {
		return o
	}
	with, err := o.With(choice)
	if err != nil {
		t.Fatal(err)
	}
	return &with
}

// check decodes a vector and returns the decoded words: a state, or names of bits.
func (v *vector) check(t *testing.T, o *objects.Object, filler uint16) []string {
	t.Helper()
	regs := v.span(t, o, filler)
	got, err := o.DecodeSpan(regs)
	if v.None != "" {
		if want := reasons()[v.None]; want == nil || !errors.Is(err, want) {
			t.Errorf("%s %s %v is %v (%v), want no value: %s", v.Object, v.Choice, v.Registers, got, err, v.None)
		}
		return nil
	}
	if err != nil || !v.wants(got) {
		t.Errorf("%s %s %v is %v (%v), want %v", v.Object, v.Choice, v.Registers, got, err, v.Want)
	}
	if got.Kind() == objects.KindText {
		return []string{got.String()}
	}
	return append(slices.Clone(got.Names()), "some")
}

// span puts the vector's registers into the object's span. All of them must be in the span, and the object's own
// among them.
func (v *vector) span(t *testing.T, o *objects.Object, filler uint16) []uint16 {
	t.Helper()
	addr, count := o.Span()
	regs := make([]uint16, count)
	for i := range regs {
		regs[i] = filler
	}
	hex := func(text string) uint16 {
		n, err := strconv.ParseUint(text, 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		return uint16(n)
	}
	for at, value := range v.Registers {
		a := hex(at)
		if at := int(a) - int(addr); at >= 0 && at < int(count) {
			regs[at] = hex(value)
			continue
		}
		if a > 3 { // an object may need only one of the two full scales
			t.Fatalf("%s: the source puts it at 0x%04X, the family reads %d registers from 0x%04X", v.Object, a, count, addr)
		}
	}
	return regs
}

// wants compares numbers up to the last bits of float64, and everything else exactly.
func (v *vector) wants(got objects.Value) bool {
	switch want := v.Want.(type) {
	case float64:
		return got.Kind() == objects.KindNumber && math.Abs(got.Float()-want) <= 1e-14*math.Abs(want)
	case string:
		return got.Kind() == objects.KindText && got.String() == want
	case []any:
		names := got.Names()
		return got.Kind() == objects.KindBits && len(names) == len(want) &&
			!slices.ContainsFunc(want, func(w any) bool { return names[slices.Index(want, w)] != w })
	default:
		return false
	}
}

// checkCovered checks that an object, each of its choices and each of its names was seen.
func checkCovered(t *testing.T, o *objects.Object, seen map[string]map[string]bool) {
	t.Helper()
	choices := []string{""}
	if len(o.Choices) > 0 {
		choices = choices[:0]
		for _, c := range o.Choices {
			choices = append(choices, c.Name)
		}
	}
	tables := []map[uint16]string{o.Names}
	if o.NamesBy != nil {
		for _, table := range o.NamesBy.Tables {
			tables = append(tables, table)
		}
	}
	for _, choice := range choices {
		words := seen[o.Name+" "+choice]
		if len(words) == 0 {
			t.Errorf("%s %s has no vector that gives a value", o.Name, choice)
		}
		for _, table := range tables {
			for n, name := range table {
				if !words[name] {
					t.Errorf("%s %s: no vector shows %d, %s", o.Name, choice, n, name)
				}
			}
		}
	}
}
