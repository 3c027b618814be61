package objects

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Table is the Modbus table of an object; it selects the function code.
type Table string

// The tables. In the documents of the built-in families both tables are one address space. The agent reads RAM with
// function 04 and EEPROM with function 03, as programs do that are known to work on real controllers.
const (
	Input    Table = "input"    // function 04: RAM, live values
	Holding  Table = "holding"  // function 03: EEPROM, settings
	Discrete Table = "discrete" // function 02: bits, live values
	Coil     Table = "coil"     // function 01: bits that a master may set
)

// Tables returns all tables, in the order of a family file.
func Tables() []Table { return []Table{Input, Holding, Discrete, Coil} }

// OfBits reports whether the table has single bits instead of registers.
func (t Table) OfBits() bool { return t == Discrete || t == Coil }

// Object is one named value of a family: its address, its encoding, and its log interval.
type Object struct {
	Name       string
	About      string             // meaning, in a few words
	Table      Table              // the Modbus table
	Address    uint16             // PDU address of its first register, 0-based; of the low word if High is set
	Registers  uint16             // how many registers it takes, 1 to 64; 1 for a bit of a bit table
	High       *uint16            // address of the high word, if it is not next to the low word; nil for nearly all
	Encoding   Encoding           // encoding of the registers; empty until one of Choices is selected
	Order      Order              // order of the bytes of several registers; "": ABCD
	Field      Field              // bits of the registers that hold the value; zero: all that the encoding reads
	Scale      float64            // factor of a number; 1 if the file gives none
	Offset     float64            // added to a number after scaling, in Unit
	Times      []Object           // objects whose values multiply this one, read in the same request; nil for most
	Since      *Firmware          // the first firmware for which this is true; nil: any
	Exact      map[uint64]float64 // raw values with a fixed value, in Unit; nil for most
	Absent     []uint64           // raw values that mean "no value"; nil for most
	Range      *Range             // range of the document, in Unit; nil: any value
	Unit       string             // "V", "°C", …; empty for states, bits and plain numbers
	Names      map[uint16]string  // states or bits by number; nil for numbers and text
	NamesBy    *Mode              // another object that selects the names; nil for nearly all
	Alarm      bool               // states or bits that are urgent; see Alarms
	Interval   time.Duration      // default log interval
	ByName     bool               // sampled only if the configuration lists it: settings, and rarely used objects
	Confidence string             // high, medium or low: how reliable the sources are about address and encoding
	// encodings to select from, if the sources contradict each other, or if the encoding differs between units; nil if
	// there is only one, or if one is selected
	Choices []Choice
}

// Choice is one of the encodings that the sources give for a disputed object.
type Choice struct {
	Name     string
	Encoding Encoding
	Scale    float64
}

// Firmware is the lowest firmware version that an object needs, compared with a number that the slave itself has.
type Firmware struct {
	Object Object
	Least  float64
}

// Mode is an object whose raw number selects the table of names of another object.
type Mode struct {
	Object Object
	Tables map[uint16]map[uint16]string
}

// Range is the lowest and the highest value that an object can have, in its unit.
type Range struct{ Min, Max float64 }

// rounding is the allowed relative difference between a register times its scale and a limit of the range: 164 × 0.1 is
// 16.400000000000002. Two multiplications have an error of some 1e-16 each. Two values of a 32-bit register differ by
// at least 2e-10.
const rounding = 1e-12

// holds reports whether f is within the range, both ends included.
func (r *Range) holds(f float64) bool {
	return f >= r.Min-rounding*math.Abs(r.Min) && f <= r.Max+rounding*math.Abs(r.Max)
}

// String returns "0 to 100".
func (r *Range) String() string { return fmt.Sprintf("%g to %g", r.Min, r.Max) }

// Setting reports whether the object is sampled only if the configuration lists it.
func (o *Object) Setting() bool { return o.ByName }

// Unverified reports whether the confidence is low: one doubtful source, or sources that disagree.
func (o *Object) Unverified() bool { return o.Confidence == "low" }

// Alarms returns the active alarms in a value of an object that is marked as an alarm: the names of the set bits, the
// name of any state except number 0, or "true". It is nil if none is active, and for objects without the mark.
func (o *Object) Alarms(v Value) []string {
	switch {
	case !o.Alarm:
		return nil
	case v.Kind() == KindText && v.String() != stateName(o.Names, 0):
		return []string{v.String()}
	case v.Kind() == KindBool && v.Float() != 0:
		return []string{"true"}
	default:
		return v.Names()
	}
}

// Function returns the Modbus function code that reads the object.
func (o *Object) Function() byte {
	switch o.Table {
	case Coil:
		return 0x01
	case Discrete:
		return 0x02
	case Holding:
		return 0x03
	default:
		return 0x04
	}
}

// Kind returns the kind of the object's values.
func (o *Object) Kind() Kind {
	switch {
	case len(o.Choices) > 0:
		return o.Choices[0].Encoding.kind()
	case o.Encoding == Boolean && (o.Names != nil || o.NamesBy != nil):
		return KindText
	default:
		return o.Encoding.kind()
	}
}

// With returns the object with one of its disputed encodings. The error lists the choices.
func (o Object) With(choice string) (Object, error) {
	names := make([]string, len(o.Choices))
	for i, c := range o.Choices {
		if c.Name == choice {
			o.Encoding, o.Scale, o.Choices = c.Encoding, c.Scale, nil
			return o, nil
		}
		names[i] = c.Name
	}
	if len(names) == 0 {
		return o, fmt.Errorf("the encoding of %s is not disputed; there is nothing to choose", o.Name)
	}
	return o, fmt.Errorf("%s has no encoding %q; choose one of %s", o.Name, choice, strings.Join(names, ", "))
}

// Family is a group of controllers with one register map.
type Family struct {
	Slug  string // "PSPWM"; the first word of `fw_version`
	Title string // manufacturer and product, for people
	// prefixes of the product codes in Read Device Identification; none: the configuration must give the model
	ProductCodes []string
	// prefixes of product codes of other families that controllers of this family report too; they do not select this
	// family
	SharedCodes  []string
	MaxRegisters uint16   // most registers in one read that are known to work
	Objects      []Object // ascending: input table first, then by address

	// CodeObject and FirmwareObject are the objects with product code and firmware of a controller that answers neither
	// function 0x2B nor 0x11; empty: there is none.
	CodeObject, FirmwareObject string

	byName map[string]int
}

// Reports reports whether a controller of the family may report a product code: one of its own, or one that it shares.
func (f *Family) Reports(code string) bool {
	begins := func(prefix string) bool { return strings.HasPrefix(code, prefix) }
	return slices.ContainsFunc(f.ProductCodes, begins) || slices.ContainsFunc(f.SharedCodes, begins)
}

// Object returns the object with exactly this name.
func (f *Family) Object(name string) (*Object, bool) {
	i, ok := f.byName[name]
	if !ok {
		return nil, false
	}
	return &f.Objects[i], true
}
