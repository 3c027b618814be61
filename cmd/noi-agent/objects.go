package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"noi-agent/objects"
)

type objectsCommand struct {
	Family string `placeholder:"F" help:"Only this family."`
}

// Run lists what the agent can read.
func (c *objectsCommand) Run(p *program, cli *commandLine) error {
	catalog, err := objects.LoadCatalog()
	if err != nil {
		return err
	}
	families := catalog.Families()
	if c.Family != "" {
		f, ok := catalog.Family(c.Family)
		if !ok {
			return fmt.Errorf("no family %q; there are %s", c.Family, slugs(families))
		}
		families = []*objects.Family{f}
	}
	if cli.JSON {
		return printJSON(p.stdout, listFamilies(families))
	}
	for _, f := range families {
		printFamily(p.stdout, f)
	}
	return nil
}

func slugs(families []*objects.Family) string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.Slug
	}
	return strings.Join(names, ", ")
}

// printFamily prints one table: live objects first, settings after them.
func printFamily(w io.Writer, f *objects.Family) {
	fmt.Fprintf(w, "%s: %s (product codes %s…; at most %d registers a read)\n", f.Slug, f.Title, strings.Join(f.ProductCodes, "…, "), f.MaxRegisters)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tOBJECT\tKIND\tREGISTERS\tUNIT\tLOG INTERVAL\tCONFIDENCE\tMEANING")
	for i := range f.Objects {
		o := &f.Objects[i]
		fmt.Fprintf(t, "0x%04X\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n",
			o.Address, o.Name, kindOf(o), o.Registers, o.Unit, shortDuration(o.Interval.String()), o.Confidence, o.About+remark(o))
	}
	_ = t.Flush() // a broken pipe is the reader's wish
	fmt.Fprintln(w)
}

// kindOf names what the message's `data` will be.
func kindOf(o *objects.Object) string {
	switch o.Kind() {
	case objects.KindText:
		if len(o.Names) == 0 {
			return "text"
		}
		return "state"
	case objects.KindBits:
		return "bits"
	default:
		return "number"
	}
}

func remark(o *objects.Object) string {
	switch {
	case len(o.Choices) > 0:
		names := make([]string, len(o.Choices))
		for i, c := range o.Choices {
			names[i] = c.Name
		}
		return " [not sampled until `encodings` chooses " + strings.Join(names, " or ") + "]"
	case o.Setting():
		return " [setting: sampled only by name]"
	default:
		return ""
	}
}

// shortDuration drops the zero units of Go's format: "1m0s" is "1m".
func shortDuration(s string) string {
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// familyListing and objectListing are the JSON of `noi-agent objects --json`.
type familyListing struct {
	Family       string          `json:"family"`
	Title        string          `json:"title"`
	ProductCodes []string        `json:"product_codes"`
	MaxRegisters int             `json:"max_registers"`
	Objects      []objectListing `json:"objects"`
}

type objectListing struct {
	Address    string   `json:"address"`
	Object     string   `json:"object"`
	Kind       string   `json:"kind"`
	Registers  int      `json:"registers"`
	Unit       string   `json:"unit"`
	Interval   string   `json:"interval"`
	Setting    bool     `json:"setting"`
	Confidence string   `json:"confidence"`
	About      string   `json:"about"`
	Names      []string `json:"names,omitempty"`
	Choices    []string `json:"choices,omitempty"`
}

func listFamilies(families []*objects.Family) map[string][]familyListing {
	out := []familyListing{}
	for _, f := range families {
		l := familyListing{Family: f.Slug, Title: f.Title, ProductCodes: f.ProductCodes, MaxRegisters: int(f.MaxRegisters)}
		for i := range f.Objects {
			l.Objects = append(l.Objects, listObject(&f.Objects[i]))
		}
		out = append(out, l)
	}
	return map[string][]familyListing{"families": out}
}

func listObject(o *objects.Object) objectListing {
	l := objectListing{
		Address: fmt.Sprintf("0x%04X", o.Address), Object: o.Name, Kind: kindOf(o), Registers: int(o.Registers), Unit: o.Unit,
		Interval: shortDuration(o.Interval.String()), Setting: o.Setting(), Confidence: o.Confidence, About: o.About,
	}
	numbers := make([]uint16, 0, len(o.Names))
	for n := range o.Names {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		l.Names = append(l.Names, fmt.Sprintf("%d=%s", n, o.Names[n]))
	}
	for _, c := range o.Choices {
		l.Choices = append(l.Choices, c.Name)
	}
	return l
}

// printJSON prints one indented document.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
