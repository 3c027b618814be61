package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"noi-agent/objects"
)

// ReadResult is the JSON of `noi-agent read --json`.
type ReadResult struct {
	Line   string `json:"line"` // "" with --port
	Port   string `json:"port"`
	UnitID int    `json:"unit_id"`
	// name in the configuration, or "line/unit id"; with --port "unit id"
	Slave     string            `json:"slave"`
	Objects   []objectReading   `json:"objects"`
	Registers []registerReading `json:"registers"`
}

type objectReading struct {
	Object     string         `json:"object"`
	Value      *objects.Value `json:"value"`              // null: there is no value, or no encoding is chosen
	NoValue    string         `json:"no_value,omitempty"` // why there is no value
	Unit       string         `json:"unit"`
	Registers  []string       `json:"registers"`
	Function   byte           `json:"function"`
	Address    string         `json:"address"`
	SampledAt  string         `json:"sampled_at,omitempty"`
	Candidates []candidate    `json:"candidates,omitempty"` // for an object whose encoding must be chosen
	Expected   *expectation   `json:"expected,omitempty"`   // approximate value, calculated from other objects
	Error      string         `json:"error,omitempty"`
}

// candidate is the value of an object in one of its possible encodings.
type candidate struct {
	Encoding string         `json:"encoding"`
	Value    *objects.Value `json:"value"`
	NoValue  string         `json:"no_value,omitempty"`
	Chosen   bool           `json:"chosen"`          // chosen by `encodings` of the slave
	Ratio    *float64       `json:"ratio,omitempty"` // value divided by the expected value; near 1 is plausible
}

// expectation is an approximate value of an object, calculated from other objects.
type expectation struct {
	Value float64 `json:"value"` // in the object's unit
	From  string  `json:"from"`
}

type registerReading struct {
	Function      byte          `json:"function"`
	Address       string        `json:"address"`
	Count         uint16        `json:"count"`
	SampledAt     string        `json:"sampled_at,omitempty"`
	Registers     []registerRow `json:"registers"`
	Bits          []bitRow      `json:"bits,omitempty"` // with functions 01 and 02, which read bits
	TextHighFirst string        `json:"text_high_first,omitempty"`
	TextLowFirst  string        `json:"text_low_first,omitempty"`
	Error         string        `json:"error,omitempty"`
}

// refuse replaces the values of all objects by an error, because the registers have another meaning. The raw registers
// stay.
func (r *ReadResult) refuse(why string) {
	for i, o := range r.Objects {
		if o.Error == "" {
			r.Objects[i] = objectReading{
				Object: o.Object, Unit: o.Unit, Registers: o.Registers, Function: o.Function, Address: o.Address,
				SampledAt: o.SampledAt, Error: why,
			}
		}
	}
}

// printReadings prints the values, and an error for each object or register that could not be read.
func (p *Program) printReadings(r ReadResult, cli *commandLine) error {
	asJSON, l := cli.JSON, p.look(cli)
	failed := false
	complain := func(what, text string) {
		failed = failed || text != ""
		if text != "" && !asJSON {
			p.complain(fmt.Errorf("%s: %s", what, text), cli)
		}
	}
	for _, o := range r.Objects {
		complain(o.Object, o.Error)
	}
	for _, g := range r.Registers {
		complain(g.Address, g.Error)
	}
	if asJSON {
		if err := printJSON(p.Stdout, r); err != nil {
			return err
		}
	} else {
		printObjects(p.Stdout, r, l)
		for _, g := range r.Registers {
			if g.Error == "" {
				printRegisters(p.Stdout, g, l)
			}
		}
	}
	if failed {
		return errSilent
	}
	return nil
}

// printValue prints only the value, for scripts. It fails if there is none.
func (p *Program) printValue(o objectReading) error {
	switch {
	case o.Error != "":
		return fmt.Errorf("%s: %s", o.Object, o.Error)
	case o.Value == nil && len(o.Candidates) > 0:
		return failed(fmt.Errorf("%s has no value: its encoding is not chosen", o.Object), "noi-agent read "+o.Object)
	case o.Value == nil:
		return fmt.Errorf("%s holds no value: %s", o.Object, o.NoValue)
	case o.Value.Kind() == objects.KindBits:
		_, err := fmt.Fprintln(p.Stdout, strings.Join(o.Value.Names(), ","))
		return err
	default:
		_, err := fmt.Fprintln(p.Stdout, escaped(o.Value.String()))
		return err
	}
}

func printObjects(w io.Writer, r ReadResult, l look) {
	t := &table{columns: []column{{name: "OBJECT", least: 10}, {name: "VALUE", least: 12}, {name: "UNIT"},
		{name: "SLAVE", least: 8}, {name: "REGISTERS", least: 9}, {name: "ADDRESS"}, {name: "SAMPLED AT"}}}
	for _, o := range r.Objects {
		if o.Error == "" {
			t.add(o.Object, valueWords(o), o.Unit, r.Slave, strings.Join(o.Registers, " "),
				fmt.Sprintf("%02X %s", o.Function, o.Address), clockTime(o.SampledAt, l))
		}
	}
	t.print(w, l)
	for _, o := range r.Objects {
		switch {
		case o.NoValue != "":
			fmt.Fprintf(w, "%s holds no value: %s\n", o.Object, o.NoValue)
		case len(o.Candidates) > 0:
			printCandidates(w, o)
		}
	}
}

// valueWords returns the value for people.
func valueWords(o objectReading) string {
	switch {
	case o.Value == nil && len(o.Candidates) > 0:
		return "not chosen"
	case o.Value == nil:
		return "none"
	case o.Value.Kind() == objects.KindBits && len(o.Value.Names()) == 0:
		return "clear"
	default:
		return escaped(o.Value.String()) // a text comes from the controller, so it is escaped
	}
}

// plausible is the largest factor between a value and the expected one. The expected value is calculated with the
// present battery voltage. The mean voltage since the counter began is not the same, but not half or twice as high.
const plausible = 2

func printCandidates(w io.Writer, o objectReading) {
	if i := slices.IndexFunc(o.Candidates, func(c candidate) bool { return c.Chosen }); i >= 0 {
		fmt.Fprintf(w, "the slave's `encodings` have chosen %s for %s, which its sources dispute:\n",
			o.Candidates[i].Encoding, o.Object)
	} else {
		fmt.Fprintf(w, "%s is not sampled until the slave's `encodings` choose one of these:\n", o.Object)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range o.Candidates {
		value, verdict := "none", judgement(c)
		if c.Value != nil {
			value = c.Value.String() + " " + o.Unit
		}
		if c.Chosen {
			verdict = strings.TrimPrefix(verdict+", chosen", ", ")
		}
		fmt.Fprintf(t, "  encodings: {%s: %s}\t%s\t%s\n", o.Object, c.Encoding, value, verdict)
	}
	_ = t.Flush()
	switch e := o.Expected; {
	case e == nil:
	case e.Value > 0:
		fmt.Fprintf(w, "  to compare: %s = %.6g %s\n", e.From, e.Value, o.Unit)
	default:
		fmt.Fprintf(w, "  nothing to compare with yet: %s\n", e.From)
	}
}

// judgement compares a candidate with the expected value.
func judgement(c candidate) string {
	switch {
	case c.Ratio == nil:
		return ""
	case *c.Ratio >= 1./plausible && *c.Ratio <= plausible:
		return fmt.Sprintf("plausible, %.2f of what Ah and V make", *c.Ratio)
	default:
		return fmt.Sprintf("not plausible, %.3g of what Ah and V make", *c.Ratio)
	}
}

func printRegisters(w io.Writer, g registerReading, l look) {
	fmt.Fprintf(w, "function %02X, %s+%d, %s\n", g.Function, g.Address, g.Count, localTime(g.SampledAt))
	if len(g.Bits) > 0 {
		for _, b := range g.Bits {
			fmt.Fprintf(w, "%s  %v\n", b.Address, b.Value)
		}
		return
	}
	names := []string{"ADDRESS", "HEX", "U16", "S16", "F16", "ASCII"}
	if g.Count > 1 {
		names = append(names, "U32", "U32LO", "S32", "S32LO", "F32", "F32LO")
	}
	t := &table{}
	for _, name := range names {
		t.columns = append(t.columns, column{name: name})
	}
	for _, r := range g.Registers {
		cells := []string{r.Address, r.Hex, fmt.Sprint(r.U16), fmt.Sprint(r.S16), float(r.F16), orDash(r.ASCII)}
		if p := r.Pair; p != nil {
			cells = append(cells, fmt.Sprint(p.U32), fmt.Sprint(p.U32LO), fmt.Sprint(p.S32), fmt.Sprint(p.S32LO),
				float(p.F32), float(p.F32LO))
		}
		t.add(append(cells, make([]string, len(names)-len(cells))...)...)
	}
	t.print(w, l)
	if g.Count > 1 {
		fmt.Fprintln(w, "U32 to F32LO are of the register and the next one; LO has the low word first")
	}
	if g.TextHighFirst != "" || g.TextLowFirst != "" {
		fmt.Fprintf(w, "as text: %q with the high byte first, %q with the low one\n", g.TextHighFirst, g.TextLowFirst)
	}
}

// float prints a number with at most seven digits, and "-" for nil.
func float(f *float64) string {
	if f == nil {
		return "-"
	}
	return strconv.FormatFloat(*f, 'g', 7, 64)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
