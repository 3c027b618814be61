package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/status/wording"
)

type gapsCommand struct {
	triggerFilter
	Limit int
}

func newGaps(s *session) *cobra.Command {
	c, ack := &gapsCommand{}, &gapsAckCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "gaps", Short: "List missing samples, with the reason.",
		Example: `  noi-agent gaps --since 24h
  noi-agent gaps --integration main-solar --object adc_vbterm --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return noSuchCommand(cmd, args)
		},
		Long: "A gap is a time in which due samples are missing. The newest gap comes first. docs/durability.md " +
			"lists the reasons.",
	}, c)
	f := cmd.Flags()
	f.StringVar(&c.Integration, "integration", "", "Only this integration, by id or `NAME`.")
	c.addSince(s, cmd)
	f.IntVarP(&c.Limit, "limit", "n", 100, "Number of rows, `N` from 1 to 1000.")
	acked := s.bind(&cobra.Command{
		Use: "ack", Short: "Acknowledge gaps: status and page no longer show them.",
		Example: `  noi-agent gaps ack                       # all gaps until now
  noi-agent gaps ack --until 2022-06-28T08:20:29Z`,
		Long: "An acknowledged gap stays in the list, with a mark. Samples that are missing later are a new gap, " +
			"which is shown again.",
	}, ack)
	acked.Flags().StringVar(&ack.Until, "until", "",
		"Only gaps that ended by this `TIME`: 1h (an hour ago), 2022-06-28T08:20:29Z, \"2022-06-28 03:20\" (local), "+
			"or 2022-06-28 (its beginning, UTC).")
	cmd.AddCommand(acked)
	return cmd
}

// Validate refuses what the daemon would refuse.
func (c *gapsCommand) Validate() error {
	if c.Limit < 1 || c.Limit > 1000 {
		return errorf("--limit: want 1 to 1000 rows, not %d", c.Limit)
	}
	return c.triggerFilter.validate()
}

// gapRow is one gap as --json prints it: the gap, with its row and its integration.
type gapRow struct {
	ID            uint64 `json:"id"` // of the row of the trigger log
	IntegrationID string `json:"integration_id"`
	api.Gap
}

// Run lists the gaps of the trigger log.
func (c *gapsCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	c.Gaps = true
	names, err := c.resolve(ctx, p, cli)
	if err != nil {
		return err
	}
	page, err := c.find(ctx, cli, 0, c.Limit)
	if err != nil {
		return err
	}
	rows := []gapRow{}
	for i := range page.Triggers {
		if t := &page.Triggers[i]; t.Gap != nil {
			rows = append(rows, gapRow{t.ID, t.IntegrationID, *t.Gap})
		}
	}
	if cli.JSON {
		return printJSON(p.Stdout, map[string][]gapRow{"gaps": rows})
	}
	if len(rows) == 0 {
		fmt.Fprintln(p.Stderr, "No gap is known.")
		return nil
	}
	t, l := &table{columns: []column{
		{name: "INTEGRATION", least: 12}, {name: "OBJECT", least: 10}, {name: "AT"}, {name: "FROM"}, {name: "TO"},
		{name: "SAMPLES", right: true}, {name: "REASON", least: 14}, {name: "ACK"},
	}}, p.look(cli)
	for _, g := range rows {
		count := "not known"
		if g.Count > 0 {
			count = fmt.Sprint(g.Count)
		}
		t.add(names[g.IntegrationID], g.Object, g.Unit, gapEnd(g.From, p.Now(), l), gapEnd(g.To, p.Now(), l), count,
			wording.Gap(g.Reason), map[bool]string{true: "yes", false: none}[g.Acknowledged])
	}
	t.print(p.Stdout, l)
	return nil
}

// gapEnd returns one end of a gap as a text, which is short on a terminal.
func gapEnd(at *time.Time, now time.Time, l look) string {
	switch {
	case at == nil:
		return none
	case l.terminal:
		return shortLocal(now, *at)
	default:
		return local(*at)
	}
}

type gapsAckCommand struct{ Until string }

// Validate refuses what the daemon would refuse.
func (c *gapsAckCommand) Validate() error {
	if _, err := status.ParseRange("", c.Until, time.Time{}.AddDate(9999, 0, 0)); err != nil {
		return fmt.Errorf("--until: %w", errors.Unwrap(err))
	}
	return nil
}

// Run makes the daemon acknowledge the gaps.
func (c *gapsAckCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	socket, err := cli.socket()
	if err != nil {
		return err
	}
	body, err := daemonSocket{socket, askLimit}.post(ctx, "/api/v1/gaps/acknowledge",
		map[string]string{"until": c.Until})
	if err != nil {
		return err
	}
	if cli.JSON {
		return copyLine(p.Stdout, body)
	}
	var done api.Acknowledged
	if err := plainJSON(body, &done); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Stdout, counted(done.Acknowledged, "gap")+" acknowledged")
	return err
}
