package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// ScanListing is the JSON of `noi-agent scan --json`.
type ScanListing struct {
	Port string `json:"port"`
	// settings at which a unit answered, or the last ones that were tried; "" on the network
	Settings string           `json:"settings"`
	Complete bool             `json:"complete"` // false: the scan was stopped
	Units    int              `json:"units"`    // number of unit ids in the scan
	Found    []foundListing   `json:"found"`
	Garbled  []garbledListing `json:"garbled"`
	YAML     string           `json:"yaml"` // line for the configuration; "" if no unit answers
	Same     bool             `json:"same"` // more than 32 units answer alike: one device that ignores unit ids
}

type foundListing struct {
	UnitID      int    `json:"unit_id"`
	Family      string `json:"family"` // "": not known
	ProductCode string `json:"product_code"`
	Revision    string `json:"revision"`
	Vendor      string `json:"vendor"`
	ServerID    string `json:"server_id"`
	Exception   string `json:"exception"` // exception of its answer; "": it has answered with registers

	Fault string `json:"fault,omitempty"` // text, if it is of another family than the configured one
}

type garbledListing struct {
	UnitID   int    `json:"unit_id"`
	Settings string `json:"settings"`
}

// mostOnALine is the most devices on a standard RS-485 line (MODBUS over Serial Line V1.02 §3.4.2). If more units
// answer in the same way, they are one device that answers to any unit id, as some devices do over TCP.
const mostOnALine = 32

func listScan(line *configs.Line, r modbus.ScanResult, catalog *objects.Catalog, units []byte) ScanListing {
	l := ScanListing{Port: line.Port, Units: len(units), Found: []foundListing{}, Garbled: []garbledListing{}}
	l.Settings = framingOf(r.Settings)
	l.Same = len(r.Found) > mostOnALine
	for _, f := range r.Found {
		row := foundListing{
			UnitID: int(f.Unit), ProductCode: f.Identity.ProductCode, Revision: f.Identity.Revision,
			Vendor: f.Identity.Vendor, ServerID: f.ServerID,
		}
		if family, ok := familyOf(catalog, f.Identity.ProductCode, f.ServerID); ok {
			row.Family = family.Slug
		}
		if f.Exception != nil {
			row.Exception = f.Exception.Error()
		}
		row.Fault = familyFault(line, catalog, row)
		l.Found = append(l.Found, row)
		first := l.Found[0]
		first.UnitID = row.UnitID
		l.Same = l.Same && row == first
	}
	for _, g := range r.Garbled { // a unit that was asked by both functions may be twice
		row := garbledListing{UnitID: int(g.Unit), Settings: framingOf(g.Settings)}
		if !slices.Contains(l.Garbled, row) {
			l.Garbled = append(l.Garbled, row)
		}
	}
	if len(l.Found) > 0 {
		l.YAML = yamlOf(line, r.Settings, l)
	}
	return l
}

// familyFault returns a text if a found unit is of another family than the configured slave with its unit id.
func familyFault(line *configs.Line, catalog *objects.Catalog, row foundListing) string {
	code := row.ProductCode
	if found, _, ok := catalog.InText(row.ServerID); ok && code == "" {
		code = found
	}
	for i := range line.Slaves {
		if line.Slaves[i].ID == row.UnitID {
			return poll.Mismatch(&line.Slaves[i], catalog, clean(code))
		}
	}
	return ""
}

// yamlOf returns the line and its slaves for the configuration.
func yamlOf(line *configs.Line, s modbus.Settings, l ScanListing) string {
	var b strings.Builder
	fmt.Fprintf(&b, "lines:\n  - name: %s\n    port: %s\n", cmp.Or(line.Name, "rs485"), strconv.Quote(line.Port))
	if !isNetwork(line.Port) {
		fmt.Fprintf(&b, "    baud: %d\n    parity: %s\n    stop_bits: %d\n", s.Baud, s.Parity, s.StopBits)
		if rs485 := poll.PortSettings(line).RS485; rs485.Mode != "off" {
			fmt.Fprintf(&b, "    rs485: %s   # and its polarity and delays as they were\n", rs485.Mode)
		}
	}
	b.WriteString("    slaves:\n")
	for _, f := range l.Found {
		model, remark := f.Family, strings.TrimSpace(f.ProductCode+" "+f.Revision)
		if model == "" {
			model, remark = "auto",
				"no family for "+cmp.Or(remark, f.ServerID, "an unidentified device")+": set its model"
		}
		fmt.Fprintf(&b, "      - {id: %d, model: %s}   # %s\n", f.UnitID, model, clean(remark))
		if l.Same {
			break
		}
	}
	return b.String()
}

// clean replaces all characters that are not printable ASCII, so that a text of a slave is safe on a terminal and in a
// comment.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}

func (p *Program) printScan(l ScanListing, cli *commandLine) error {
	if cli.JSON {
		return printJSON(p.Stdout, l)
	}
	if len(l.Found) > 0 {
		printFound(p.Stdout, l, p.look(cli))
	}
	printGarbled(p.Stdout, l)
	for _, f := range l.Found {
		if f.Fault != "" {
			fmt.Fprintf(p.Stdout, "FAULT: unit %d: %s. %s\n", f.UnitID, f.Fault, api.MismatchRemedy)
		}
	}
	if l.YAML != "" {
		fmt.Fprintf(p.Stdout, "\n# for the configuration\n%s", l.YAML)
		const hint = "hint: put these into the configuration, or let noi-agent init write the file"
		sentence(p.Stderr, "%s", cli.advised(hint))
	}
	return nil
}

func printFound(w io.Writer, l ScanListing, as look) {
	verb := "answer"
	if len(l.Found) == 1 {
		verb = "answers"
	}
	fmt.Fprintf(w, "%s%s: %d of %s %s\n", l.Port, at(l.Settings), len(l.Found), counted(l.Units, "unit"), verb)
	t := &table{columns: []column{{name: "UNIT", right: true}, {name: "FAMILY"}, {name: "PRODUCT CODE", least: 12},
		{name: "FIRMWARE"}, {name: "MAKER", least: 10}, {name: "ANSWER", least: 10}}}
	for _, f := range l.Found {
		code := cmp.Or(f.ProductCode, f.ServerID, "-")
		t.add(fmt.Sprint(f.UnitID), cmp.Or(f.Family, "-"), clean(code), orDash(clean(f.Revision)),
			orDash(clean(f.Vendor)), cmp.Or(f.Exception, "registers"))
		if l.Same {
			break
		}
	}
	t.print(w, as)
	if l.Same {
		fmt.Fprintf(w, "the other %d give the same answer: this is one device that answers to any unit id; one entry "+
			"is enough\n", len(l.Found)-1)
	}
}

// mostGarbled is the most units in the list of units with invalid answers. On a line with noise these are all units.
const mostGarbled = 10

// printGarbled prints the units with invalid answers. If other units answer, the settings of the line are right.
func printGarbled(w io.Writer, l ScanListing) {
	list := l.Garbled
	if len(list) == 0 {
		return
	}
	var words []string
	for _, g := range list[:min(len(list), mostGarbled)] {
		words = append(words, strconv.Itoa(g.UnitID)+at(g.Settings))
	}
	if more := len(list) - mostGarbled; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	sentence(w, "bytes that are no valid frame came after the requests to these units: %s",
		strings.Join(words, ", "))
	if len(l.Found) > 0 {
		sentence(w, "Other units answer, so the settings of the line are right. Perhaps two devices have the same "+
			"unit id: disconnect one of them, and scan again.")
	}
}

func at(settings string) string {
	if settings == "" {
		return ""
	}
	return " at " + settings
}
