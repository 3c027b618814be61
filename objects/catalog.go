package objects

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/internal/strictyaml"
)

//go:embed families/*.yaml
var familyFiles embed.FS

// Catalog is the families the agent knows. It does not change once it is loaded.
type Catalog struct {
	families []*Family
}

// LoadCatalog reads the families that are built in. An error is a fault of the build, since a test
// loads the same files.
func LoadCatalog() (*Catalog, error) {
	entries, err := familyFiles.ReadDir("families")
	if err != nil {
		return nil, fmt.Errorf("list the built-in families: %w", err)
	}
	c := &Catalog{}
	for _, e := range entries {
		data, err := familyFiles.ReadFile(path.Join("families", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the family file %s: %w", e.Name(), err)
		}
		f, err := ParseFamily(data)
		if err != nil {
			return nil, fmt.Errorf("family file %s: %w", e.Name(), err)
		}
		c.families = append(c.families, f)
	}
	return c, nil
}

// Families returns all families in the order of their slugs.
func (c *Catalog) Families() []*Family { return c.families }

// Family returns the family with that slug, case-sensitive.
func (c *Catalog) Family(slug string) (*Family, bool) {
	for _, f := range c.families {
		if f.Slug == slug {
			return f, true
		}
	}
	return nil, false
}

// ByProductCode returns the family whose product code prefix fits best (the longest one).
func (c *Catalog) ByProductCode(code string) (*Family, bool) {
	var best *Family
	longest := 0
	for _, f := range c.families {
		for _, prefix := range f.ProductCodes {
			if len(prefix) > longest && strings.HasPrefix(code, prefix) {
				best, longest = f, len(prefix)
			}
		}
	}
	return best, best != nil
}

// familyFile and objectFile are the schema of a family file.
type familyFile struct {
	Family       string                       `yaml:"family"`
	Title        string                       `yaml:"title"`
	ProductCodes []string                     `yaml:"product_codes"`
	MaxRegisters uint16                       `yaml:"max_registers"`
	Tables       map[string]map[string]string `yaml:"tables"`
	Objects      []objectFile                 `yaml:"objects"`
}

type objectFile struct {
	Address    address            `yaml:"address"`
	Name       string             `yaml:"name"`
	Table      Table              `yaml:"table"`
	Encoding   Encoding           `yaml:"encoding"`
	Registers  uint16             `yaml:"registers"`
	Scale      float64            `yaml:"scale"`
	Exact      map[string]float64 `yaml:"exact"`
	Choices    []Choice           `yaml:"choices"`
	Names      string             `yaml:"names"`
	Unit       string             `yaml:"unit"`
	Interval   interval           `yaml:"interval"`
	Confidence string             `yaml:"confidence"`
	About      string             `yaml:"about"`
}

// SetDefaults gives an object without scale the factor 1.
func (o *objectFile) SetDefaults() { o.Scale = 1 }

// address is a PDU address, written with four hex digits.
type address uint16

// UnmarshalText takes "0x0012" and nothing else, so that no two spellings mean one register.
func (a *address) UnmarshalText(text []byte) error {
	n, err := parseHex(string(text))
	*a = address(n)
	return err
}

func parseHex(text string) (uint16, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	n, err := strconv.ParseUint(digits, 16, 16)
	if !ok || err != nil || len(digits) != 4 {
		return 0, fmt.Errorf("want four hex digits as in 0x0012, not %q", text)
	}
	return uint16(n), nil
}

type interval time.Duration

// UnmarshalText takes a Go duration: "60s", "5m", "1h".
func (i *interval) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("want a time above zero as in 60s or 5m, not %q", text)
	}
	*i = interval(d)
	return nil
}

// ParseFamily reads one family file. The error is strictyaml.Faults: every fault with its line.
func ParseFamily(data []byte) (*Family, error) {
	var file familyFile
	doc, faults := strictyaml.Decode(data, &file)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	b := familyBuilder{doc: doc, file: &file, family: &Family{
		Slug: file.Family, Title: file.Title, ProductCodes: file.ProductCodes,
		MaxRegisters: file.MaxRegisters, byName: map[string]int{},
	}}
	b.build()
	if err := b.faults.Err(); err != nil {
		return nil, err
	}
	return b.family, nil
}

// familyBuilder turns the file's words into a Family and collects what is wrong with them.
type familyBuilder struct {
	doc    *strictyaml.Document
	file   *familyFile
	family *Family
	faults strictyaml.Faults
}

func (b *familyBuilder) fault(path, format string, args ...any) {
	b.faults = append(b.faults, strictyaml.Fault{Line: b.doc.Line(path), Path: path, Text: fmt.Sprintf(format, args...)})
}

func (b *familyBuilder) build() {
	if b.file.Family == "" {
		b.fault("family", "a family needs a slug, as in PSPWM")
	}
	if b.file.MaxRegisters < 1 || b.file.MaxRegisters > 125 {
		b.fault("max_registers", "want 1 to 125 registers, not %d", b.file.MaxRegisters)
	}
	tables := b.tables()
	for i := range b.file.Objects {
		b.addObject(fmt.Sprintf("objects[%d]", i), &b.file.Objects[i], tables)
	}
}

// tables converts the numbers of states and bits from their text.
func (b *familyBuilder) tables() map[string]map[uint16]string {
	out := map[string]map[uint16]string{}
	for table, names := range b.file.Tables {
		out[table] = map[uint16]string{}
		for text, name := range names {
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil || name == "" {
				b.fault("tables."+table+"."+text, "want a number and its name, as in 3: NIGHT")
			}
			out[table][uint16(n)] = name
		}
	}
	return out
}

func (b *familyBuilder) addObject(path string, f *objectFile, tables map[string]map[uint16]string) {
	o := Object{
		Name: f.Name, About: f.About, Table: f.Table, Address: uint16(f.Address), Registers: f.Registers,
		Encoding: f.Encoding, Scale: f.Scale, Unit: f.Unit, Interval: time.Duration(f.Interval),
		Confidence: f.Confidence, Choices: f.Choices,
	}
	b.checkWords(path, &o)
	b.setWidth(path, &o)
	b.setNames(path, &o, f.Names, tables)
	for text, value := range f.Exact {
		raw, err := parseHex(text)
		if err != nil {
			b.fault(path+".exact", "%v", err)
		}
		if o.Exact == nil {
			o.Exact = map[uint16]float64{}
		}
		o.Exact[raw] = value
	}
	b.checkPlace(path, &o)
	if _, twice := b.family.byName[o.Name]; twice {
		b.fault(path+".name", "%s is there twice", o.Name)
	}
	b.family.byName[o.Name] = len(b.family.Objects)
	b.family.Objects = append(b.family.Objects, o)
}

// units is the one vocabulary of units; objects.csv uses the same.
var units = []string{"", "V", "A", "W", "Ah", "kWh", "Wh", "°C", "V/°C", "Ω", "h", "s", "d", "%"}

func (b *familyBuilder) checkWords(path string, o *Object) {
	if o.Name == "" || strings.ContainsAny(o.Name, " ,*\"") {
		b.fault(path+".name", "want a name without blanks, commas, quotes or *, not %q", o.Name)
	}
	if o.Table != Input && o.Table != Holding {
		b.fault(path+".table", "want input or holding, not %q", o.Table)
	}
	if !slices.Contains(units, o.Unit) {
		b.fault(path+".unit", "unknown unit %q; known are %s", o.Unit, strings.Join(units[1:], " "))
	}
	if !slices.Contains([]string{"high", "medium", "low"}, o.Confidence) {
		b.fault(path+".confidence", "want high, medium or low, not %q", o.Confidence)
	}
	if o.Interval <= 0 {
		b.fault(path+".interval", "an object needs a log interval, as in 60s")
	}
}

// setWidth finds how many registers the object takes; the choices of a disputed one must agree.
func (b *familyBuilder) setWidth(path string, o *Object) {
	encodings := []Encoding{o.Encoding}
	if len(o.Choices) > 0 {
		encodings = encodings[:0]
		for _, c := range o.Choices {
			encodings = append(encodings, c.Encoding)
		}
	}
	for _, e := range encodings {
		width := e.width()
		switch {
		case width < 0:
			b.fault(path+".encoding", "unknown encoding %q", e)
		case width == 0 && (o.Registers < 1 || o.Registers > 16):
			b.fault(path+".registers", "text needs its count of registers, 1 to 16")
		case width > 0 && o.Registers != 0 && int(o.Registers) != width:
			b.fault(path+".registers", "%s takes %d registers, not %d", e, width, o.Registers)
		case width > 0:
			o.Registers = uint16(width)
		}
	}
}

func (b *familyBuilder) setNames(path string, o *Object, table string, tables map[string]map[uint16]string) {
	needs := o.Encoding == State16 || o.Encoding == Bits16 || o.Encoding == Bits32
	names, ok := tables[table]
	switch {
	case needs && !ok:
		b.fault(path+".names", "states and bits need a table of names; there is none named %q", table)
	case !needs && table != "":
		b.fault(path+".names", "only states and bits have names")
	case needs:
		o.Names = names
	}
}

// checkPlace holds the order that makes overlaps impossible: input before holding, then ascending.
func (b *familyBuilder) checkPlace(path string, o *Object) {
	if len(b.family.Objects) == 0 {
		return
	}
	last := &b.family.Objects[len(b.family.Objects)-1]
	if last.Table == Holding && o.Table == Input {
		b.fault(path+".table", "objects of the input table come before those of the holding table")
	}
	if last.Table == o.Table && int(o.Address) < int(last.Address)+int(last.Registers) {
		b.fault(path+".address", "0x%04X lies within or before %s", o.Address, last.Name)
	}
}
