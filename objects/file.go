package objects

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FamilyFile is a family as its YAML file words it; docs/families.md shows how to write one.
type FamilyFile struct {
	// slug: letters, digits, - and _; `model` of a slave, first word of `fw_version`
	Family string `yaml:"family"`
	Title  string `yaml:"title"` // maker and product, for people
	// beginnings of the product codes that function 0x2B returns; none: the model must be configured
	ProductCodes []string `yaml:"product_codes"`
	// Beginnings of product codes of other families that these controllers report too. They do not choose this family,
	// but a slave that is configured as this family may report them.
	SharedCodes  []string `yaml:"shared_product_codes"`
	MaxRegisters uint16   `yaml:"max_registers"` // most registers in one read, 1 to 125
	// The controller answers functions 03 and 04 alike, so that an object may lean on one of the other table.
	OneAddressSpace bool `yaml:"one_address_space"`
	// names of states and bits by number, by the name of the table
	Tables map[string]map[string]string `yaml:"tables"`
	// who the controller is, where it answers neither function 0x2B nor 0x11
	Identity *IdentityFile `yaml:"identity"`
	// input, holding, discrete and coil table in this order, then ascending by address and bit
	Objects []ObjectFile `yaml:"objects"`
}

// IdentityFile names the objects whose values stand in for what a controller does not report of itself.
type IdentityFile struct {
	ProductCode string `yaml:"product_code"` // `slave` of the messages; none: the model
	Firmware    string `yaml:"firmware"`     // `cc_firmware` of the messages; none: it stays empty
}

// ObjectFile is one object of a FamilyFile.
type ObjectFile struct {
	Address Address  `yaml:"address"` // PDU address of the first register, 0-based: 0x0012
	High    *Address `yaml:"high"`    // the register of the high word, where it does not adjoin
	// which bits of the registers hold the value: 15, or 2-3; default: all that the encoding reads
	Bits     *Field   `yaml:"bits"`
	Name     string   `yaml:"name"`     // object of the messages; no blanks, commas, quotes or *
	Table    Table    `yaml:"table"`    // input (function 04), holding (03), discrete (02) or coil (01)
	Encoding Encoding `yaml:"encoding"` // how the registers hold the value; of a bit table always bool
	// how the bytes follow one another: ABCD (the default), CDAB, BADC, DCBA
	Order Order `yaml:"order"`
	// count of registers of a text, 1 to 64; the others have one of their own
	Registers uint16 `yaml:"registers"`
	Scale     Factor `yaml:"scale"` // factor of a number: 0.1, 1/1800 or 96.667*2^-15; default 1
	// objects whose values multiply this one too; they are read with it
	Times []string   `yaml:"times"`
	Since *SinceFile `yaml:"since"` // the firmware from which on the object is as written here
	// added to a number when it has been scaled, in the unit: -273.15; default 0
	Offset float64            `yaml:"offset"`
	Exact  map[string]float64 `yaml:"exact"` // raw numbers, as 0x0001, that stand for a value of their own
	// raw numbers, as 0x80, that say that there is no value: no sensor, not implemented
	Absent  []Word       `yaml:"absent"`
	Min     *float64     `yaml:"min"`      // least value, in the unit; what is less gives no sample
	Max     *float64     `yaml:"max"`      // greatest value, in the unit; what is more gives no sample
	Choices []ChoiceFile `yaml:"choices"`  // instead of encoding: what `encodings` of a slave may choose
	Names   string       `yaml:"names"`    // table of the states or bits, or of a bool's 0 and 1
	NamesBy *NamesByFile `yaml:"names_by"` // instead of names: which table counts depends on another object
	// states and bits that are urgent: anything but state 0, a set bit
	Alarm    bool     `yaml:"alarm"`
	Unit     string   `yaml:"unit"`     // V, A, W, °C, …; none for states, bits and text
	Interval Interval `yaml:"interval"` // log interval: 30s, 5m, 1h
	// sampled only when named; default: false for input, true for holding
	ByName     *bool  `yaml:"by_name"`
	Confidence string `yaml:"confidence"` // high, medium or low (shown as unverified)
	About      string `yaml:"about"`      // what it is, in a few words
}

// SetDefaults gives an object without scale the factor 1.
func (o *ObjectFile) SetDefaults() { o.Scale = 1 }

// ChoiceFile is one of the encodings of a disputed object.
type ChoiceFile struct {
	Name     string   `yaml:"name"`     // the word that `encodings` takes
	Encoding Encoding `yaml:"encoding"` // how the registers hold the value
	Scale    Factor   `yaml:"scale"`    // factor of a number; default 1
}

// SetDefaults gives a choice without scale the factor 1.
func (c *ChoiceFile) SetDefaults() { c.Scale = 1 }

// SinceFile names the object that holds the firmware and the least number it must have.
type SinceFile struct {
	Object string  `yaml:"object"` // a number of this family
	Least  float64 `yaml:"least"`  // its least value
}

// NamesByFile names the object whose raw number decides which table of names counts.
type NamesByFile struct {
	Object string            `yaml:"object"` // an object of one register
	Tables map[string]string `yaml:"tables"` // table by raw number
}

// Word is a raw number of 8, 16, 32 or 64 bits.
type Word struct {
	Bits  int // 8, 16, 32 or 64, by the digits written
	Value uint64
}

// UnmarshalText takes two, four, eight or sixteen hex digits: 0x80, 0x8000, 0x80000000.
func (w *Word) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), "0x")
	n, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil || !slices.Contains([]int{2, 4, 8, 16}, len(digits)) {
		return fmt.Errorf("want two, four, eight or sixteen hex digits as in 0x80 or 0x8000, not %q", text)
	}
	*w = Word{Bits: 4 * len(digits), Value: n}
	return nil
}

// Factor is a number by which another one is multiplied, never 0.
type Factor float64

// factorTerm is a decimal number or a whole power of one: 96.667, 0.1, 1e-3, 2^-15.
var factorTerm = regexp.MustCompile(`^(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e-?[0-9]{1,3})?)(?:\^(-?[0-9]{1,3}))?$`)

// UnmarshalText takes a number, or a product and quotient of numbers and powers as documents print it: 96.667*2^-15,
// 100/417.
func (f *Factor) UnmarshalText(text []byte) error {
	product := 1.0
	rest, divide := string(text), false
	for more := true; more; {
		term := rest
		next := strings.IndexAny(rest, "*/")
		if more = next >= 0; more {
			term = rest[:next]
		}
		n, ok := parseTerm(strings.TrimSpace(term))
		if !ok {
			return fmt.Errorf("want a number, or numbers with * / and ^ as in 96.667*2^-15 or 100/417, not %q", text)
		}
		if divide {
			product /= n
		} else {
			product *= n
		}
		if more {
			divide, rest = rest[next] == '/', rest[next+1:]
		}
	}
	if product == 0 || math.IsNaN(product) || math.IsInf(product, 0) {
		return fmt.Errorf("want a factor that is a number and not 0, not %q", text)
	}
	*f = Factor(product)
	return nil
}

func parseTerm(text string) (float64, bool) {
	m := factorTerm.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	base, negative := strings.CutPrefix(m[1], "-")
	n, err := strconv.ParseFloat(base, 64)
	if err != nil {
		return 0, false
	}
	if m[2] != "" {
		exponent, _ := strconv.Atoi(m[2]) // up to three digits by its pattern
		n = math.Pow(n, float64(exponent))
	}
	if negative { // -2^-16 is -(2^-16), as documents mean it
		n = -n
	}
	return n, true
}

// Interval is a log interval.
type Interval time.Duration

// UnmarshalText takes a Go duration: "60s", "5m", "1h".
func (i *Interval) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("want a time above zero as in 60s or 5m, not %q", text)
	}
	*i = Interval(d)
	return nil
}
