package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/internal/shell"
	"noi-agent/status/api"
)

type integrationsDrainCommand struct {
	ID      string
	Timeout time.Duration
}

func newIntegrationsDrain(s *session) *cobra.Command {
	c := &integrationsDrainCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "drain [INTEGRATION]", Short: "Wait until the present backlog is sent.",
		Example: `  noi-agent integrations drain                 # before a gateway is switched off for good
  noi-agent integrations drain main-solar --timeout 10m`,
		Long: "Samples that are taken meanwhile do not count. Without a name the command waits for all " +
			"integrations that are not paused. The command only waits: if you stop it, the daemon still sends.",
		Args: oneArg(&c.ID), ValidArgsFunction: completeFirst(complete(s.cli.integrationNames)),
	}, c)
	cmd.Flags().DurationVar(&c.Timeout, "timeout", 0, "Give up, and exit 1, after this `TIME`. Default: never.")
	return cmd
}

// drained is the JSON of `noi-agent integrations drain --json`.
type drained struct {
	Sent    uint64 `json:"sent"`    // samples that these integrations have sent meanwhile
	Waiting uint64 `json:"waiting"` // samples of the first backlog that still wait; 0: all are sent
}

// drainEvery is the time between two requests to the daemon.
const drainEvery = time.Second

// Run waits until all samples are sent that waited at the beginning.
func (c *integrationsDrainCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	of, err := c.waiting(ctx, cli)
	if err != nil {
		return err
	}
	begun := p.Now()
	w := &drainWait{screen: p.Stderr, terminal: isTerminal(p.Stderr), begun: begun, first: total(of), shown: begun}
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for before := total(of); ; {
		left := w.left(of)
		w.show(p.Now(), left, of)
		end := drained{Sent: total(of).sent - before.sent, Waiting: left}
		switch {
		case left == 0:
			w.clear()
			return printDrained(p, cli, end)
		case c.Timeout > 0 && p.Now().Sub(begun) >= c.Timeout:
			w.clear()
			return failed(fmt.Errorf("%s still wait after %s", counted(int(left), "sample"), c.Timeout),
				"noi-agent status")
		}
		select {
		case <-ctx.Done():
			w.clear()
			return errors.New("stopped; sending goes on")
		case <-ticker.C:
		}
		if of, err = c.waiting(ctx, cli); err != nil {
			w.clear()
			return err
		}
	}
}

func printDrained(p *Program, cli *commandLine, end drained) error {
	if cli.JSON {
		return printJSON(p.Stdout, end)
	}
	_, err := fmt.Fprintf(p.Stdout, "nothing waits any more; %s sent meanwhile\n", counted(int(end.Sent), "sample"))
	return err
}

// waiting returns the integrations for which the command waits.
func (c *integrationsDrainCommand) waiting(ctx context.Context, cli *commandLine) ([]api.Integration, error) {
	s, err := cli.daemonStatus(ctx)
	if err != nil {
		return nil, err
	}
	id := ""
	if c.ID != "" {
		if id, err = idIn(&s, c.ID); err != nil {
			return nil, err
		}
	}
	var of []api.Integration
	for _, in := range s.Integrations {
		paused := in.State == "paused"
		switch {
		case id == in.ID && paused:
			return nil, failed(fmt.Errorf("%s is paused, and sends nothing", c.ID),
				"noi-agent integrations resume "+shell.Quote(c.ID))
		case id == in.ID || id == "" && !paused:
			of = append(of, in)
		}
	}
	return of, nil
}

// tally has the numbers of sent and waiting samples of some integrations.
type tally struct{ sent, backlog uint64 }

func total(of []api.Integration) (t tally) {
	for i := range of {
		t.sent += of[i].Sent
		t.backlog += of[i].Backlog
	}
	return t
}

// drainWait shows the progress: a bar on a terminal, otherwise a line every ten seconds.
type drainWait struct {
	screen   io.Writer
	terminal bool
	begun    time.Time
	first    tally
	shown    time.Time
}

// left returns the number of samples that still wait, of the integrations whose oldest sample waited at the beginning.
func (w *drainWait) left(of []api.Integration) (n uint64) {
	for i := range of {
		if in := &of[i]; in.Oldest != nil && !in.Oldest.After(w.begun) {
			n += in.Backlog
		}
	}
	return n
}

// showRarely is the time between two lines about the progress, without a terminal.
const showRarely = 10 * time.Second

func (w *drainWait) show(now time.Time, left uint64, of []api.Integration) {
	text := fmt.Sprintf("%d of %s left", left, counted(int(w.first.backlog), "sample"))
	if took, gone := now.Sub(w.begun), w.first.backlog-min(left, w.first.backlog); gone > 0 {
		text += ", about " + age(time.Duration(float64(took)*float64(left)/float64(gone))) + " more"
	}
	for i := range of {
		if in := &of[i]; in.Backlog > 0 && in.State != "ok" && in.State != "idle" {
			text += fmt.Sprintf("; %s: %s", cmp.Or(in.Name, in.ID), strings.ReplaceAll(in.State, "_", " "))
		}
	}
	switch {
	case w.terminal:
		full := int(barWidth * (w.first.backlog - min(left, w.first.backlog)) / max(w.first.backlog, 1))
		fmt.Fprintf(w.screen, "\r%s %s\x1b[K", bar(full), text)
	case now.Sub(w.shown) >= showRarely:
		w.shown = now
		fmt.Fprintln(w.screen, text)
	}
}

func (w *drainWait) clear() {
	if w.terminal {
		fmt.Fprint(w.screen, "\r\x1b[K")
	}
}
