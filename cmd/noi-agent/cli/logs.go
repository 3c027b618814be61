package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/status/api"
)

type logsCommand struct {
	Level  string
	Text   string
	Limit  int
	Follow bool
}

// logLevels lists the levels, the lowest first.
func logLevels() []string { return []string{"debug", "info", "warn", "error"} }

func newLogs(s *session) *cobra.Command {
	c := &logsCommand{Level: "debug"}
	cmd := s.bind(&cobra.Command{
		Use: "logs", Short: "Show the last lines of the daemon's log.",
		Example: `  noi-agent logs --level warn         # the last warnings and errors
  noi-agent logs --follow --text rs485`,
		Long: "The daemon keeps the last 1,000 lines in memory, of the level log.level of the configuration and " +
			"above. journalctl -u noi-agent shows older lines.",
	}, c)
	f := cmd.Flags()
	choose(cmd, &c.Level, "level", logLevels(), "Lines of this `LEVEL` and above: debug, info, warn, error.")
	f.StringVar(&c.Text, "text", "", "Only lines with this `TEXT`, in upper or lower case.")
	f.IntVarP(&c.Limit, "limit", "n", 100, "Number of lines, `N` from 1 to 1000.")
	f.BoolVar(&c.Follow, "follow", false, "Print new lines as they come, until Ctrl-C; with --json one object a line.")
	return cmd
}

// Validate refuses what the daemon would refuse.
func (c *logsCommand) Validate() error {
	if c.Limit < 1 || c.Limit > 1000 {
		return errorf("--limit: want 1 to 1000 lines, not %d", c.Limit)
	}
	return nil
}

// Run prints the lines that match, the oldest first.
func (c *logsCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	page, err := c.find(ctx, cli, 0, c.Limit)
	if err != nil {
		return err
	}
	if cli.JSON && !c.Follow {
		return printJSON(p.Stdout, page)
	}
	if len(page.Lines) == 0 && !c.Follow {
		fmt.Fprintln(p.Stderr, "No line of the log matches.")
		return nil
	}
	l := p.look(cli)
	if err := printLines(p.Stdout, page.Lines, l, cli.JSON); err != nil || !c.Follow {
		return err
	}
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for last := page.Last; ; last = page.Last {
		select {
		case <-ctx.Done():
			return errSilent
		case <-ticker.C:
		}
		if page, err = c.find(ctx, cli, last, 1000); err == nil && page.Last < last {
			page, err = c.find(ctx, cli, 0, 1000) // the daemon was restarted, and counts from 1
		}
		if err == nil {
			err = printLines(p.Stdout, page.Lines, l, cli.JSON)
		}
		if err != nil {
			return err
		}
	}
}

// find asks the daemon for the newest lines that match and have a number greater than after.
func (c *logsCommand) find(ctx context.Context, cli *commandLine, after uint64, limit int) (page api.Logs, err error) {
	q := url.Values{"level": {c.Level}, "text": {c.Text}, "limit": {strconv.Itoa(limit)},
		"after": {strconv.FormatUint(after, 10)}}
	body, err := cli.ask(ctx, "/api/v1/logs?"+q.Encode())
	if err != nil {
		return page, err
	}
	return page, plainJSON(body, &page)
}

// printLines prints time, level and text of each line: on a terminal in local time, elsewhere separated by tabs.
func printLines(w io.Writer, lines []api.LogLine, l look, asJSON bool) error {
	for i := range lines {
		line := &lines[i]
		var text string
		switch {
		case asJSON:
			body, err := json.Marshal(line)
			if err != nil {
				return err
			}
			text = string(body)
		case l.terminal:
			text = fmt.Sprintf("%s  %-5s  %s", line.Time.Local().Format(time.DateTime), line.Level, line.Text)
		default:
			text = strings.Join([]string{line.Time.Format(time.RFC3339Nano), line.Level, line.Text}, "\t")
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}
