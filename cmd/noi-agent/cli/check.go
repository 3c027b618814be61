package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"noi-agent/agent/budget"
	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
	"noi-agent/status/wording"
)

type checkCommand struct{ file string }

func newCheck(s *session) *cobra.Command {
	c := &checkCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "check [FILE]", Short: "Check a configuration and print every error.",
		Example: `  noi-agent check                   # the daemon's configuration
  noi-agent check site-12.yaml      # another file`,
		Long: "Each error is printed with its line. For a valid configuration the command predicts the load of " +
			"each serial line, the flash writes, and the mobile data of each integration.",
		Args: oneArg(&c.file), ValidArgsFunction: completeFirst(completeFiles),
	}, c)
	return cmd
}

// checkResult is the JSON of `noi-agent check --json`.
type checkResult struct {
	Valid   bool         `json:"valid"`
	Faults  []checkFault `json:"faults"`
	Notices []checkFault `json:"notices"`
	Lines   []lineBudget `json:"lines"`
	Flash   *flashBudget `json:"flash,omitempty"` // of a valid configuration

	// By integration: upload plus download, in 10^6 bytes in 30 days. With `when: change` it is the maximum: every
	// sample changes.
	Uplink      map[string]float64 `json:"uplink_mb_per_month,omitempty"`
	UplinkLeast map[string]float64 `json:"uplink_least_mb_per_month,omitempty"` // the minimum with `when: change`

	// "line/unit id" of the slaves with `model: auto`, which are not counted
	Uncounted []string `json:"uncounted,omitempty"`
}

// flashBudget has the flash writes of the outbox, in 10^6 bytes per day. With `when: change` they are the maximum, and
// the fields Least have the minimum: only the heartbeats.
type flashBudget struct {
	Online       float64  `json:"online_mb_per_day"`
	Offline      float64  `json:"offline_mb_per_day"`
	LeastOnline  *float64 `json:"least_online_mb_per_day,omitempty"`
	LeastOffline *float64 `json:"least_offline_mb_per_day,omitempty"`
}

// words returns the budget as a text.
func (f *flashBudget) words() string {
	span := func(least *float64, most float64) string {
		if least == nil || *least == most {
			return fmt.Sprintf("%.1f MB/day", most)
		}
		return fmt.Sprintf("%.1f to %.1f MB/day", *least, most)
	}
	return span(f.LeastOnline, f.Online) + " while the clouds accept, " + span(f.LeastOffline, f.Offline) +
		" while none can be reached"
}

func flashOf(config *configs.Config, catalog *objects.Catalog) *flashBudget {
	tenth := func(mb float64) float64 { return math.Round(10*mb) / 10 }
	least, most := budget.Flash(config, catalog)
	f := &flashBudget{Online: tenth(most.Online), Offline: tenth(most.Offline)}
	if least != most {
		online, offline := tenth(least.Online), tenth(least.Offline)
		f.LeastOnline, f.LeastOffline = &online, &offline
	}
	return f
}

type checkFault struct {
	Line int    `json:"line"`
	Path string `json:"path"`
	Text string `json:"text"`
}

// lineBudget has the number of objects and samples of a line, and its load.
type lineBudget struct {
	Name    string   `json:"name"`
	Slaves  int      `json:"slaves"`
	Objects int      `json:"objects"`
	PerDay  float64  `json:"samples_per_day"`
	Load    *float64 `json:"load"`              // share of the line's time; above 1: overloaded; null: Modbus TCP
	Warning string   `json:"warning,omitempty"` // about the load of an enabled line

	words string // the same as a text
}

// A line with a load above loadWarning has little time for retries and for slaves that do not answer. A line with a
// load above loadFull cannot make all its reads.
const (
	loadWarning = 0.7
	loadFull    = 1
)

// Run checks the configuration, and prints every fault, or the predicted costs.
func (c *checkCommand) Run(_ context.Context, p *Program, cli *commandLine) error {
	if c.file != "" {
		cli.Config = c.file
	}
	config, catalog, err := cli.loadAll()
	var invalid *configs.Error
	if err != nil && !errors.As(err, &invalid) {
		return err
	}
	if cli.JSON {
		return p.checkJSON(config, catalog, invalid)
	}
	if invalid != nil {
		fmt.Fprintln(p.Stdout, strings.TrimSpace(invalid.Error()))
		return fmt.Errorf("%s has %s", invalid.File, counted(len(invalid.Faults), "fault"))
	}
	for _, n := range append(config.Notices(), noticesHere(config)...) {
		fmt.Fprintf(p.Stdout, "notice: %s\n", configs.Locate(cli.Config, n))
	}
	if units := uncounted(config, catalog); len(units) > 0 {
		fmt.Fprintf(p.Stdout,
			"notice: %s: `model: auto`: load and cost unknown until the controller answers; set a model to estimate "+
				"them\n",
			strings.Join(units, ", "))
	}
	lines := budgets(config, catalog)
	for _, b := range lines {
		if b.Warning != "" {
			sentence(p.Stdout, "%s", cli.advised(b.Warning))
		}
	}
	fmt.Fprintf(p.Stdout, "%s: ok\n", cli.Config)
	var costs rows
	for _, b := range lines {
		costs.add("bus", b.Name, b.words)
	}
	costs.uplink(config, catalog)
	if f := flashOf(config, catalog); f.Offline > 0 {
		costs.add("flash", "outbox", f.words())
	}
	if err := costs.families(config, catalog); err != nil {
		return err
	}
	costs.print(p.Stdout, p.look(cli))
	printCheaper(p.Stderr, config, catalog)
	return nil
}

// uplink adds a row with the cost of each integration.
func (r *rows) uplink(config *configs.Config, catalog *objects.Catalog) {
	uplink := budget.Uplink(config, catalog, costOf)
	for i := range config.Integrations {
		in := &config.Integrations[i]
		if uplink[in.ID].Most == 0 {
			continue
		}
		t := budget.TrafficOf(config, catalog, in, costOf)
		r.add("uplink", cmp.Or(in.Name, in.ID),
			fmt.Sprintf("%.0f messages/day, %s", t.Messages, uplinkWords(in, uplink[in.ID])))
	}
}

func (p *Program) checkJSON(config *configs.Config, catalog *objects.Catalog, invalid *configs.Error) error {
	result := checkResult{Valid: invalid == nil, Faults: []checkFault{}, Notices: []checkFault{}, Lines: []lineBudget{}}
	if invalid != nil {
		result.Faults = faultRows(invalid.Faults)
	} else {
		result.Notices = faultRows(append(config.Notices(), noticesHere(config)...))
		result.Lines = budgets(config, catalog)
		result.Flash = flashOf(config, catalog)
		result.uplink(config, budget.Uplink(config, catalog, costOf))
		result.Uncounted = uncounted(config, catalog)
	}
	if err := printJSON(p.Stdout, result); err != nil {
		return err
	}
	if invalid != nil {
		return errSilent
	}
	return nil
}

func (r *checkResult) uplink(config *configs.Config, budgets map[string]budget.UplinkRange) {
	r.Uplink, r.UplinkLeast = map[string]float64{}, map[string]float64{}
	for i := range config.Integrations {
		in := &config.Integrations[i]
		b, ok := budgets[in.ID]
		if !ok {
			continue
		}
		r.Uplink[in.ID] = b.Most
		if in.When == configs.WhenChange {
			r.UplinkLeast[in.ID] = b.Least
		}
	}
}

// uplinkWords returns the cost of an integration as a text, with the settings that matter for it.
func uplinkWords(in *configs.Integration, b budget.UplinkRange) string {
	how := "sent immediately"
	if in.PublishEvery > 0 {
		how = "collected for " + wording.Duration(in.PublishEvery.String())
	}
	if in.Envelope == configs.EnvelopeBatch {
		how += ", one message per sweep"
	}
	if in.When != configs.WhenChange {
		return fmt.Sprintf("%s MB/day, %s MB/month; %s", megabytes(b.Most/30), megabytes(b.Most), how)
	}
	least := "no heartbeat"
	if in.Heartbeat > 0 {
		least = "a sample of each object every " + wording.Duration(in.Heartbeat.String())
	}
	return fmt.Sprintf("%s to %s MB/month; %s; the minimum if nothing changes (%s), the maximum if every sample "+
		"changes",
		megabytes(b.Least), megabytes(b.Most), how, least)
}

// megabytes prints a number below ten with one decimal, and others without.
func megabytes(mb float64) string {
	if mb < 10 {
		return fmt.Sprintf("%.1f", mb)
	}
	return fmt.Sprintf("%.0f", mb)
}

func faultRows(faults strictyaml.Faults) []checkFault {
	rows := make([]checkFault, len(faults))
	for i, f := range faults {
		rows[i] = checkFault{Line: f.Line, Path: f.Path, Text: f.Text}
	}
	return rows
}

// uncounted lists the slaves whose family is not known, which the predictions do not count.
func uncounted(config *configs.Config, catalog *objects.Catalog) (units []string) {
	for i := range config.Lines {
		line := &config.Lines[i]
		for j := range line.Slaves {
			if _, ok := line.Slaves[j].Family(catalog); !ok && line.Enabled {
				units = append(units, fmt.Sprintf("%s/%d", line.Name, line.Slaves[j].ID))
			}
		}
	}
	return units
}

// budgets returns the budget of each line. A slave with `model: auto` is not counted, because its objects are not
// known.
func budgets(config *configs.Config, catalog *objects.Catalog) []lineBudget {
	out := []lineBudget{}
	for i := range config.Lines {
		line := &config.Lines[i]
		b := lineBudget{Name: line.Name, Slaves: len(line.Slaves)}
		for j := range line.Slaves {
			family, ok := line.Slaves[j].Family(catalog)
			if !ok {
				continue
			}
			for _, polled := range line.Slaves[j].Polled(family) {
				b.Objects++
				b.PerDay += 86400 / polled.Interval.Seconds()
			}
		}
		b.words = fmt.Sprintf("%s of %s", counted(b.Objects, "object"), counted(b.Slaves, "slave"))
		b.weigh(line, budget.Bus(line, catalog))
		out = append(out, b)
	}
	return out
}

// weigh adds the load of the line to the budget, with a warning if it is high.
func (b *lineBudget) weigh(line *configs.Line, load budget.BusLoad) {
	if !load.Timed {
		return
	}
	b.Load = &load.Share
	b.words = fmt.Sprintf("%.2f s a minute, %s of %s; %s", 60*load.Share, loadWords(load),
		framing(poll.PortSettings(line)), b.words)
	const wayOut = "`noi-agent plan` shows what costs most; lengthen log intervals, poll fewer objects, raise the " +
		"baud rate, or give the line fewer slaves"
	switch {
	case !line.Enabled:
	case load.Share > loadFull:
		b.Warning = fmt.Sprintf("WARNING: line %s is overloaded (%s): samples will be missing. %s",
			b.Name, loadWords(load), wayOut)
	case load.Share > loadWarning:
		b.Warning = fmt.Sprintf("warning: line %s is busy for %s of the time, which leaves little for retries and for "+
			"slaves that do not answer. %s",
			b.Name, loadWords(load), wayOut)
	}
}
