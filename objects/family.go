package objects

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Table is the Modbus table an object is read from; it decides the function code.
type Table string

// The tables. The controllers of the built-in families document both as one address space; RAM is read with
// function 04 and EEPROM with 03, as the programs do that are known to work on hardware.
const (
	Input    Table = "input"    // function 04: RAM, live values
	Holding  Table = "holding"  // function 03: EEPROM, settings
	Discrete Table = "discrete" // function 02: bits, live values
	Coil     Table = "coil"     // function 01: bits that a master may set
)

// Tables returns all of them, in the order in which a family file has them.
func Tables() []Table { return []Table{Input, Holding, Discrete, Coil} }

// OfBits reports whether the table holds single bits and no registers.
func (t Table) OfBits() bool { return t == Discrete || t == Coil }

// Object is one named value of a family: where it stands, how it is coded, how often it is sampled.
type Object struct {
	Name       string
	About      string             // what it is, in a few words
	Table      Table              // where it stands
	Address    uint16             // PDU address of its first register, 0-based; of its low word when High is set
	Registers  uint16             // how many registers it takes, 1 to 64; 1 for a bit of a bit table
	High       *uint16            // address of the high word where it does not adjoin; nil for nearly all
	Encoding   Encoding           // how they are coded; empty while Choices waits for a decision
	Order      Order              // how the bytes of more than one register follow one another; "": ABCD
	Field      Field              // which bits of the registers hold the value; zero: all that the encoding reads
	Scale      float64            // factor of a number; 1 when the file gives none
	Offset     float64            // added to a number when it has been scaled, in Unit
	Times      []Object           // numbers of the family that scale this one, read with it; nil for most
	Since      *Firmware          // the firmware from which on all this is so; nil: any
	Exact      map[uint64]float64 // raw values that stand for a value of their own, in Unit; nil for most
	Absent     []uint64           // raw values that say that there is no sensor; nil for most
	Range      *Range             // what the document allows, in Unit; nil: anything
	Unit       string             // "V", "°C", …; empty for states, bits and plain numbers
	Names      map[uint16]string  // states or bits by number; nil for numbers and text
	NamesBy    *Mode              // another object that decides which names count; nil for nearly all
	Alarm      bool               // states or bits that are urgent; see Alarms
	Interval   time.Duration      // default log interval
	ByName     bool               // sampled only when it is named: settings, and what hardly anybody wants
	Confidence string             // high, medium or low: how sure the sources are of address and encoding
	// not empty: the sources dispute the encoding, or it depends on the unit, and none is chosen yet
	Choices []Choice
}

// Choice is one of the encodings that the sources give for a disputed object.
type Choice struct {
	Name     string
	Encoding Encoding
	Scale    float64
}

// Firmware is the least version that an object needs, as a number that the slave itself holds.
type Firmware struct {
	Object Object
	Least  float64
}

// Mode is an object whose raw number decides which table of names another one uses.
type Mode struct {
	Object Object
	Tables map[uint16]map[uint16]string
}

// Range is the least and the greatest value that an object can have, in its unit.
type Range struct{ Min, Max float64 }

// rounding is how far a register times its scale may lie from the decimal number that is meant, relative to that
// number: 164 × 0.1 is 16.400000000000002. Two multiplications are off by some 1e-16 each. Neighbours of a 32-bit
// register are 2e-10 apart at least.
const rounding = 1e-12

// holds reports whether f is within the range, its ends included.
func (r *Range) holds(f float64) bool {
	return f >= r.Min-rounding*math.Abs(r.Min) && f <= r.Max+rounding*math.Abs(r.Max)
}

// String returns "0 to 100".
func (r *Range) String() string { return fmt.Sprintf("%g to %g", r.Min, r.Max) }

// Setting reports whether the object is sampled only when it is named.
func (o *Object) Setting() bool { return o.ByName }

// Unverified reports whether address or encoding rest on one doubtful source, or on sources that disagree.
func (o *Object) Unverified() bool { return o.Confidence == "low" }

// Alarms returns what is active in a value of an object that is marked as an alarm: the names of the set bits, or the
// name of any state but number 0, or "true". It is nil when nothing is, and for objects without the mark.
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

// Kind returns the shape of the object's values.
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

// With returns the object with one of its disputed encodings chosen. The error names the choices.
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
	Title string // maker and product, for people
	// prefixes of the product codes in Read Device Identification; none: it is named in the configuration
	ProductCodes []string
	// prefixes of product codes of other families that controllers of this one report too; they do not choose it
	SharedCodes  []string
	MaxRegisters uint16   // most registers in one read that are known to work
	Objects      []Object // ascending: input table first, then by address

	// CodeObject and FirmwareObject are the objects that identify a controller that answers neither function 0x2B
	// nor 0x11; empty: none does.
	CodeObject, FirmwareObject string

	byName map[string]int
}

// Reports reports whether a controller of the family may report a product code: one of its own, or one that it shares.
func (f *Family) Reports(code string) bool {
	begins := func(prefix string) bool { return strings.HasPrefix(code, prefix) }
	return slices.ContainsFunc(f.ProductCodes, begins) || slices.ContainsFunc(f.SharedCodes, begins)
}

// Object returns the object of that exact name.
func (f *Family) Object(name string) (*Object, bool) {
	i, ok := f.byName[name]
	if !ok {
		return nil, false
	}
	return &f.Objects[i], true
}
