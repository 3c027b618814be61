package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/configs"
	"noi-agent/status"
	"noi-agent/status/api"
)

// socket returns where the daemon answers: --socket, else status.socket of the configuration, which may have faults elsewhere.
func (cli *commandLine) socket() (string, error) {
	if cli.Socket != "" {
		return cli.Socket, nil
	}
	config, err := configs.LoadLenient(cli.Config)
	if err != nil {
		return "", err
	}
	if config.Status.Socket == "" {
		return "", errors.New("the configuration has no status.socket to ask the daemon over")
	}
	return config.Status.Socket, nil
}

// ask gets a path from the daemon over its socket and returns the JSON as it came.
func (cli *commandLine) ask(ctx context.Context, path string) ([]byte, error) {
	socket, err := cli.socket()
	if err != nil {
		return nil, err
	}
	return daemonSocket{socket, askLimit}.get(ctx, path)
}

// daemonStatus returns the daemon's state.
func (cli *commandLine) daemonStatus(ctx context.Context) (s api.Status, err error) {
	body, err := cli.ask(ctx, "/api/v1/status")
	if err != nil {
		return s, err
	}
	return s, plainJSON(body, &s)
}

// idOf returns the id of the integration that the daemon has by this id or name. What it does not have stays as it is: the daemon
// knows an integration that was removed by its id, for a while.
func (cli *commandLine) idOf(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	s, err := cli.daemonStatus(ctx)
	if err != nil {
		return "", err
	}
	for i := range s.Integrations {
		if in := &s.Integrations[i]; in.ID == name || in.Name == name {
			return in.ID, nil
		}
	}
	return name, nil
}

type triggersCommand struct {
	Integration string
	Success     string
	Gaps        bool
	Limit       int
	Before      uint64
}

func newTriggers(s *session) *cobra.Command {
	c := &triggersCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "triggers", Short: "Show the last deliveries of the running daemon.",
		Example: `  noi-agent triggers --success false       # what a cloud refused, newest first
  noi-agent triggers --integration main-solar --limit 100 --json`,
	}, c)
	f := cmd.Flags()
	f.StringVar(&c.Integration, "integration", "", "Only this integration, by id or `NAME`.")
	choose(cmd, &c.Success, "success", []string{"true", "false"}, "Only successes (`true|false`), or only failures.")
	f.BoolVar(&c.Gaps, "gaps", false, "Only gaps: what is missing, and why.")
	f.IntVarP(&c.Limit, "limit", "n", 20, "How many rows, `N` of 1 to 1000.")
	f.Uint64Var(&c.Before, "before", 0, "Only rows older than the one with this `ID`.")
	_ = cmd.RegisterFlagCompletionFunc("integration", complete(s.cli.integrationNames)) // the flag is there
	return cmd
}

// Validate refuses a number of rows that the daemon does not give.
func (c *triggersCommand) Validate() error {
	if c.Limit < 1 || c.Limit > 1000 {
		return errorf("--limit: want 1 to 1000 rows, not %d", c.Limit)
	}
	return nil
}

// Run shows the newest rows of the trigger log.
func (c *triggersCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	id, err := cli.idOf(ctx, c.Integration)
	if err != nil {
		return err
	}
	if id != "" {
		query.Set("integration", id)
	}
	if c.Success != "" {
		query.Set("success", c.Success)
	}
	if c.Gaps {
		query.Set("gaps", "true")
	}
	if c.Before != 0 {
		query.Set("before", strconv.FormatUint(c.Before, 10))
	}
	body, err := cli.ask(ctx, "/api/v1/triggers?"+query.Encode())
	if err != nil {
		return err
	}
	if cli.JSON {
		return copyLine(p.Stdout, body)
	}
	var page api.Triggers
	if err := plainJSON(body, &page); err != nil {
		return err
	}
	if len(page.Triggers) == 0 {
		return c.nothing(ctx, p, cli)
	}
	for i := range page.Triggers {
		printTrigger(p.Stdout, &page.Triggers[i])
	}
	if page.Next != nil {
		fmt.Fprintf(p.Stdout, "older: --before %d\n", *page.Next)
	}
	return nil
}

// nothing says that no row fits, or that there is no integration whose rows it could be.
func (c *triggersCommand) nothing(ctx context.Context, p *Program, cli *commandLine) error {
	if c.Integration != "" {
		s, err := cli.daemonStatus(ctx)
		if err != nil {
			return err
		}
		config := &configs.Config{Integrations: make([]configs.Integration, len(s.Integrations))}
		for i := range s.Integrations {
			config.Integrations[i].ID, config.Integrations[i].Name = s.Integrations[i].ID, s.Integrations[i].Name
		}
		if _, err := integrationOf(config, c.Integration); err != nil {
			return err
		}
	}
	what := "no such rows"
	if c.Gaps {
		what = "no gaps"
	}
	_, err := fmt.Fprintln(p.Stdout, what)
	return err
}

func printTrigger(w io.Writer, row *api.Trigger) {
	head := fmt.Sprintf("%d  %s  %s", row.ID, localTime(row.CompletedAt), row.IntegrationID)
	if row.Gap != nil { // no publication: there is no message, and nothing was tried
		fmt.Fprintf(w, "%s\n    %s\n    %s\n", head, row.IntegrationData.Error, row.Topic)
		return
	}
	answer := "message " + row.IntegrationData.MessageID
	if !row.Success {
		answer = row.IntegrationData.Error
	}
	replayed := ""
	if row.Replayed {
		replayed = "  replayed=true"
	}
	fmt.Fprintf(w, "%s  success=%t  attempts=%d%s\n    %s\n    %s\n    %s\n", head, row.Success, row.Attempts, replayed, row.PublishedData, answer, row.Topic)
}

// localTime shows a stamp in the time zone of whoever asks.
func localTime(stamp string) string {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return stamp
	}
	return t.Local().Format("2006-01-02 15:04:05.000 MST")
}

type statusCommand struct{}

func newStatus(s *session) *cobra.Command {
	return s.bind(&cobra.Command{
		Use: "status", Short: "Show the state of the running daemon.",
		Example: `  noi-agent status
  noi-agent status --json | jq .problems`,
	}, &statusCommand{})
}

// Run shows how everything stands: what is wrong first.
func (*statusCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	if cli.JSON {
		body, err := cli.ask(ctx, "/api/v1/status")
		if err != nil {
			return err
		}
		return copyLine(p.Stdout, body)
	}
	s, err := cli.daemonStatus(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "device %s  version %s  up %s\n", s.DeviceID, s.Version, time.Duration(s.UptimeS)*time.Second)
	if len(s.Problems) == 0 {
		fmt.Fprintln(p.Stdout, "no problems")
	}
	for _, pr := range s.Problems {
		fmt.Fprintf(p.Stdout, "%s %s: %s (%s)\n    %s\n    %s\n", pr.Severity, subject(s.Integrations, pr.Subject), pr.Title, pr.Code, pr.Detail, pr.Remedy)
	}
	t := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "clock\t%s\t%s\t%s\n", s.Clock.State, s.Clock.Source, s.Clock.Reason)
	printLines(t, s.Lines)
	printIntegrations(t, s.Integrations, s.Problems)
	printStore(t, s.Store)
	return t.Flush()
}

// subject is what a problem is about, as people call it: integrations have names beside their ids.
func subject(integrations []api.Integration, id string) string {
	for i := range integrations {
		if in := &integrations[i]; in.ID == id && in.Name != "" {
			return fmt.Sprintf("%s (%s)", in.Name, id)
		}
	}
	return id
}

// printStore shows the outbox; what did not happen is left out.
func printStore(w io.Writer, s api.Store) {
	fmt.Fprintf(w, "store\t%d bytes\t%d samples kept\t%d written to flash, %d sent without being stored\t%s\n",
		s.Bytes, s.Samples, s.Committed, s.Spared, flashWords(s))
	fmt.Fprintf(w, "  start: %s", s.Start)
	if words := status.StartWords(s.Start); words != "" {
		fmt.Fprintf(w, " (%s)", words)
	}
	for _, n := range []struct {
		of   uint64
		what string
	}{{s.Salvaged, "samples salvaged"}, {s.Corrupt, "damaged records"}} {
		if n.of > 0 {
			fmt.Fprintf(w, "; %d %s", n.of, n.what)
		}
	}
	if len(s.KeptAside) > 0 {
		fmt.Fprintf(w, "\n  kept aside: %s", strings.Join(s.KeptAside, ", "))
	}
	in := s.Settings
	fmt.Fprintf(w, "\n  in force: buffer: max_size %d bytes, max_age %s, when_full %s, commit_every %s, retain_after_ack %s; triggers: keep %d, flush_every %s\n",
		in.MaxSize, status.Duration(in.MaxAge), in.WhenFull, status.Duration(in.CommitEvery), status.Duration(in.RetainAfterAck),
		in.KeepTriggers, status.Duration(in.FlushEvery))
}

// flashWords says what the store writes.
func flashWords(s api.Store) string {
	if s.PerDay == nil {
		return fmt.Sprintf("%d bytes written", s.Written)
	}
	return fmt.Sprintf("%.1f MB a day written", *s.PerDay)
}

func printLines(w io.Writer, lines []api.Line) {
	for _, l := range lines {
		c := l.Counters
		fmt.Fprintf(w, "line %s\t%s\t%s\tload %.1f %%\trequests %d\ttimeouts %d\tbad frames %d\n",
			l.Name, l.State, l.Port, 100*l.Load, c.Requests, c.Timeouts, c.CRCErrors+c.FrameErrors)
		for i := range l.Slaves {
			printSlave(w, &l.Slaves[i])
		}
		if c.Echoes > 0 {
			fmt.Fprintf(w, "  the line echoes: %d of %d requests came back\n", c.Echoes, c.Requests)
		}
	}
}

func printSlave(w io.Writer, s *api.Slave) {
	age := "never"
	if s.AgeS != nil {
		age = (time.Duration(*s.AgeS) * time.Second).String() + " ago"
	}
	c := s.Counters
	fmt.Fprintf(w, "  unit %d\t%s\t%s %s\tlast good %s\tobjects %d\tmissed %d\tturnaround %.0f ms (p99 %.0f)\n",
		s.UnitID, s.State, s.Slave, s.CCFirmware, age, s.Objects, s.Missed, c.TurnaroundP50, c.TurnaroundP99)
	for _, object := range slices.Sorted(maps.Keys(s.NoValue)) {
		fmt.Fprintf(w, "    no value of %s: %s\n", object, s.NoValue[object])
	}
	if s.Learnt != "" {
		fmt.Fprintf(w, "    learnt, for the slave in the configuration:\n      %s\n", strings.ReplaceAll(strings.TrimSpace(s.Learnt), "\n", "\n      "))
	}
}

func printIntegrations(w io.Writer, integrations []api.Integration, problems []api.Problem) {
	for i := range integrations {
		in := &integrations[i]
		next := ""
		if in.NextPublication != nil {
			next = "\tnext publication " + in.NextPublication.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "integration %s %s\t%s\t%s\tbacklog %d\tsent %d\tfailed %d\tdropped %d\t%s%s\n",
			in.ID, in.Name, in.State, in.Topic, in.Backlog, in.Sent, in.Failed, in.Dropped, trafficWords(&in.Uplink), next)
		if in.Dead > 0 {
			fmt.Fprintf(w, "  dead letters: %d%s, see `noi-agent deadletters list`\n", in.Dead, deadSince(in.ID, problems))
		}
		printGaps(w, in)
	}
}

// trafficWords says what an integration has cost at the modem, both ways, as `check` predicts it.
func trafficWords(u *api.Uplink) string {
	text := "uplink today " + bothWays(u.TodaySent, u.TodayReceived) + "; this month " + bothWays(u.MonthSent, u.MonthReceived)
	if u.PerSample != nil {
		text += fmt.Sprintf("; %.0f bytes up a sample", *u.PerSample)
	}
	return text
}

// bothWays prints bytes as "1.2 MB sent, 43.2 kB received".
func bothWays(sent, received uint64) string {
	return status.Decimal(float64(sent)) + " sent, " + status.Decimal(float64(received)) + " received"
}

// deadSince says since when an integration has dead letters: its problem of that name knows, the integration does not.
func deadSince(integration string, problems []api.Problem) string {
	for i := range problems {
		if p := &problems[i]; p.Code == "dead_letters" && p.Subject == integration {
			return " since " + p.Since.Format(time.RFC3339)
		}
	}
	return ""
}

// printGaps shows the newest gaps of an integration.
func printGaps(w io.Writer, in *api.Integration) {
	for i := range in.Gaps[:min(status.NewestGaps, len(in.Gaps))] {
		g := &in.Gaps[i]
		count := "number of samples not known"
		if g.Count > 0 {
			count = fmt.Sprintf("%d samples", g.Count)
		}
		fmt.Fprintf(w, "  gap: %s, %s, %s: %s\n", gapSource(g), gapTimes(g), count, status.GapWords(g.Reason))
	}
	if len(in.Gaps) > status.NewestGaps {
		fmt.Fprintf(w, "  older gaps: noi-agent triggers --gaps --integration %s\n", in.ID)
	}
}

func gapSource(g *api.Gap) string {
	source := cmp.Or(g.Object, "objects not known")
	if g.Unit != "" {
		source += " of " + g.Unit
	}
	return source
}

func gapTimes(g *api.Gap) string {
	switch {
	case g.From == nil && g.To == nil:
		return "times not known"
	case g.From == nil:
		return "until " + g.To.Format(time.RFC3339)
	case g.To == nil:
		return "from " + g.From.Format(time.RFC3339)
	}
	return g.From.Format(time.RFC3339) + " to " + g.To.Format(time.RFC3339)
}

// copyLine prints the daemon's JSON as it came, with a newline at the end.
func copyLine(w io.Writer, body []byte) error {
	_, err := fmt.Fprintf(w, "%s\n", trimNewline(body))
	return err
}

func trimNewline(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == '\n' {
		b = b[:len(b)-1]
	}
	return b
}
