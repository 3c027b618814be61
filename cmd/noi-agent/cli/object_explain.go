package cli

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"noi-agent/objects"
	"noi-agent/status/wording"
)

// explained is one object of one family, as `noi-agent objects NAME --json` prints it.
type explained struct {
	Family string `json:"family"`
	Title  string `json:"title"`
	objectListing
}

// explanation is the JSON of `noi-agent objects NAME`.
type explanation struct {
	Object       string      `json:"object"`
	Families     []explained `json:"families"`
	Integrations []string    `json:"integrations"` // names of the configured integrations that list it
}

// explain prints the details of an object: in the family of --family, or in all families that have it.
func (c *objectsCommand) explain(p *Program, cli *commandLine, families []*objects.Family) error {
	e := explanation{Object: c.name, Families: []explained{}, Integrations: cli.listing(c.name)}
	var found []*objects.Object
	var known []string
	for _, f := range families {
		for i := range f.Objects {
			known = append(known, f.Objects[i].Name)
		}
		if o, ok := f.Object(c.name); ok {
			found = append(found, o)
			e.Families = append(e.Families, explained{f.Slug, f.Title, listObject(o)})
		}
	}
	if len(found) == 0 {
		return misused(errorf("no object %q", escaped(c.name)), cmp.Or(nearest(c.name, known), "noi-agent objects"))
	}
	if cli.JSON {
		return printJSON(p.Stdout, e)
	}
	width := math.MaxInt
	if l := p.look(cli); l.terminal {
		width = l.width
	}
	for i, o := range found {
		if i > 0 {
			fmt.Fprintln(p.Stdout)
		}
		printExplained(p.Stdout, e.Families[i], o, width)
	}
	list := strings.Join(e.Integrations, ", ")
	_, err := fmt.Fprint(p.Stdout, "\nintegrations that list it: ", cmp.Or(list, "none of the configuration"), "\n")
	return err
}

func printExplained(w io.Writer, e explained, o *objects.Object, width int) {
	const indent = 14
	item := func(name, value string) {
		if value != "" {
			text := strings.ReplaceAll(wrapped(value, max(width-indent, 20)), "\n", "\n"+strings.Repeat(" ", indent))
			fmt.Fprintf(w, "%-*s%s\n", indent, name, text)
		}
	}
	item(o.Name, cmp.Or(strings.TrimSpace(o.About+remark(o)), "no meaning is documented"))
	item("family", e.Family+", "+e.Title)
	item("kind", kindOf(o))
	item("unit", cmp.Or(o.Unit, none))
	register := fmt.Sprintf("%s, %s, function %02X", whereOf(o), counted(int(o.Registers), "register"), o.Function())
	item("register", register)
	item("encoding", cmp.Or(string(o.Encoding), "disputed: "+strings.Join(e.Choices, " or ")))
	item("log interval", wording.Duration(o.Interval.String()))
	item("confidence", confidence(o))
	item("values", strings.Join(e.Names, ", "))
}

// listing returns the names of the configured integrations that list an object; none without a configuration.
func (cli *commandLine) listing(name string) []string {
	list := []string{}
	config := cli.lenient()
	for i := range config.Integrations {
		if in := &config.Integrations[i]; in.Objects.All ||
			slices.ContainsFunc(in.Objects.List, func(word string) bool { return objects.MatchesName(word, name) }) {
			list = append(list, orID(in.Name, in.Type+" "+in.Destination()))
		}
	}
	return list
}
