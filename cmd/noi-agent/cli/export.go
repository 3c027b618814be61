package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/agent"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status"
	"noi-agent/store"
)

// rangeFlags select a time range.
type rangeFlags struct{ From, To string }

func (f *rangeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.From, "from", "",
		"From this `TIME` on: 2022-06-28T08:20:29Z, \"2022-06-28 03:20\" (local), 2022-06-28 (its beginning, UTC), or "+
			"24h (a day ago). Default: the oldest.")
	cmd.Flags().StringVar(&f.To, "to", "", "Before this `TIME`. Default: the newest.")
}

// Validate refuses a text that is not a time. It does not compare the two times, because an age such as "24h" depends
// on the time of the export.
func (f *rangeFlags) Validate() error {
	for _, flag := range []struct{ name, text string }{{"--from", f.From}, {"--to", f.To}} {
		if _, err := status.ParseRange("", flag.text, time.Time{}.AddDate(9999, 0, 0)); err != nil {
			return fmt.Errorf("%s: %w", flag.name, errors.Unwrap(err))
		}
	}
	return nil
}

// resolve returns the range. An error is a wrong usage.
func (f rangeFlags) resolve(p *Program) (store.Range, error) {
	r, err := status.ParseRange(f.From, f.To, p.Now())
	if err != nil {
		return r, misused(err, "")
	}
	return r, nil
}

// query returns the range as parameters for the daemon. It has no ages, because the daemon would count them from
// another moment.
func query(r store.Range) url.Values {
	v := url.Values{}
	for name, t := range map[string]time.Time{"from": r.From, "to": r.To} {
		if !t.IsZero() {
			v.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	return v
}

type exportCommand struct {
	rangeFlags
	Format string
}

func newExport(s *session) *cobra.Command {
	c := &exportCommand{Format: agent.FormatJSONL}
	cmd := s.bind(&cobra.Command{
		Use: "export", Short: "Print the samples in the outbox.",
		Example: `  noi-agent export --format csv > samples.csv
  noi-agent export --from 2022-06-28 --to 2022-06-29 | jq .data`,
		Long: "A running daemon sends the samples. If no daemon runs, the command reads the outbox file.",
	}, c)
	c.add(cmd)
	choose(cmd, &c.Format, "format", []string{agent.FormatJSONL, agent.FormatCSV},
		"`FORMAT`: jsonl, a JSON object a line, or csv, with a header.")
	return cmd
}

// Run writes the samples of the daemon to stdout. If no daemon runs, it reads them from the store. A line on stderr
// tells which of the two it uses.
func (c *exportCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	if cli.JSON {
		c.Format = agent.FormatJSONL
	}
	r, err := c.resolve(p)
	if err != nil {
		return err
	}
	config, err := configs.LoadLenient(cli.Config)
	if err != nil && cli.Socket == "" {
		return err
	}
	if config == nil {
		config = &configs.Config{}
	}
	socket := cmp.Or(cli.Socket, config.Status.Socket)
	var noDaemon *noDaemonError
	var x exported
	if socket == "" {
		err = &noDaemonError{"(status.socket is not set)", fs.ErrNotExist}
	} else {
		x, err = c.fromDaemon(ctx, p, socket, r)
	}
	if errors.As(err, &noDaemon) && noDaemon.absent() && config.StateDir != "" {
		x, err = c.fromStore(ctx, p, config, r, noDaemon)
	}
	if err != nil {
		return err
	}
	x.warn(p.Stderr, r, config.Buffer.RetainAfterAck)
	return nil
}

// exported has the numbers of samples and of unreadable records in an export.
type exported struct{ samples, damaged uint64 }

// warn prints a warning about unreadable records, and a hint if there were no samples.
func (x exported) warn(w io.Writer, r store.Range, kept time.Duration) {
	if x.damaged > 0 {
		fmt.Fprintf(w, "noi-agent: %d damaged records of the outbox are not readable, and not in the export\n",
			x.damaged)
	}
	if x.samples > 0 {
		return
	}
	hint := fmt.Sprintf("accepted samples are kept for %s (buffer.retain_after_ack)", objects.Period(kept))
	if kept <= 0 {
		hint = "accepted samples are not kept; with buffer.retain_after_ack later ones are kept"
	}
	fmt.Fprintf(w, "noi-agent: the outbox has no samples%s; %s\n", words(r), hint)
}

// words returns a range as a text with a space before it; "" for an open range.
func words(r store.Range) (text string) {
	if !r.From.IsZero() {
		text += " from " + r.From.Format(time.RFC3339)
	}
	if !r.To.IsZero() {
		text += " to " + r.To.Format(time.RFC3339)
	}
	return text
}

// fromDaemon copies the export of the daemon. An answer that breaks off is an error.
func (c *exportCommand) fromDaemon(ctx context.Context, p *Program, socket string, r store.Range) (x exported,
	err error) {
	v := query(r)
	v.Set("format", c.Format)
	answer, err := daemonSocket{socket, 0}.open(ctx, http.MethodGet, "/api/v1/export?"+v.Encode(), nil)
	if err != nil {
		return x, err
	}
	defer answer.Body.Close()
	fmt.Fprintf(p.Stderr, "noi-agent: exporting from the daemon at %s\n", socket)
	counter := p.newLineCounter()
	defer counter.clear()
	if n, err := io.Copy(counter, answer.Body); err != nil {
		return x, fmt.Errorf("the export is not complete, it broke off after %d bytes: %w; the daemon's log may say "+
			"why", n, err)
	}
	for name, into := range map[string]*uint64{status.HeaderSamples: &x.samples, status.HeaderDamaged: &x.damaged} {
		if *into, err = strconv.ParseUint(answer.Trailer.Get(name), 10, 64); err != nil {
			return x, fmt.Errorf("the export may not be complete: the daemon does not say how many samples it has (%s)",
				name)
		}
	}
	return x, nil
}

// fromStore reads the samples from the file of the store. No other process may have it open.
func (c *exportCommand) fromStore(ctx context.Context, p *Program, config *configs.Config, r store.Range,
	absent error) (x exported, err error) {
	path := filepath.Join(config.StateDir, "noi.db")
	a, err := store.OpenArchive(path)
	if err != nil {
		return x, errors.Join(err, absent)
	}
	fmt.Fprintf(p.Stderr, "noi-agent: no daemon answers: exporting from %s\n", path)
	counter := p.newLineCounter()
	defer counter.clear()
	out := bufio.NewWriter(counter)
	x.samples, x.damaged, err = agent.Export(ctx, a.Scan(r), r, c.Format, cmp.Or(config.DeviceID, a.DeviceID()), out)
	if err := errors.Join(err, out.Flush()); err != nil {
		return x, fmt.Errorf("the export is not complete: %w", err)
	}
	return x, nil
}
