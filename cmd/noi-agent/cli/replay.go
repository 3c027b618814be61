package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/status/api"
)

type replayCommand struct {
	Integration string
	rangeFlags
	Yes bool
}

func newReplay(s *session) *cobra.Command {
	c := &replayCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "replay --integration NAME", Short: "Send accepted samples to an integration again.",
		Example: `  noi-agent replay --integration bigquery --from "2022-06-28 03:00" --to "2022-06-28 04:00"
  noi-agent replay --integration bigquery --from 24h       # of the last day`,
		Long: "Only samples that this integration has accepted are sent, the oldest first. Waiting samples are " +
			"skipped: they are sent anyway. Ctrl-C stops the replay.",
	}, c)
	cmd.Flags().StringVar(&c.Integration, "integration", "",
		"Which integration, by id or `NAME`; noi-agent status lists them.")
	_ = cmd.RegisterFlagCompletionFunc("integration", complete(s.cli.integrationNames)) // the flag is there
	c.add(cmd)
	cmd.Flags().BoolVarP(&c.Yes, "yes", "y", false,
		"Do not ask. Without --yes, a replay without --from asks first.")
	return cmd
}

// Validate refuses a replay without an integration, and texts that are not times.
func (c *replayCommand) Validate() error {
	if c.Integration == "" {
		return errors.New("name the integration: --integration NAME")
	}
	return c.rangeFlags.Validate()
}

// Run makes the daemon send accepted samples again, and waits for the end. Ctrl-C stops the replay.
func (c *replayCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	r, err := c.resolve(p)
	if err != nil {
		return err
	}
	socket, err := cli.socket()
	if err != nil {
		return err
	}
	id, err := cli.idOf(ctx, c.Integration)
	if err != nil {
		return err
	}
	if r.From.IsZero() {
		question := fmt.Sprintf("All samples%s that the outbox still keeps and %s has accepted will be sent again, "+
			"marked as replayed.", words(r), c.Integration)
		if err := p.confirm(c.Yes, question); err != nil {
			return err
		}
	}
	v := query(r)
	question, err := json.Marshal(map[string]string{"integration": id, "from": v.Get("from"), "to": v.Get("to")})
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	end, err := sendAgain(ctx, p, socket, "/api/v1/replay", question)
	if err != nil {
		return err
	}
	if cli.JSON {
		if err := printJSON(p.Stdout, end); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(p.Stdout, "%d samples sent again to %s, %d rejected\n", end.Sent, c.Integration, end.Rejected)
	}
	if end.Damaged > 0 {
		fmt.Fprintf(p.Stderr, "noi-agent: %d damaged records of the outbox are not readable\n", end.Damaged)
	}
	if end.Sent+end.Rejected == 0 {
		return fmt.Errorf("the outbox holds nothing%s that %s has accepted; buffer.retain_after_ack says how long it "+
			"is kept", words(r), c.Integration)
	}
	return nil
}

// sendAgain sends a request whose answer is lines about the progress, shows them, and waits for the last one. Ctrl-C
// stops it.
func sendAgain(ctx context.Context, p *Program, socket, path string, question []byte) (end api.Replay, err error) {
	answer, err := daemonSocket{socket, 0}.open(ctx, http.MethodPost, path, question)
	var refused *refusedError
	if errors.As(err, &refused) {
		return end, errors.New(refused.says.Error())
	}
	if err != nil {
		return end, err
	}
	defer answer.Body.Close()
	g := &replayProgress{w: p.Stderr, terminal: isTerminal(p.Stderr)}
	end, err = g.follow(answer.Body)
	g.clear()
	if ctx.Err() != nil {
		err = errors.New("stopped by a signal")
	}
	if err != nil {
		return end, fmt.Errorf("%w; %d samples were sent again", err, end.Sent)
	}
	return end, nil
}

// replayProgress shows the progress of a replay, only on a terminal.
type replayProgress struct {
	w        io.Writer
	terminal bool
}

// follow reads the daemon's lines up to the one with the state "done" or "failed".
func (g *replayProgress) follow(lines io.Reader) (last api.Replay, err error) {
	for dec := json.NewDecoder(lines); ; {
		var line api.Replay
		if err := dec.Decode(&line); err != nil {
			return last, fmt.Errorf("the daemon has ended, and with it the replay: %w", err)
		}
		switch line.State {
		case "failed":
			return last, errors.New(line.Error)
		case "done":
			return line, nil
		}
		last = line
		g.show(line)
	}
}

func (g *replayProgress) show(line api.Replay) {
	if !g.terminal {
		return
	}
	text := fmt.Sprintf("%s: %d samples sent again", line.State, line.Sent)
	if line.SampledAt != nil {
		text += ", up to " + line.SampledAt.Local().Format(time.DateTime)
	}
	if line.Error != "" {
		text += "; " + line.Error
	}
	fmt.Fprintf(g.w, "\r%s\x1b[K", text)
}

// clear removes the progress from the terminal.
func (g *replayProgress) clear() {
	if g.terminal {
		fmt.Fprint(g.w, "\r\x1b[K")
	}
}
