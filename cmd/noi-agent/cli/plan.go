package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/agent/budget"
	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/status/wording"
)

type planCommand struct{ verbose bool }

func newPlan(s *session) *cobra.Command {
	c := &planCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "plan", Short: "Show the reads of each line and their bus time.",
		Example: `  noi-agent plan --verbose             # each read: registers, how often, how long, and which objects
  noi-agent plan --config site-12.yaml --json`,
		Long: "One row is one read. Objects that are due together share reads: at a full hour, a row with EVERY 1h " +
			"replaces the rows with shorter intervals. TIME is how long the read keeps the line busy.",
	}, c)
	cmd.Flags().BoolVarP(&c.verbose, "verbose", "v", false, "Print the names of the objects of each read.")
	return cmd
}

// mostMoments is the most moments of a slave in the table. The log intervals of a family make five.
const mostMoments = 20

// Run prints the reads of each enabled line and their bus time.
func (c *planCommand) Run(_ context.Context, p *Program, cli *commandLine) error {
	config, catalog, err := cli.load()
	if err != nil {
		return err
	}
	listing, loads := []lineListing{}, map[*configs.Line]budget.BusLoad{}
	for i := range config.Lines {
		line := &config.Lines[i]
		if !line.Enabled {
			continue
		}
		loads[line] = budget.Bus(line, catalog)
		listing = append(listing, listLine(line, loads[line]))
	}
	if cli.JSON {
		return printJSON(p.Stdout, map[string][]lineListing{"lines": listing})
	}
	if len(listing) == 0 {
		fmt.Fprintln(p.Stdout, "no line is enabled")
	}
	c.printReads(p, cli, config, loads)
	c.printLines(p, config, loads)
	return nil
}

// printReads prints the table of all reads.
func (c *planCommand) printReads(p *Program, cli *commandLine, config *configs.Config,
	loads map[*configs.Line]budget.BusLoad) {
	t := table{columns: []column{
		{name: "LINE"}, {name: "SLAVE"}, {name: "READ"}, {name: "OBJECTS", right: true}, {name: "EVERY"},
		{name: "TIME", right: true},
	}}
	if c.verbose {
		t.columns = append(t.columns, column{name: "NAMES"})
	}
	for i := range config.Lines {
		line := &config.Lines[i]
		load, ok := loads[line]
		if !ok {
			continue
		}
		for _, s := range load.Slaves {
			for _, m := range s.Moments[:min(mostMoments, len(s.Moments))] {
				t.moment(line.Name, slaveName(line, s.Config), m, load.Timed, c.verbose)
			}
		}
	}
	t.print(p.Stdout, p.look(cli))
}

// moment adds a row for each read of a moment.
func (t *table) moment(line, slave string, m budget.Moment, timed, names bool) {
	for _, r := range m.Reads {
		cost := none
		if timed {
			cost = milliseconds(r.BusTime)
		}
		row := []string{line, slave, fmt.Sprintf("0x%04X+%d (fc %d)", r.Addr, r.Count, r.Function),
			strconv.Itoa(len(r.Objects)), every(m.Intervals), cost}
		if names {
			row = append(row, strings.Join(r.Objects, ", "))
		}
		t.add(row...)
	}
}

// every returns a text for intervals (ascending) that are due together. It leaves out an interval that divides the
// longest one: objects that are due every 10 s are due every minute too.
func every(intervals []time.Duration) string {
	longest := intervals[len(intervals)-1]
	rest := slices.DeleteFunc(slices.Clone(intervals), func(d time.Duration) bool { return longest%d == 0 })
	return strings.Join(durations(append(rest, longest)), " + ")
}

// slaveName returns the name of a slave, or its line and unit id if it has no name. A line of --port has no name.
func slaveName(line *configs.Line, s *configs.Slave) string {
	if line.Name == "" {
		return cmp.Or(s.Name, fmt.Sprintf("unit %d", s.ID))
	}
	return cmp.Or(s.Name, fmt.Sprintf("%s/%d", line.Name, s.ID))
}

// printLines prints a sentence for each line, and the reads that the table does not show.
func (c *planCommand) printLines(p *Program, config *configs.Config, loads map[*configs.Line]budget.BusLoad) {
	for i := range config.Lines {
		line := &config.Lines[i]
		load, ok := loads[line]
		if !ok {
			continue
		}
		for _, s := range load.Slaves {
			printNotPlanned(p.Stderr, line, s)
		}
		if !load.Timed {
			sentence(p.Stderr, "%s: %s; over Modbus TCP bus time means nothing, the device decides how fast it "+
				"answers", line.Name, rate(load.Reads, "reads"))
			continue
		}
		sentence(p.Stderr, "%s: %.2f s a minute, %s busy at %s; one read for each object would take %.2f s a minute",
			line.Name, 60*load.Share, loadWords(load), framing(poll.PortSettings(line)), 60*load.Apart)
	}
}

// printNotPlanned prints which objects and moments of a slave have no row in the table.
func printNotPlanned(w io.Writer, line *configs.Line, s budget.SlaveLoad) {
	name := slaveName(line, s.Config)
	if s.Family == nil {
		sentence(w, "%s: model auto: reads and load unknown until the controller answers; set its model to see "+
			"them", name)
	}
	for _, object := range s.TooLong {
		sentence(w, "%s: %s is longer than one read may be: the controller will refuse it; raise max_registers, or "+
			"leave it out of objects", name, object)
	}
	if more := len(s.Moments) - mostMoments; more > 0 {
		sentence(w, "%s: %d rarer moments are not shown; --json prints them all", name, more)
	}
}

// framing returns "9600 8N2".
func framing(s modbus.Settings) string {
	letter := "N"
	if s.Parity != "" {
		letter = strings.ToUpper(s.Parity[:1])
	}
	return fmt.Sprintf("%d %d%s%d", s.Baud, s.DataBits, letter, s.StopBits)
}

// rate prints a rate in a suitable unit of time: "60 reads an hour".
func rate(perSecond float64, what string) string {
	const hour, day = 3600, 86400
	switch {
	case perSecond >= 1 || perSecond == 0:
		return fmt.Sprintf("%.3g %s a second", perSecond, what)
	case perSecond*hour >= 1:
		return fmt.Sprintf("%.4g %s an hour", perSecond*hour, what)
	default:
		return fmt.Sprintf("%.3g %s a day", perSecond*day, what)
	}
}

// loadWords returns the load of a line as a text.
func loadWords(load budget.BusLoad) string {
	if load.AtMost {
		return "at most " + percent(load.Share)
	}
	return percent(load.Share)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", 1000*d.Seconds()) }

func durations(list []time.Duration) []string {
	words := make([]string, len(list))
	for i, d := range list {
		words[i] = wording.Duration(d.String())
	}
	return words
}

// lineListing is a line in the JSON of `noi-agent plan --json`. Over Modbus TCP all bus times and loads are null.
type lineListing struct {
	Line           string         `json:"line"`
	Port           string         `json:"port"`
	Settings       string         `json:"settings"` // "9600 8N2"; "" for Modbus TCP
	Load           *float64       `json:"load"`     // share of the time, 1 is all of it
	AtMost         bool           `json:"at_most"`
	ReadsPerSecond float64        `json:"reads_per_second"`
	Slaves         []slaveListing `json:"slaves"`
}

type slaveListing struct {
	UnitID  int             `json:"unit_id"`
	Model   string          `json:"model"`
	Family  string          `json:"family"` // "": not known before the slave is identified
	Objects int             `json:"objects"`
	Load    *float64        `json:"load"`
	TooLong []string        `json:"too_long"`
	Moments []momentListing `json:"moments"`
}

type momentListing struct {
	Intervals []string      `json:"intervals"`
	PerSecond float64       `json:"per_second"`
	BusTimeMS *float64      `json:"bus_time_ms"`
	Reads     []readListing `json:"reads"`
}

type readListing struct {
	Function  byte     `json:"function"`
	Address   string   `json:"address"`
	Count     uint16   `json:"count"`
	BusTimeMS *float64 `json:"bus_time_ms"`
	Objects   []string `json:"objects"`
}

func listLine(line *configs.Line, load budget.BusLoad) lineListing {
	l := lineListing{
		Line: line.Name, Port: line.Port, Load: timed(load, load.Share), AtMost: load.AtMost,
		ReadsPerSecond: load.Reads,
		Slaves:         []slaveListing{},
	}
	if load.Timed {
		l.Settings = framing(poll.PortSettings(line))
	}
	for _, s := range load.Slaves {
		listed := slaveListing{
			UnitID: s.Config.ID, Model: s.Config.Model, Objects: s.Objects, Load: timed(load, s.Share()),
			TooLong: append([]string{}, s.TooLong...), Moments: []momentListing{},
		}
		if s.Family != nil {
			listed.Family = s.Family.Slug
		}
		for _, m := range s.Moments {
			listed.Moments = append(listed.Moments, listMoment(load, m))
		}
		l.Slaves = append(l.Slaves, listed)
	}
	return l
}

func listMoment(load budget.BusLoad, m budget.Moment) momentListing {
	listed := momentListing{
		Intervals: durations(m.Intervals), PerSecond: m.Rate, BusTimeMS: timed(load, 1000*m.BusTime().Seconds()),
		Reads: []readListing{},
	}
	for _, r := range m.Reads {
		listed.Reads = append(listed.Reads, readListing{
			Function: r.Function, Address: fmt.Sprintf("0x%04X", r.Addr), Count: r.Count,
			BusTimeMS: timed(load, 1000*r.BusTime.Seconds()), Objects: r.Objects,
		})
	}
	return listed
}

// timed returns a pointer to a figure about bus time; nil over Modbus TCP, where there is no bus time.
func timed(load budget.BusLoad, f float64) *float64 {
	if !load.Timed {
		return nil
	}
	return &f
}
