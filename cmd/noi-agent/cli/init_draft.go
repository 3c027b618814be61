package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/status/wording"
)

// draft is the configuration that init makes from the answers.
type draft struct {
	line  configs.Line
	says  map[int]string // the identity that each controller has reported, by unit id
	in    configs.Integration
	every time.Duration            // shortest log interval, except of faults and alarms; 0: the families' intervals
	exact map[string]time.Duration // log intervals by object or pattern

	stateDir, listen, socket string // "": the default
}

func newDraft() draft {
	d := draft{says: map[int]string{}, exact: map[string]time.Duration{}}
	d.line.SetDefaults()
	d.line.Name = "rs485"
	d.in.SetDefaults()
	return d
}

// publishes reports whether there is an integration.
func (d *draft) publishes() bool { return d.in.Destination() != "" }

// try applies a change if the draft is valid after it. Otherwise it returns the errors that `check` would print.
func (d *draft) try(catalog *objects.Catalog, change func(*draft)) error {
	next := d.clone()
	change(&next)
	if _, err := next.check(catalog); err != nil {
		return err
	}
	*d = next
	return nil
}

func (d *draft) clone() draft {
	next := *d
	next.line.Slaves = slices.Clone(d.line.Slaves)
	next.exact = maps.Clone(d.exact)
	return next
}

// check checks the draft as `check` checks a file.
func (d *draft) check(catalog *objects.Catalog) (*configs.Config, error) {
	config, faults := configs.Parse([]byte(d.yaml(catalog, time.Time{})), catalog)
	var all []error
	for _, f := range faults {
		all = append(all, errors.New(f.Text))
	}
	return config, errors.Join(all...)
}

// settings stores the settings with which the scan has reached the controllers.
func (d *draft) settings(s modbus.Settings) {
	if !isNetwork(d.line.Port) {
		d.line.Baud, d.line.Parity, d.line.StopBits = s.Baud, s.Parity, s.StopBits
	}
}

// absolute returns the absolute path of a file, because the daemon runs in another directory than init. "" stays "".
func absolute(path string) string {
	if whole, err := filepath.Abs(path); path != "" && err == nil {
		return whole
	}
	return path
}

func (d *draft) setTopic(topic string) {
	if d.in.Type == configs.GCP {
		d.in.Topic = topic
		return
	}
	d.in.TopicARN = topic
}

func (d *draft) setObjects(answer string) {
	d.in.Objects = configs.Names{All: answer == "all"}
	for word := range strings.SplitSeq(answer, ",") {
		if word = strings.TrimSpace(word); word != "all" && word != "" {
			d.in.Objects.List = append(d.in.Objects.List, word)
		}
	}
}

// polled returns the polled objects of each controller whose family is known.
func (d *draft) polled(catalog *objects.Catalog) (all [][]configs.Polled) {
	for i := range d.line.Slaves {
		if family, ok := d.line.Slaves[i].Family(catalog); ok {
			all = append(all, d.line.Slaves[i].Polled(family))
		}
	}
	return all
}

// intervals returns the log intervals of a slave that differ from its family's, as lines of the file.
func (d *draft) intervals(s *configs.Slave, catalog *objects.Catalog) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(d.exact)) {
		if !d.has(s, name, catalog) && d.anyHas(name, catalog) {
			continue // the name is of an object of another controller
		}
		lines = append(lines, fmt.Sprintf("%s: %s", yamlScalar(name), wording.Duration(d.exact[name].String())))
	}
	family, ok := s.Family(catalog)
	if !ok || d.every == 0 {
		return lines
	}
	for _, o := range s.Polled(family) {
		sent := d.in.Wants(d.line.Name, s.ID, nil, o.Object.Name)
		if _, given := d.exact[o.Object.Name]; !given && sent && !o.Object.Alarm && o.Interval < d.every {
			lines = append(lines, fmt.Sprintf("%s: %s", yamlScalar(o.Object.Name), wording.Duration(d.every.String())))
		}
	}
	return lines
}

// has reports whether a name or pattern matches a polled object of the slave.
func (d *draft) has(s *configs.Slave, name string, catalog *objects.Catalog) bool {
	family, ok := s.Family(catalog)
	return ok && slices.ContainsFunc(s.Polled(family), func(o configs.Polled) bool {
		return objects.MatchesName(name, o.Object.Name)
	})
}

func (d *draft) anyHas(name string, catalog *objects.Catalog) bool {
	return slices.ContainsFunc(d.line.Slaves, func(s configs.Slave) bool { return d.has(&s, name, catalog) })
}

// yaml returns the text of the configuration file, with comments.
func (d *draft) yaml(catalog *objects.Catalog, made time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The configuration of the NOI agent, made by noi-agent init on %s.
# After a change: sudo noi-agent check && sudo systemctl reload noi-agent
# /usr/share/noi-agent/config.yaml.example explains every key.

`, made.Format("2006-01-02"))
	if d.stateDir != "" {
		fmt.Fprintf(&b, "# Where samples wait for the clouds.\nstate_dir: %s\n\n", yamlScalar(d.stateDir))
	}
	d.writeLine(&b, catalog)
	if d.publishes() {
		b.WriteString("\n# Where samples go.\n" + integrationYAML(&d.in))
	} else {
		b.WriteString("\n# No integration: values are on the status page; nothing is kept or sent.\n" +
			"integrations: []\n")
	}
	d.writeStatus(&b)
	return b.String()
}

func (d *draft) writeLine(b *strings.Builder, catalog *objects.Catalog) {
	l := &d.line
	b.WriteString("# The serial line, or the gateway on the network, and the controllers on it.\nlines:\n")
	fmt.Fprintf(b, "  - name: %s\n    port: %s\n", l.Name, yamlScalar(l.Port))
	if !isNetwork(l.Port) {
		fmt.Fprintf(b, "    baud: %d\n    parity: %s\n    stop_bits: %d\n", l.Baud, l.Parity, l.StopBits)
	}
	if len(l.Slaves) == 0 {
		b.WriteString("    slaves: []\n")
		return
	}
	b.WriteString("    slaves:\n")
	for i := range l.Slaves {
		s := &l.Slaves[i]
		fmt.Fprintf(b, "      - id: %d%s\n        model: %s\n", s.ID, comment(d.says[s.ID]), yamlScalar(s.Model))
		if s.Name != "" {
			fmt.Fprintf(b, "        name: %s   # `slave` of its messages\n", yamlScalar(s.Name))
		}
		b.WriteString("        objects: all   # what is read; settings are read only by name\n")
		if lines := d.intervals(s, catalog); len(lines) > 0 {
			fmt.Fprintf(b, "        intervals:   # log intervals; the others are the family's (noi-agent objects)\n"+
				"          %s\n", strings.Join(lines, "\n          "))
		}
	}
}

func (d *draft) writeStatus(b *strings.Builder) {
	if d.listen == "" && d.socket == "" {
		return
	}
	b.WriteString("\n# The status page, and the socket of the other commands.\nstatus:\n")
	for _, key := range [][2]string{{"listen", d.listen}, {"socket", d.socket}} {
		if key[1] != "" {
			fmt.Fprintf(b, "  %s: %s\n", key[0], yamlScalar(key[1]))
		}
	}
}

func comment(text string) string {
	if text == "" {
		return ""
	}
	return "   # " + cmp.Or(text, none)
}
