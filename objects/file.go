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

// FamilyFile is a family as in its YAML file; docs/families.md shows how to write one.
type FamilyFile struct {
	// slug: letters, digits, - and _; `model` of a slave, first word of `fw_version`
	Family string `yaml:"family"`
	Title  string `yaml:"title"` // manufacturer and product, for people
	// beginnings of the product codes that function 0x2B returns; none: the configuration must give the model
	ProductCodes []string `yaml:"product_codes"`
	// Beginnings of product codes of other families that these controllers report too. They do not select this family,
	// but a slave that is configured as this family may report them.
	SharedCodes  []string `yaml:"shared_product_codes"`
	MaxRegisters uint16   `yaml:"max_registers"` // most registers in one read, 1 to 125
	// The controller answers functions 03 and 04 alike, so an object may depend on an object of the other table.
	OneAddressSpace bool `yaml:"one_address_space"`
	// names of states and bits by number, by the name of the table
	Tables map[string]map[string]string `yaml:"tables"`
	// the objects with product code and firmware, if the controller answers neither function 0x2B nor 0x11
	Identity *IdentityFile `yaml:"identity"`
	// input, holding, discrete and coil table in this order, then ascending by address and bit
	Objects []ObjectFile `yaml:"objects"`
}

// IdentityFile names the objects whose values are used if a controller does not report its product code and firmware.
type IdentityFile struct {
	ProductCode string `yaml:"product_code"` // `slave` of the messages; none: the model
	Firmware    string `yaml:"firmware"`     // `cc_firmware` of the messages; none: it stays empty
}

// ObjectFile is one object of a FamilyFile.
type ObjectFile struct {
	Address Address  `yaml:"address"` // PDU address of the first register, 0-based: 0x0012
	High    *Address `yaml:"high"`    // the register of the high word, if it is not next to the low word
	// bits of the registers that hold the value: 15, or 2-3; default: all that the encoding reads
	Bits     *Field   `yaml:"bits"`
	Name     string   `yaml:"name"`     // object of the messages; no blanks, commas, quotes or *
	Table    Table    `yaml:"table"`    // input (function 04), holding (03), discrete (02) or coil (01)
	Encoding Encoding `yaml:"encoding"` // encoding of the registers; of a bit table always bool
	// order of the bytes: ABCD (the default), CDAB, BADC, DCBA
	Order Order `yaml:"order"`
	// number of registers of a text, 1 to 64; all other encodings have a fixed number
	Registers uint16 `yaml:"registers"`
	Scale     Factor `yaml:"scale"` // factor of a number: 0.1, 1/1800 or 96.667*2^-15; default 1
	// objects whose values also multiply this one; they are read in the same request
	Times []string   `yaml:"times"`
	Since *SinceFile `yaml:"since"` // the first firmware for which the object is as written here
	// added to a number after scaling, in the unit: -273.15; default 0
	Offset float64            `yaml:"offset"`
	Exact  map[string]float64 `yaml:"exact"` // raw numbers, such as 0x0001, with a fixed value
	// raw numbers, such as 0x80, that mean "no value": no sensor, not implemented
	Absent  []Word       `yaml:"absent"`
	Min     *float64     `yaml:"min"`      // lowest value, in the unit; a lower value gives no sample
	Max     *float64     `yaml:"max"`      // highest value, in the unit; a higher value gives no sample
	Choices []ChoiceFile `yaml:"choices"`  // instead of encoding: the encodings that `encodings` of a slave may choose
	Names   string       `yaml:"names"`    // table of the states or bits, or of a bool's 0 and 1
	NamesBy *NamesByFile `yaml:"names_by"` // instead of names: another object selects the table
	// urgent states and bits: any state except 0, any set bit
	Alarm    bool     `yaml:"alarm"`
	Unit     string   `yaml:"unit"`     // V, A, W, °C, …; none for states, bits and text
	Interval Interval `yaml:"interval"` // log interval: 30s, 5m, 1h
	// sampled only if a slave's objects list it; default: false for input and discrete, true for holding and coil
	ByName     *bool  `yaml:"by_name"`
	Confidence string `yaml:"confidence"` // high, medium or low (shown as unverified)
	About      string `yaml:"about"`      // meaning, in a few words
}

// SetDefaults gives an object without scale the factor 1.
func (o *ObjectFile) SetDefaults() { o.Scale = 1 }

// ChoiceFile is one of the encodings of a disputed object.
type ChoiceFile struct {
	Name     string   `yaml:"name"`     // the word that `encodings` takes
	Encoding Encoding `yaml:"encoding"` // encoding of the registers
	Scale    Factor   `yaml:"scale"`    // factor of a number; default 1
}

// SetDefaults gives a choice without scale the factor 1.
func (c *ChoiceFile) SetDefaults() { c.Scale = 1 }

// SinceFile names the object with the firmware number, and the lowest allowed number.
type SinceFile struct {
	Object string  `yaml:"object"` // a number of this family
	Least  float64 `yaml:"least"`  // its lowest value
}

// NamesByFile names the object whose raw number selects the table of names.
type NamesByFile struct {
	Object string            `yaml:"object"` // an object of one register
	Tables map[string]string `yaml:"tables"` // table by raw number
}

// Word is a raw number of 8, 16, 32 or 64 bits.
type Word struct {
	Bits  int // 8, 16, 32 or 64, by the digits written
	Value uint64
}

// UnmarshalText accepts two, four, eight or sixteen hex digits: 0x80, 0x8000, 0x80000000.
func (w *Word) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), "0x")
	n, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil || !slices.Contains([]int{2, 4, 8, 16}, len(digits)) {
		return fmt.Errorf("want two, four, eight or sixteen hex digits as in 0x80 or 0x8000, not %q", text)
	}
	*w = Word{Bits: 4 * len(digits), Value: n}
	return nil
}

// Factor is a number that multiplies another number. It is never 0.
type Factor float64

// factorTerm is a decimal number or a whole power of one: 96.667, 0.1, 1e-3, 2^-15.
var factorTerm = regexp.MustCompile(`^(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e-?[0-9]{1,3})?)(?:\^(-?[0-9]{1,3}))?$`)

// UnmarshalText accepts a number, or products and quotients of numbers and powers as documents print them:
// 96.667*2^-15, 100/417.
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

// UnmarshalText accepts a Go duration: "60s", "5m", "1h".
func (i *Interval) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("want a time above zero as in 60s or 5m, not %q", text)
	}
	*i = Interval(d)
	return nil
}
