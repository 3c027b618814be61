package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status/wording"
)

type objectsCommand struct {
	name     string // name of an object; "": all
	Family   string
	Markdown bool
}

func newObjects(s *session) *cobra.Command {
	c := &objectsCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "objects [NAME]", Short: "List families, objects and log intervals, or explain one object.",
		Example: `  noi-agent objects --family PSPWM     # one family of controllers
  noi-agent objects adc_vbterm         # one object: meaning, unit, register, and the families that have it`,
		Long: "The argument is the name of an object, or of a family.",
		Args: oneArg(&c.name), ValidArgsFunction: completeFirst(complete(s.cli.objectNames)),
	}, c)
	cmd.Flags().StringVar(&c.Family, "family", "", "Only this family, by its `NAME`.")
	cmd.Flags().BoolVar(&c.Markdown, "markdown", false, "Print Markdown, as docs/objects.md has it.")
	_ = cmd.RegisterFlagCompletionFunc("family", complete(s.cli.familyNames)) // the flag is there
	return cmd
}

// Run lists the built-in families, and the families in families_dir of the configuration.
func (c *objectsCommand) Run(_ context.Context, p *Program, cli *commandLine) error {
	if c.Markdown && cli.JSON {
		return misused(errors.New("--markdown and --json are two formats; name one"), "noi-agent objects --help")
	}
	catalog, err := objects.LoadCatalog(configs.FamiliesDir(cli.Config))
	if err != nil {
		return err
	}
	families := catalog.Families()
	if f, err := familyNamed(catalog, c.name); err == nil && c.Family == "" {
		c.Family, c.name = f.Slug, ""
	}
	if c.Family != "" {
		f, err := familyNamed(catalog, c.Family)
		if err != nil {
			return err
		}
		families = []*objects.Family{f}
	}
	switch {
	case c.name != "":
		return c.explain(p, cli, families)
	case cli.JSON:
		return printJSON(p.Stdout, listFamilies(families))
	case c.Markdown:
		return printMarkdown(p.Stdout, families)
	}
	for _, f := range families {
		printFamily(p.Stdout, f, p.look(cli))
	}
	return nil
}

// familyNamed returns the family with this name, in upper or lower case.
func familyNamed(catalog *objects.Catalog, name string) (*objects.Family, error) {
	families := catalog.Families()
	for _, f := range families {
		if strings.EqualFold(f.Slug, name) {
			return f, nil
		}
	}
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.Slug
	}
	return nil, misused(fmt.Errorf("no family %q; there are %s", escaped(name), slugs(families)),
		nearest(strings.ToUpper(name), names))
}

func slugs(families []*objects.Family) string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.Slug
	}
	return strings.Join(names, ", ")
}

// printFamily prints the table of a family, in the order of the register map.
func printFamily(w io.Writer, f *objects.Family, l look) {
	sentence(w, "%s: %s (%s; at most %d registers a read)", f.Slug, f.Title, productCodes(f, ""), f.MaxRegisters)
	t := &table{columns: []column{{name: "ADDRESS"}, {name: "OBJECT"}, {name: "KIND", spare: true},
		{name: "REGISTERS", right: true, spare: true}, {name: "UNIT"}, {name: "LOG INTERVAL", right: true},
		{name: "CONFIDENCE", spare: true}, {name: "MEANING", least: 8}}}
	for i := range f.Objects {
		o := &f.Objects[i]
		t.add(whereOf(o), o.Name, kindOf(o), fmt.Sprint(o.Registers), o.Unit, wording.Duration(o.Interval.String()),
			confidence(o), strings.TrimSpace(o.About+remark(o)))
	}
	t.print(w, l)
	fmt.Fprintln(w)
}

// productCodes returns a text with the product codes by which `model: auto` recognises the family. quote is put around
// each code.
func productCodes(f *objects.Family, quote string) string {
	if len(f.ProductCodes) == 0 {
		return "no product code known: name the model"
	}
	return "product codes " + quote + strings.Join(f.ProductCodes, "…"+quote+", "+quote) + "…" + quote
}

// whereOf returns the address of the object, and its bits if it is only a part of the register: "0x3201 2-3".
func whereOf(o *objects.Object) string {
	where := fmt.Sprintf("0x%04X", o.Address)
	if o.Field.Width > 0 {
		where += " " + o.Field.String()
	}
	return where
}

// confidence returns the confidence of the object's definition; "unverified" if its sources are doubtful.
func confidence(o *objects.Object) string {
	if o.Unverified() {
		return "unverified"
	}
	return o.Confidence
}

// kindOf returns the kind of the value in a message.
func kindOf(o *objects.Object) string {
	switch o.Kind() {
	case objects.KindText:
		if len(o.Names) == 0 && o.NamesBy == nil {
			return "text"
		}
		return "state"
	case objects.KindBits:
		return "bits"
	case objects.KindBool:
		return "bool"
	default:
		return "number"
	}
}

// remark returns a remark about an object that is not sampled by default, or is an alarm; "" for others.
func remark(o *objects.Object) string {
	switch {
	case len(o.Choices) > 0:
		names := make([]string, len(o.Choices))
		for i, c := range o.Choices {
			names[i] = c.Name
		}
		return " [not sampled until `encodings` chooses " + strings.Join(names, " or ") + "]"
	case o.Table == objects.Holding && o.Setting():
		return " [setting: sampled only by name]"
	case o.Setting():
		return " [sampled only by name]"
	case o.Alarm:
		return " [alarm]"
	default:
		return ""
	}
}

// familyListing is a family in the JSON of `noi-agent objects --json`.
type familyListing struct {
	Family       string          `json:"family"`
	Title        string          `json:"title"`
	ProductCodes []string        `json:"product_codes"`
	MaxRegisters int             `json:"max_registers"`
	Objects      []objectListing `json:"objects"`
}

type objectListing struct {
	Address   string `json:"address"`
	Object    string `json:"object"`
	Kind      string `json:"kind"`
	Encoding  string `json:"encoding,omitempty"` // left out if it is disputed
	Registers int    `json:"registers"`
	Bits      string `json:"bits,omitempty"` // the bits of the object, as in "2-3", if it is a part of a register
	// the registers that one read must have, if they are more than the object's own
	Span       *reading `json:"read_together,omitempty"`
	Unit       string   `json:"unit"`
	Interval   string   `json:"interval"`
	Setting    bool     `json:"setting"`
	Alarm      bool     `json:"alarm,omitempty"`
	Confidence string   `json:"confidence"`
	Unverified bool     `json:"unverified"`
	About      string   `json:"about"`
	Names      []string `json:"names,omitempty"`
	Choices    []string `json:"choices,omitempty"`
}

// reading is a run of registers.
type reading struct {
	Address   string `json:"address"`
	Registers int    `json:"registers"`
}

func listFamilies(families []*objects.Family) map[string][]familyListing {
	out := []familyListing{}
	for _, f := range families {
		l := familyListing{Family: f.Slug, Title: f.Title, ProductCodes: append([]string{}, f.ProductCodes...),
			MaxRegisters: int(f.MaxRegisters)}
		for i := range f.Objects {
			l.Objects = append(l.Objects, listObject(&f.Objects[i]))
		}
		out = append(out, l)
	}
	return map[string][]familyListing{"families": out}
}

func listObject(o *objects.Object) objectListing {
	l := objectListing{
		Address: fmt.Sprintf("0x%04X", o.Address), Object: o.Name, Kind: kindOf(o), Encoding: string(o.Encoding),
		Registers: int(o.Registers), Unit: o.Unit,
		Interval: wording.Duration(o.Interval.String()), Setting: o.Setting(), Alarm: o.Alarm, Confidence: o.Confidence,
		Unverified: o.Unverified(), About: o.About,
		Names: namesOf(o.Names, "="),
	}
	if addr, count := o.Span(); addr != o.Address || count != o.Registers {
		l.Span = &reading{Address: fmt.Sprintf("0x%04X", addr), Registers: int(count)}
	}
	if o.Field.Width > 0 {
		l.Bits = o.Field.String()
	}
	for _, c := range o.Choices {
		l.Choices = append(l.Choices, c.Name)
	}
	return l
}

// namesOf lists the names of states or bits in the order of their numbers.
func namesOf(names map[uint16]string, separator string) []string {
	numbers := make([]uint16, 0, len(names))
	for n := range names {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var list []string
	for _, n := range numbers {
		list = append(list, fmt.Sprintf("%d%s%s", n, separator, names[n]))
	}
	return list
}

// printJSON prints one indented document.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
