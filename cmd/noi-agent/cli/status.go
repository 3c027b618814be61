package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

type statusCommand struct {
	Verbose bool
	Watch   bool
	Check   bool
	Quiet   bool
}

func newStatus(s *session) *cobra.Command {
	c := &statusCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "status", Short: "Show the state of the running daemon.",
		Example: `  noi-agent status                      # the state; problems come first
  noi-agent status --check --quiet      # for a monitoring script: exit 1 if there is a fault`,
		Long: "Behind a pipe the tables are separated by tabs and nothing is shortened. Programs read --json.",
	}, c)
	f := cmd.Flags()
	f.BoolVarP(&c.Verbose, "verbose", "v", false,
		"Print everything: counters, failed exchanges, gaps, sizes, settings.")
	f.BoolVar(&c.Watch, "watch", false,
		"Print the status again after each change, until Ctrl-C. Behind a pipe: one JSON line per change.")
	f.BoolVar(&c.Check, "check", false, "Exit 1 if there is a fault; warnings and notices are not faults.")
	f.BoolVarP(&c.Quiet, "quiet", "q", false, "Print nothing; with --check.")
	return cmd
}

// Validate refuses flags that make no sense together.
func (c *statusCommand) Validate() error {
	switch {
	case c.Quiet && !c.Check:
		return errors.New("--quiet goes with --check: alone the command would do nothing")
	case c.Watch && c.Check:
		return errors.New("--watch and --check exclude one another")
	default:
		return nil
	}
}

// Run prints the status of the daemon.
func (c *statusCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	if c.Watch {
		return c.watch(ctx, p, cli)
	}
	body, err := cli.ask(ctx, "/api/v1/status")
	if err != nil {
		if c.Quiet {
			return errSilent
		}
		return err
	}
	var s api.Status
	if err := plainJSON(body, &s); err != nil {
		return err
	}
	switch {
	case c.Quiet:
	case cli.JSON:
		err = copyLine(p.Stdout, body)
	default:
		c.page(ctx, p, cli, &s).print(p.Stdout)
	}
	if c.Check && wording.StateOf(&s, p.Now()).Faults > 0 {
		return errSilent
	}
	return err
}

// page asks for the values and the failed exchanges that the page also shows.
func (c *statusCommand) page(ctx context.Context, p *Program, cli *commandLine, s *api.Status) *statusPage {
	host, _ := os.Hostname() // not required
	page := &statusPage{host: host, s: s, look: p.look(cli), now: p.Now(), own: p.Version, cli: cli,
		verbose: c.Verbose}
	if body, err := cli.ask(ctx, "/api/v1/objects"); err == nil { // not required
		_ = plainJSON(body, &page.values)
	}
	if c.Verbose {
		if body, err := cli.ask(ctx, "/api/v1/lines/faults"); err == nil { // not required
			_ = plainJSON(body, &page.faults)
		}
	}
	return page
}

// watchEvery is the time between two requests if the daemon sends no events.
const watchEvery = 2 * time.Second

// watch prints the status after each change until the command is stopped: on a terminal over the last one, otherwise as
// a line of JSON.
func (c *statusCommand) watch(ctx context.Context, p *Program, cli *commandLine) error {
	inPlace := isTerminal(p.Stdout) && !cli.JSON
	var last []byte
	news := news{cli: cli}
	for {
		news.connect(ctx)
		body, err := cli.ask(ctx, "/api/v1/status")
		switch {
		case ctx.Err() != nil:
			if inPlace {
				fmt.Fprintln(p.Stdout) // the terminal shows ^C behind the page
			}
			return errSilent
		case err != nil && !inPlace:
			return err
		case inPlace:
			err = c.redraw(ctx, p, cli, body, err)
		case !bytes.Equal(body, last):
			last = body
			err = copyLine(p.Stdout, body)
		}
		if err != nil {
			return err
		}
		news.wait(ctx)
	}
}

// redraw prints the page over the last one. If the daemon does not answer, it prints the error, and the watch
// continues.
func (c *statusCommand) redraw(ctx context.Context, p *Program, cli *commandLine, body []byte, fault error) error {
	var screen bytes.Buffer
	if fault != nil {
		with := *p
		with.Stderr = &screen
		with.complain(fault, cli)
	} else {
		var s api.Status
		if err := plainJSON(body, &s); err != nil {
			return err
		}
		c.page(ctx, p, cli, &s).print(&screen)
	}
	// The cursor goes home, the rest of each line is erased, and at the end the rest of the screen. So nothing
	// flickers.
	text := strings.ReplaceAll(top(screen.String(), rowsOf(p.Stdout)), "\n", "\x1b[K\n")
	_, err := fmt.Fprintf(p.Stdout, "\x1b[H%s\x1b[J", text)
	return err
}

// top returns the first lines of a page, for a terminal with a number of rows (0: not known). A longer page would
// scroll the problems away, which come first. The last row is empty: the cursor is there.
func top(page string, rows int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(page, "\n"), "\n")
	room := rows - 2 // the row of the cursor, and the row below
	if rows == 0 || len(lines) < rows || room < 1 {
		return page
	}
	return strings.Join(lines[:room], "") + counted(len(lines)-room, "more line") + "; without --watch you see all\n"
}

// copyLine prints the daemon's JSON unchanged, with a newline at the end.
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
