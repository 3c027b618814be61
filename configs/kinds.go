package configs

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/internal/strictyaml"
)

// Size is a count of bytes, written 262144, 512KiB, 256MiB, 1GiB, or with the decimal units kB, MB, GB.
type Size int64

var sizeForm = form(`^(0|[1-9][0-9]*)([A-Za-z]*)$`)

// sizeUnits has the units in the order in which String tries them.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
	{"", 1}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	m := sizeForm().FindSubmatch(text)
	if m == nil {
		return fmt.Errorf("want a size like 256MiB, 512KiB or 1GiB, not %q", clip(string(text)))
	}
	for _, u := range sizeUnits {
		if u.name != string(m[2]) {
			continue
		}
		n, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil || n > math.MaxInt64/u.bytes {
			return fmt.Errorf("%s is more bytes than can be counted", clip(string(text)))
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%s is not a unit of size; want KiB, MiB or GiB, as in 256MiB", clip(string(m[2])))
}

// String returns the size in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits[:len(sizeUnits)-2] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// History is how far back the charts of the page go: a duration, or off, which is 0.
type History time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *History) UnmarshalText(text []byte) error {
	if string(text) == wordOff {
		*h = 0
		return nil
	}
	d, err := strictyaml.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("want off or a time like 24h, not %s", clip(string(text)))
	}
	*h = History(d)
	return nil
}

// Names selects objects or slaves: the word all, names and patterns, as a list or comma separated. `all` may be
// combined with names: `all, EV_reg` is every live object and one setting.
type Names struct {
	All  bool
	List []string // all words except `all`, in the order of the file

	places []int           // index of each word of List in the file's list, which also has `all`
	set    map[string]bool // the words of List; nil when the value was not decoded
}

// UnmarshalNode implements strictyaml.Unmarshaler.
func (n *Names) UnmarshalNode(node strictyaml.Node) error {
	*n = Names{set: map[string]bool{}}
	words, err := wordsOf(node)
	for _, w := range words {
		if w.text == "all" {
			n.All = true
			continue
		}
		n.List, n.places, n.set[w.text] = append(n.List, w.text), append(n.places, w.place), true
	}
	if err == nil && len(words) == 0 {
		return errors.New("names nothing; write all, or leave the key out")
	}
	return err
}

// has reports whether a word is in List. For a decoded value the time does not depend on the length of List.
func (n *Names) has(word string) bool {
	if n.set == nil {
		return slices.Contains(n.List, word)
	}
	return n.set[word]
}

// word is one word of a list or of a comma separated text, and its place there from 0.
type word struct {
	text  string
	place int
}

// wordsOf returns the words, without blanks around them.
func wordsOf(node strictyaml.Node) ([]word, error) {
	switch node.Kind() {
	case strictyaml.KindScalar:
		return splitWords(node.Text())
	case strictyaml.KindList:
		return listWords(node)
	default:
		return nil, errors.New("want a list, or names separated by commas, not keys and values")
	}
}

func splitWords(text string) ([]word, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var words []word
	for i, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return nil, errors.New("a name is missing beside a comma")
		}
		words = append(words, word{part, i})
	}
	return words, nil
}

func listWords(node strictyaml.Node) ([]word, error) {
	var words []word
	var faults strictyaml.Faults
	for i, item := range node.Items() {
		switch text := strings.TrimSpace(item.Text()); {
		case item.Kind() == 0: // its fault is in the report already
		case item.Kind() != strictyaml.KindScalar, item.Null(), text == "":
			faults = append(faults, item.Fault("want a name; quote it if it holds brackets or begins with *"))
		case strings.Contains(text, ","):
			faults = append(faults, item.Fault(fmt.Sprintf("%q holds a comma; make each name an item of its own",
				clip(text))))
		default:
			words = append(words, word{text, i})
		}
	}
	return words, faults.Err()
}

// Attributes are the names of the message attributes that an integration sends. Nil means none.
type Attributes []string

// attributeNames returns the attributes that `all` means, in the order in which they are sent. It does not have `seq`:
// only a consumer that looks for missing numbers needs it.
func attributeNames() []string { return []string{"object", "slave", "unit", "device_id", "sample_id"} }

// KnownAttributes returns the attribute names that a configuration may list.
func KnownAttributes() []string { return append(attributeNames(), "seq") }

// UnmarshalNode implements strictyaml.Unmarshaler: all, none, a list, or comma separated.
func (a *Attributes) UnmarshalNode(node strictyaml.Node) error {
	*a = nil
	words, err := wordsOf(node)
	if err != nil {
		return err
	}
	if len(words) == 1 && words[0].text == "all" {
		*a = attributeNames()
		return nil
	}
	if len(words) == 1 && words[0].text == "none" {
		return nil
	}
	for _, one := range words {
		w := one.text
		if known := KnownAttributes(); !slices.Contains(known, w) {
			return fmt.Errorf("there is no attribute %q; want all, none, or some of %s", clip(w),
				strings.Join(known, ", "))
		}
		if slices.Contains(*a, w) {
			return fmt.Errorf("%s is listed twice", w)
		}
		*a = append(*a, w)
	}
	return nil
}

// clip shortens a text from the file for an error message.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
