package strictyaml_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/internal/strictyaml"
)

// site is a small schema with every kind of field.
type site struct {
	Name    string                   `yaml:"name"`
	On      bool                     `yaml:"on"`
	Small   uint8                    `yaml:"small"`
	Signed  int16                    `yaml:"signed"`
	Big     int64                    `yaml:"big"`
	Scale   float64                  `yaml:"scale"`
	Wait    time.Duration            `yaml:"wait"`
	Addr    address                  `yaml:"addr"`
	Words   words                    `yaml:"words"`
	List    []string                 `yaml:"list"`
	Waits   map[string]time.Duration `yaml:"waits"`
	Opt     *int                     `yaml:"opt"`
	Slaves  []slave                  `yaml:"slaves"`
	Limits  limits                   `yaml:"limits"`
	Ignored string
	Skipped string `yaml:"-"`
	common  `yaml:",inline"`
}

type common struct {
	Note string `yaml:"note"`
}

type slave struct {
	ID   uint8  `yaml:"id"`
	Mode string `yaml:"mode"`
}

func (s *slave) SetDefaults() { s.Mode = "auto" }

type limits struct {
	Size int `yaml:"size"`
	Keep int `yaml:"keep"`
}

func (l *limits) SetDefaults() { l.Size, l.Keep = 10, 20 }

func (s *site) SetDefaults() { s.Limits.Keep = 30 }

// address takes its raw text, so that it can be hexadecimal.
type address uint16

func (a *address) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "0x%04X", (*uint16)(a))
	if err != nil {
		return errors.New("want 0x and four digits")
	}
	return nil
}

// words decodes one text or a list of texts.
type words []string

func (w *words) UnmarshalNode(n strictyaml.Node) error {
	if n.Kind() == strictyaml.KindScalar {
		*w = strings.Fields(n.Text())
		return nil
	}
	var faults strictyaml.Faults
	for _, item := range n.Items() {
		if item.Kind() != strictyaml.KindScalar || item.Null() {
			faults = append(faults, item.Fault("want a word"))
			continue
		}
		*w = append(*w, item.Text())
	}
	return faults.Err()
}

const sound = `# a comment
name: off
on: true
small: 255
signed: -32768
big: 9223372036854775807
scale: -1.5e-3
wait: 500ms
addr: 0x0012
words: [a, "b"]
list:
  - 0010
  - yes
waits: {"T_*": 5m, zero: 0}
opt: 7
slaves:
  - id: 1
  - {id: 2, mode: fast}
limits: {size: 11}
note: |
  two
  lines
`

func TestDecodeTakesEveryKindOfField(t *testing.T) {
	var got site
	_, faults := strictyaml.Decode([]byte(sound), &got)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	seven := 7
	want := site{
		Name: "off", On: true, Small: 255, Signed: -32768, Big: 9223372036854775807, Scale: -1.5e-3,
		Wait: 500 * time.Millisecond, Addr: 0x12, Words: words{"a", "b"}, List: []string{"0010", "yes"},
		Waits: map[string]time.Duration{"T_*": 5 * time.Minute, "zero": 0}, Opt: &seven,
		Slaves: []slave{{1, "auto"}, {2, "fast"}}, Limits: limits{11, 30}, common: common{"two\nlines\n"},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(site{})); d != "" {
		t.Fatal(d)
	}
}

func TestEmptyDocumentLeavesDefaults(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "--- {}\n", "null\n"} {
		var got site
		doc, faults := strictyaml.Decode([]byte(text), &got)
		if len(faults) > 0 || got.Limits != (limits{10, 30}) {
			t.Errorf("%q: limits %v, faults %v", text, got.Limits, faults)
		}
		if doc.Has("limits") {
			t.Errorf("%q has no limits", text)
		}
	}
}

// fault is a document with a fault: its line, its path and the beginning of its text.
type fault struct{ name, yaml, want string }

func checkFaults(t *testing.T, tests []fault) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, faults := strictyaml.Decode([]byte(tt.yaml), new(site))
			for _, f := range faults {
				if strings.HasPrefix(fmt.Sprintf("%d %s %s", f.Line, f.Path, f.Text), tt.want) {
					return
				}
			}
			t.Fatalf("want %q, got\n%v", tt.want, faults)
		})
	}
}

func TestFaultsOfKeysAndNumbers(t *testing.T) {
	checkFaults(t, []fault{
		{"unknown key near", "nmae: x", "1 nmae unknown key; did you mean name?"},
		{"unknown key far", "limits:\n  zebra: 1", "2 limits.zebra unknown key; known here: size, keep"},
		{"untagged field", "Ignored: x", "1 Ignored unknown key"},
		{"odd key", "waits: 1\n\"T_ind[U]\": 1", `2 ["T_ind[U]"] unknown key`},
		{"repeated key", "name: a\non: true\nname: b", "3 name is given twice; it is on line 1"},
		{"repeated key deep", "slaves:\n- {id: 1, id: 2}", "2 slaves[0].id is given twice"},
		{"repeated map key", "waits: {a: 1s,\n a: 2s}", "2 waits.a is given twice"},
		{"leading zero", "small: 0010", "1 small 0010 has a leading zero, which YAML may read as octal; write 10"},
		{"leading zero of a fraction", "scale: 01.5", "1 scale 01.5 has a leading zero"},
		{"hexadecimal", "small: 0x12", "1 small want a whole number in decimal, not 0x12; write 18"},
		{"octal", "small: 0o17", "1 small want a whole number in decimal, not 0o17; write 15"},
		{"underscore", "big: 1_000", "1 big want a whole number without underscores, not 1_000"},
		{"fraction", "small: 1.5", "1 small want a whole number, not 1.5"},
		{"fraction of zero", "small: 1.0", "1 small want a whole number, not 1.0"},
		{"exponent", "small: 1e1", "1 small want a whole number, not 1e1"},
		{"plus sign", "small: +1", "1 small want a whole number, not +1"},
		{"sexagesimal", "small: 1:30", "1 small want a whole number, not 1:30"},
		{"text for a number", "small: many", "1 small want a whole number, not many"},
		{"quoted number", `small: "1"`, "1 small want a whole number without quotes: 1"},
		{"quoted text for a number", `small: "x"`, `1 small want a whole number, not the text "x"`},
		{"below range", "small: -1", "1 small want 0 to 255, not -1"},
		{"above range", "small: 256", "1 small want 0 to 255, not 256"},
		{"below signed range", "signed: -32769", "1 signed want -32768 to 32767, not -32769"},
		{"above 64 bits", "big: 9223372036854775808", "1 big 9223372036854775808 is a number beyond all limits"},
		{"infinity", "scale: .inf", "1 scale want a number, not .inf"},
		{"not a number", "scale: .nan", "1 scale want a number, not .nan"},
		{"too large a number", "scale: 1e999", "1 scale want a number that fits 64 bits"},
	})
}

func TestFaultsOfWordsAndDurations(t *testing.T) {
	checkFaults(t, []fault{
		{"yes", "on: yes", "1 on want true or false, not yes; write true"},
		{"off", "on: off", "1 on want true or false, not off; write false"},
		{"True", "on: True", "1 on want true or false, not True; write true"},
		{"one", "on: 1", "1 on want true or false, not 1; write true"},
		{"quoted true", `on: "true"`, "1 on want true or false without quotes"},
		{"no boolean", "on: maybe", "1 on want true or false, not maybe"},
		{"duration without unit", "wait: 500", "1 wait 500 has no unit; write 500ms, 500s"},
		{"duration with a leading zero", "wait: 010s", "1 wait 010s has a leading zero; write 10s"},
		{"days", "wait: 1d", "1 wait want a duration in hours, not in days (1d); write hours"},
		{"blank before the unit", "wait: 1 s", "1 wait want a duration like 500ms, 10s, 5m or 1h, not 1 s; write 1s"},
		{"other unit", "wait: 1.5sec", "1 wait want a duration like 500ms, 10s, 5m or 1h, not 1.5sec; write 1.5s"},
		{"unit in capitals", "wait: 10 MIN", "1 wait want a duration like 500ms, 10s, 5m or 1h, not 10 MIN; write 10m"},
		{"no duration", "wait: soon", "1 wait want a duration like 500ms, 10s, 5m or 1h, not soon"},
		{"text unmarshaler", "addr: 12", "1 addr want 0x and four digits"},
		{"list for a text unmarshaler", "addr: [1]", "1 addr want one value, not a list"},
		{"item of an unmarshaler", "words:\n  - a\n  - {b: c}", "3 words[1] want a word"},
	})
}

func TestFaultsOfShape(t *testing.T) {
	checkFaults(t, []fault{
		{"no value", "on: true\nname:\nsmall: 1", "2 name has no value; give one or leave the key out"},
		{"null", "name: null", "1 name has no value"},
		{"tilde", "slaves: ~", "1 slaves has no value"},
		{"list item without value", "list: [a, ]\nslaves:\n  -", "3 slaves[0] has no value"},
		{"text for a list", "list: a", "1 list want a list, not one value; begin each item with a dash"},
		{"map for a list", "slaves: {id: 1}", "1 slaves want a list, not keys and values"},
		{"list for a map", "limits: [1]", "1 limits want keys and values, not a list"},
		{"list for a text", "name: [a]", "1 name want one value, not a list"},
		{"value in a map", "waits:\n  a: 1s\n  b: x", "3 waits.b want a duration"},
	})
}

func TestFaultsOfSyntax(t *testing.T) {
	checkFaults(t, []fault{
		{"anchor", "name: &x a", "1 name anchors (&name) are not supported; remove &x"},
		{"anchored list", "list: &l [a]", "1 list anchors"},
		{"tag", "name: !!str 5", "1 name tags (!name) are not supported; remove !!str"},
		{"own tag", "small: !secret 5", "1 small tags (!name) are not supported; remove !secret"},
		{"missing key", "~: x", "1  a key is missing before the colon"},
		{"list as key", "? [a]\n: x", "1  a key must be plain text"},
		{"tagged key", "!!str name: x", "1  tags (!name) are not supported"},
		{"second document", "name: a\n---\nname: b\n", "2  a second document starts here"},
		{"second empty document", "name: a\n---\n", "2  a second document starts here"},
		{"list at the top", "- a", "1  want keys and values, not a list"},
		{"text at the top", "hello", "1  want keys and values, not one value"},
		{"tab", "limits:\n\tsize: 1\n", "2  is not YAML: found character that cannot start any token (indent with spaces"},
		{"open bracket", "name: a\nlist: [a,\nsmall: 1\n", "2  is not YAML"},
		{"open quote", "name: a\nnote: \"x\nsmall: 1\n", "2  is not YAML"},
		{"indentation", "limits:\n  size: 1\n keep: 2\nname: a\n", "3  is not YAML"},
		{"no colon", "name: a\nlist:\n  - a\n  - b\nsmall\non: true\n", "5  is not YAML"},
		{"bare star", "waits: {*: 1s}", `1  is not YAML: did not find expected alphabetic or numeric character (quote a text that begins with *: "*")`},
		{"colon in a text", "name: a: b", "1  is not YAML: mapping values are not allowed in this context"},
		{"after a long list", "list: [a,\n b,\n c]\nnote: 'x\n\n y'\nname: @\n", "7  is not YAML"},
		{"Latin-1", "name: D\xe4chle\n", "1  is not YAML: invalid trailing UTF-8 octet (the file is not UTF-8 text: save it as UTF-8)"},
		{"UTF-16 without a mark", "\x00n\x00a\x00m\x00e\x00:\x00 \x00a", "1  is not YAML: control characters are not allowed (the file is not UTF-8 text: save it as UTF-8)"},
		{"no-break space", "limits:\n  size: 1\n\u00a0\u00a0keep: 2\n  note: x\n", "4  is not YAML: mapping values are not allowed in this context (a line here has a no-break space"},
		{"control character", "name: a\nnote: \x01\n", "2  is not YAML: control characters"},
	})
}

func TestAliasesAreRefused(t *testing.T) {
	_, faults := strictyaml.Decode([]byte("list: &l [a]\nwaits:\n  <<: *l\nwords: *l\n"), new(site))
	want := strictyaml.Faults{
		{Line: 1, Path: "list", Text: "anchors (&name) are not supported; remove &l"},
		{Line: 3, Path: "waits", Text: "merge keys (<<) are not supported; write the keys out"},
		{Line: 4, Path: "words", Text: "aliases (*name) are not supported; write the value out"},
	}
	if d := cmp.Diff(want, faults); d != "" {
		t.Fatal(d)
	}
}

func TestAllFaultsAtOnceInTheOrderOfLines(t *testing.T) {
	text := "small: 0010\nslaves:\n  - id: 1.5\n    mode: fast\n  - idd: 2\nname: a\nname: b\non: yes\n"
	var got site
	_, faults := strictyaml.Decode([]byte(text), &got)
	want := `line 1: small: 0010 has a leading zero, which YAML may read as octal; write 10
line 3: slaves[0].id: want a whole number, not 1.5
line 5: slaves[1].idd: unknown key; did you mean id?
line 7: name: is given twice; it is on line 6 already
line 8: on: want true or false, not yes; write true`
	if d := cmp.Diff(want, faults.Err().Error()); d != "" {
		t.Error(d)
	}
	if len(got.Slaves) != 2 || got.Slaves[0].Mode != "fast" || got.Slaves[1].Mode != "auto" || got.Name != "a" {
		t.Errorf("the parts without a fault were not decoded: %+v", got)
	}
}

func TestDocumentKnowsLines(t *testing.T) {
	text := "name: a\nslaves:\n  - id: 1\n  -\n    id: 2\nwaits:\n  \"T_ind[U]\": 1s\n  \"a.b\": 2s\n"
	doc, faults := strictyaml.Decode([]byte(text), new(site))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	tests := []struct {
		path string
		line int
		has  bool
	}{
		{"", 1, true},
		{"name", 1, true},
		{"name.deeper", 1, false},
		{"slaves", 2, true},
		{"slaves[0].id", 3, true},
		{"slaves[0].mode", 3, false},
		{"slaves[1]", 5, true},
		{"slaves[2].id", 2, false},
		{strictyaml.Key("waits", "T_ind[U]"), 7, true},
		{strictyaml.Key("waits", "a.b"), 8, true},
		{"waits.a.b", 6, false},
		{"limits", 1, false},
		{"[", 1, false}, {"[x]", 1, false}, {".", 1, false}, {`["`, 1, false}, {"slaves[-1]", 2, false},
	}
	for _, tt := range tests {
		if doc.Line(tt.path) != tt.line || doc.Has(tt.path) != tt.has {
			t.Errorf("%q: line %d, has %v; want %d, %v", tt.path, doc.Line(tt.path), doc.Has(tt.path), tt.line, tt.has)
		}
	}
	var none *strictyaml.Document
	if none.Line("a") != 0 || none.Has("a") {
		t.Error("the nil document has a key")
	}
}

func TestBoundsOfADocument(t *testing.T) {
	big := strings.Repeat("# filler\n", strictyaml.MaxSize/9+1)
	_, faults := strictyaml.Decode([]byte(big), new(site))
	if len(faults) != 1 || !strings.Contains(faults[0].Text, "larger than") {
		t.Errorf("too large: %v", faults)
	}
	for _, deep := range []string{strings.Repeat("[", 5000) + strings.Repeat("]", 5000), strings.Repeat("- ", 5000) + "x"} {
		_, faults = strictyaml.Decode([]byte("list: "+deep), new(site))
		if len(faults) == 0 {
			t.Error("no fault for a document with too many levels")
		}
	}
	many := strings.Repeat("- {}\n", 3000)
	_, faults = strictyaml.Decode([]byte("list:\n"+many), new(site))
	if len(faults) != 1001 || !strings.Contains(faults.Error(), "more than 1000 faults") {
		t.Errorf("%d faults", len(faults))
	}
}

func TestDecodeRefusesAWrongTarget(t *testing.T) {
	for _, target := range []any{nil, site{}, new(int), (*site)(nil)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T was accepted, want a panic", target)
				}
			}()
			strictyaml.Decode(nil, target)
		}()
	}
}

func TestNearest(t *testing.T) {
	known := []string{"adc_vbterm", "adc_ia", "adc_il", "T_batt", "id"}
	for name, want := range map[string]string{
		"adc_vbtrem": "adc_vbterm", "ADC_IA": "adc_ia", "t_bat": "T_batt", "di": "id",
		"zebra": "", "": "", "x": "", strings.Repeat("a", 5000): "",
	} {
		if got := strictyaml.Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// FuzzDecode searches for panics, and for faults without a text or with a line outside the file.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("a: &x [*x]\n<<: *x\n? {}\n: - !t\n"))
	f.Add([]byte("a: 1\n---\nb: \"\n\t- |\n %"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v site
		doc, faults := strictyaml.Decode(data, &v)
		for _, fault := range faults {
			if fault.Text == "" || fault.Line < 0 || fault.Line > strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+2 {
				t.Errorf("invalid fault %+v", fault)
			}
			doc.Line(fault.Path)
		}
	})
}

// outline has the keys and texts of any document, to show the nodes that an Unmarshaler gets.
type outline struct{ text string }

func (o *outline) UnmarshalNode(n strictyaml.Node) error {
	o.text = outlineOf(n)
	return nil
}

func outlineOf(n strictyaml.Node) string {
	text := n.Text()
	keys, values := n.Entries()
	for i, k := range keys {
		text += fmt.Sprintf("%s@%d(%s)", k, values[i].Line(), outlineOf(values[i]))
	}
	for _, item := range n.Items() {
		text += "-" + outlineOf(item)
	}
	return text
}

func TestUnmarshalerSeesTheEntriesOfAMap(t *testing.T) {
	var got struct {
		Any outline `yaml:"any"`
	}
	if _, faults := strictyaml.Decode([]byte("any:\n  b: [1, x]\n  a: {c: 2}\n  d:\n"), &got); len(faults) > 0 {
		t.Fatal(faults)
	}
	if want := "b@2(-1-x)a@3(c@3(2))d@4()"; got.Any.text != want {
		t.Errorf("got %s, want %s", got.Any.text, want)
	}
}
