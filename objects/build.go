package objects

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"noi-agent/internal/strictyaml"
)

// ParseFamily reads one family file by the rules for built-in families. The error is strictyaml.Faults: every fault
// with its line.
func ParseFamily(data []byte) (*Family, error) { return parseFamily(data, false) }

// ParseOwnFamily reads a family file of a user. Its units may be any short text. An object without confidence has the
// confidence high.
func ParseOwnFamily(data []byte) (*Family, error) { return parseFamily(data, true) }

func parseFamily(data []byte, own bool) (*Family, error) {
	var file FamilyFile
	doc, faults := strictyaml.Decode(data, &file)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	b := familyBuilder{
		doc: doc, file: &file, own: own, tables: map[string]map[uint16]string{}, owners: map[place][]owner{},
		family: &Family{
			Slug: file.Family, Title: file.Title, ProductCodes: file.ProductCodes, SharedCodes: file.SharedCodes,
			MaxRegisters: file.MaxRegisters, byName: map[string]int{},
		},
	}
	b.build()
	b.faults.Sort()
	if err := b.faults.Err(); err != nil {
		return nil, err
	}
	return b.family, nil
}

// place is one register, or one bit of a bit table.
type place struct {
	table Table
	addr  uint16
}

// owner is an object, and the bits of a register that it uses.
type owner struct {
	name string
	bits uint16
}

// familyBuilder makes a Family from a FamilyFile, and collects the faults.
type familyBuilder struct {
	doc    *strictyaml.Document
	file   *FamilyFile
	own    bool // a user's family
	family *Family
	tables map[string]map[uint16]string
	owners map[place][]owner // the objects of each register
	faults strictyaml.Faults
}

func (b *familyBuilder) fault(path, format string, args ...any) {
	b.faults = append(b.faults, strictyaml.Fault{Line: b.doc.Line(path), Path: path, Text: fmt.Sprintf(format,
		args...)})
}

// slugForm keeps slugs readable in messages and in the configuration.
var slugForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func (b *familyBuilder) build() {
	if !slugForm.MatchString(b.file.Family) || b.file.Family == "auto" {
		b.fault("family", "a family needs a slug as in PSPWM: up to 32 letters, digits, - and _, and not auto")
	}
	if b.file.MaxRegisters < 1 || b.file.MaxRegisters > 125 {
		b.fault("max_registers", "want 1 to 125 registers, not %d", b.file.MaxRegisters)
	}
	if slices.Contains(b.file.ProductCodes, "") {
		b.fault("product_codes", "an empty product code would fit every controller")
	}
	if slices.Contains(b.file.SharedCodes, "") {
		b.fault("shared_product_codes", "an empty product code would fit every controller")
	}
	if len(b.file.Objects) == 0 {
		b.fault("objects", "a family needs at least one object")
	}
	b.readTables()
	b.family.Objects = make([]Object, 0, len(b.file.Objects))
	for i := range b.file.Objects {
		b.addObject(strictyaml.Index("objects", i), &b.file.Objects[i])
	}
	for i := range b.file.Objects {
		b.connect(strictyaml.Index("objects", i), &b.file.Objects[i], &b.family.Objects[i])
	}
	b.setIdentity()
}

// setIdentity sets CodeObject and FirmwareObject of the family.
func (b *familyBuilder) setIdentity() {
	if b.file.Identity == nil {
		return
	}
	b.family.CodeObject, b.family.FirmwareObject = b.file.Identity.ProductCode, b.file.Identity.Firmware
	for key, name := range map[string]string{"product_code": b.family.CodeObject, "firmware": b.family.FirmwareObject} {
		o, ok := b.family.Object(name)
		switch {
		case name == "":
		case !ok:
			b.fault(strictyaml.Key("identity", key), "there is no object %q", name)
		case len(o.Choices) > 0 || o.Kind() == KindBits:
			b.fault(strictyaml.Key("identity", key), "%s is no text and no number", name)
		case o.Encoding == Boolean:
			b.fault(strictyaml.Key("identity", key), "%s has two values only, which identify nothing", name)
		}
	}
}

// readTables converts the numbers of states and bits from their text.
func (b *familyBuilder) readTables() {
	for table, names := range b.file.Tables {
		b.tables[table] = map[uint16]string{}
		for text, name := range names {
			n, ok := parseState(text)
			if !ok || name == "" || strings.ContainsFunc(name, unicode.IsControl) {
				b.fault(strictyaml.Key(strictyaml.Key("tables", table), text),
					"want a number and its name without control characters, as in 3: NIGHT")
			}
			b.tables[table][n] = name
		}
	}
}

// parseState parses the number of a state, a bit or a mode. Leading zeros are not allowed.
func parseState(text string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && strconv.FormatUint(n, 10) == text
}

func (b *familyBuilder) addObject(path string, f *ObjectFile) {
	o := Object{
		Name: f.Name, About: f.About, Table: f.Table, Address: uint16(f.Address), Registers: f.Registers,
		High:     (*uint16)(f.High),
		Encoding: f.Encoding, Order: f.Order, Scale: float64(f.Scale), Unit: f.Unit,
		Interval: time.Duration(f.Interval),
		ByName:   f.Table == Holding || f.Table == Coil, Confidence: f.Confidence, Alarm: f.Alarm,
	}
	if f.ByName != nil {
		o.ByName = *f.ByName
	}
	if b.own && o.Confidence == "" {
		o.Confidence = "high"
	}
	for _, c := range f.Choices {
		o.Choices = append(o.Choices, Choice{Name: c.Name, Encoding: c.Encoding, Scale: float64(c.Scale)})
	}
	b.checkWords(path, &o)
	b.setWidth(path, &o)
	b.setOrder(path, &o)
	b.setField(path, &o, f)
	b.setNames(path, &o, f)
	b.checkAlarm(path, &o)
	b.setExact(path, &o, f)
	b.setAbsent(path, &o, f)
	b.checkScale(path, &o)
	b.setOffset(path, &o, f)
	b.setRange(path, &o, f)
	b.checkPlace(path, &o)
	if _, twice := b.family.byName[o.Name]; twice {
		b.fault(path+".name", "%s is there twice", o.Name)
	}
	b.family.byName[o.Name] = len(b.family.Objects)
	b.family.Objects = append(b.family.Objects, o)
}

// Units returns all allowed units. The first one is empty, for plain numbers.
func Units() []string {
	return []string{"", "V", "A", "W", "Ah", "kWh", "Wh", "°C", "°F", "V/°C", "Ω", "h", "min", "s", "d", "%", "Hz"}
}

// mostUnit is the length of a unit in a user's family, in characters.
const mostUnit = 16

func (b *familyBuilder) checkWords(path string, o *Object) {
	if o.Name == "" || o.Name == "all" || strings.ContainsAny(o.Name, " ,*\"") ||
		strings.ContainsFunc(o.Name, unicode.IsControl) {
		b.fault(path+".name", "%q is not a valid name: no spaces, commas, quotes or *; \"all\" is reserved", o.Name)
	}
	if !slices.Contains(Tables(), o.Table) {
		b.fault(path+".table", "want input, holding, discrete or coil, not %q", o.Table)
	}
	b.checkUnit(path, o)
	if !slices.Contains([]string{"high", "medium", "low"}, o.Confidence) {
		b.fault(path+".confidence", "want high, medium or low, not %q", o.Confidence)
	}
	switch {
	case o.Interval <= 0:
		b.fault(path+".interval", "an object needs a log interval, as in 60s")
	case o.Interval < leastInterval || o.Interval > mostInterval:
		b.fault(path+".interval", "want 10ms to 8784h, not %v", o.Interval)
	}
}

// The limits of a log interval, as in the configuration.
const (
	leastInterval = 10 * time.Millisecond
	mostInterval  = 366 * 24 * time.Hour
)

func (b *familyBuilder) checkUnit(path string, o *Object) {
	unit := o.Unit
	switch {
	case unit != "" && len(o.Choices) == 0 && o.Kind() != KindNumber:
		b.fault(path+".unit", "only a number has a unit, and %s is none", o.Encoding)
	case !b.own && !slices.Contains(Units(), unit):
		b.fault(path+".unit", "unknown unit %q; known are %s", unit, strings.Join(Units()[1:], " "))
	case utf8.RuneCountInString(unit) > mostUnit, strings.ContainsFunc(unit, unicode.IsControl):
		b.fault(path+".unit", "want a unit of at most %d characters, not %q", mostUnit, unit)
	}
}

func (b *familyBuilder) setNames(path string, o *Object, f *ObjectFile) {
	named := slices.ContainsFunc(o.encodings(), Encoding.named)
	names, ok := b.tables[f.Names]
	switch {
	case f.NamesBy != nil && (f.Names != "" || o.Encoding != State16):
		b.fault(path+".names_by", "only states may have tables by another object, and then no other one")
	case f.NamesBy != nil:
	case named && !ok:
		b.fault(path+".names", "states and bits need a table of names; there is none named %q", f.Names)
	case named:
		o.Names = names
	case f.Names != "" && o.Encoding != Boolean:
		b.fault(path+".names", "only states and bits have names")
	case f.Names != "" && !ok:
		b.fault(path+".names", "there is no table of names %q", f.Names)
	case f.Names != "":
		o.Names = names
	}
	b.checkNames(path+".names", o, f.Names, o.Names)
}

// checkNames checks that the object's bits can hold each number of a table.
func (b *familyBuilder) checkNames(path string, o *Object, table string, names map[uint16]string) {
	width := int(o.Bits().Width)
	for n, name := range names {
		switch {
		case o.Kind() == KindBits && int(n) >= width:
			b.fault(path, "the table %s names bit %d, the object has %d", table, n, width)
		case o.Encoding == Boolean && n > 1:
			b.fault(path, "the table %s names %d %s, and a bool is 0 or 1", table, n, name)
		case o.Kind() == KindText && width < 16 && n>>width != 0:
			b.fault(path, "the table %s names %d %s, which %d bits cannot hold", table, n, name, width)
		}
	}
}

// checkAlarm checks that only a bool, or an object with its own names, is marked as an alarm. For a number it is not
// known which values are urgent.
func (b *familyBuilder) checkAlarm(path string, o *Object) {
	if o.Alarm && o.Names == nil && o.Encoding != Boolean {
		b.fault(path+".alarm", "only states and bits with names of their own, and bools, can be an alarm")
	}
}
