package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/agent/budget"
	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/status/wording"
)

type planCommand struct{}

func newPlan(s *session) *cobra.Command {
	return s.bind(&cobra.Command{
		Use: "plan", Short: "Show the reads of each line and their bus time.",
		Example: `  noi-agent plan                       # every poll cycle: what is due, how many requests, how long
  noi-agent plan --config site-12.yaml --json`,
	}, &planCommand{})
}

// mostMoments is how many moments of a slave are printed for people. A family's own log intervals make five.
const mostMoments = 20

// Run prints the reads of each enabled line and what they cost.
func (*planCommand) Run(_ context.Context, p *Program, cli *commandLine) error {
	config, catalog, err := cli.load()
	if err != nil {
		return err
	}
	listing := []lineListing{}
	for i := range config.Lines {
		line := &config.Lines[i]
		if !line.Enabled {
			continue
		}
		load := budget.Bus(line, catalog)
		listing = append(listing, listLine(line, load))
		if !cli.JSON {
			printLineLoad(p.Stdout, line, load)
		}
	}
	if cli.JSON {
		return printJSON(p.Stdout, map[string][]lineListing{"lines": listing})
	}
	if len(listing) == 0 {
		fmt.Fprintln(p.Stdout, "no line is enabled")
	}
	return nil
}

func printLineLoad(w io.Writer, line *configs.Line, load budget.BusLoad) {
	reads := rate(load.Reads, "reads")
	if load.Timed {
		fmt.Fprintf(w, "line %s, %s at %s: load %s, %s\n", line.Name, line.Port, framing(poll.PortSettings(line)),
			loadWords(load), reads)
	} else {
		fmt.Fprintf(w, "line %s, %s: %s; over Modbus TCP bus time means nothing, the device decides how fast it "+
			"answers\n", line.Name, line.Port, reads)
	}
	for _, s := range load.Slaves {
		printSlaveLoad(w, s, load.Timed)
	}
}

func printSlaveLoad(w io.Writer, s budget.SlaveLoad, timed bool) {
	if s.Family == nil {
		fmt.Fprintf(w, "  unit %d, model auto: reads and load unknown until the controller answers; set its model to "+
			"see them\n", s.Config.ID)
		return
	}
	share := ""
	if timed {
		share = ", " + percent(s.Share())
	}
	fmt.Fprintf(w, "  unit %d, %s: %d objects%s\n", s.Config.ID, s.Family.Slug, s.Objects, share)
	for _, name := range s.TooLong {
		fmt.Fprintf(w, "    %s is longer than one read may be: the controller will refuse it; raise max_registers, or "+
			"leave it out of objects\n", name)
	}
	for i, m := range s.Moments {
		if i == mostMoments {
			fmt.Fprintf(w, "    and %d rarer moments; --json prints them all\n", len(s.Moments)-i)
			return
		}
		printMoment(w, m, timed)
	}
}

// printMoment prints when it comes and its reads.
func printMoment(w io.Writer, m budget.Moment, timed bool) {
	cost := ""
	if timed {
		cost = ", " + milliseconds(m.BusTime())
	}
	fmt.Fprintf(w, "    due %s: %s%s\n", strings.Join(durations(m.Intervals), " + "), rate(m.Rate, "times"), cost)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range m.Reads {
		cost := ""
		if timed {
			cost = milliseconds(r.BusTime) + "\t"
		}
		fmt.Fprintf(t, "      %02X 0x%04X+%d\t%s%s\n", r.Function, r.Addr, r.Count, cost, strings.Join(r.Objects, ", "))
	}
	_ = t.Flush() // a broken pipe is the reader's wish
}

// framing returns "9600 8N2".
func framing(s modbus.Settings) string {
	letter := "N"
	if s.Parity != "" {
		letter = strings.ToUpper(s.Parity[:1])
	}
	return fmt.Sprintf("%d %d%s%d", s.Baud, s.DataBits, letter, s.StopBits)
}

// rate returns how often something comes in the unit of time that reads best: "60 times an hour".
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

// loadWords returns the load of a line that is timed.
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

// lineListing and what is in it are the JSON of `noi-agent plan --json`. What has no bus time is null there.
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
	Family  string          `json:"family"` // "": not known before the slave has said who it is
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

// timed returns a figure of bus time, nil where it means nothing.
func timed(load budget.BusLoad, f float64) *float64 {
	if !load.Timed {
		return nil
	}
	return &f
}
