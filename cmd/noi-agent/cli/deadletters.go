package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"noi-agent/status/api"
)

func newLetters(s *session) *cobra.Command {
	list := &lettersListCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "deadletters", Short: "List, retry or delete rejected samples.",
		Example: `  noi-agent deadletters                    # the list, with the cloud's reason
  noi-agent deadletters retry --all        # when the reason is fixed`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return noSuchCommand(cmd, args)
		},
	}, list)
	list.add(s, cmd)
	also := &lettersListCommand{}
	listed := s.bind(&cobra.Command{
		Use: "list", Short: "Show rejected samples with the cloud's reason.",
		Example: "  noi-agent deadletters list\n  noi-agent deadletters list --integration main-solar --json",
	}, also)
	also.add(s, listed)
	retry := &lettersRetryCommand{}
	retried := s.bind(&cobra.Command{
		Use: "retry ID...|--all", Short: "Retry rejected samples, keeping their sample ids.", Args: retry.ids,
		Example: "  noi-agent deadletters retry 9982 9983\n  noi-agent deadletters retry --all " +
			"--integration main-solar",
	}, retry)
	retry.add(s, retried)
	drop := &lettersDropCommand{}
	dropped := s.bind(&cobra.Command{
		Use: "drop ID...|--all", Short: "Delete rejected samples; each is recorded as a gap.",
		Example: "  noi-agent deadletters drop 9982\n  noi-agent deadletters drop --all --integration main-solar --yes",
		Args:    drop.ids,
	}, drop)
	drop.add(s, dropped)
	dropped.Flags().BoolVarP(&drop.Yes, "yes", "y", false, "Do not ask before --all deletes.")
	cmd.AddCommand(listed, retried, dropped)
	return cmd
}

type lettersListCommand struct{ Integration string }

func (c *lettersListCommand) add(s *session, cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.Integration, "integration", "", "Only this integration, by id or `NAME`.")
	_ = cmd.RegisterFlagCompletionFunc("integration", complete(s.cli.integrationNames)) // the flag is there
}

// Run shows the dead letters, the oldest first.
func (c *lettersListCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	body, err := askLetters(ctx, cli, c.Integration)
	if err != nil {
		return err
	}
	if cli.JSON {
		return copyLine(p.Stdout, body)
	}
	var list api.DeadLetters
	if err := plainJSON(body, &list); err != nil {
		return err
	}
	if len(list.DeadLetters) == 0 {
		fmt.Fprintln(p.Stderr, "No message was set aside.")
		return nil
	}
	l := p.look(cli)
	triggerTable(list.DeadLetters, l).print(p.Stdout, l)
	return nil
}

// askLetters returns the JSON with the dead letters of an integration, by its id or name; of all integrations for "".
func askLetters(ctx context.Context, cli *commandLine, integration string) ([]byte, error) {
	id, err := cli.idOf(ctx, integration)
	if err != nil {
		return nil, err
	}
	return cli.ask(ctx, "/api/v1/deadletters?"+url.Values{"integration": {id}}.Encode())
}

// letterFlags select dead letters.
type letterFlags struct {
	IDs         []uint64
	All         bool
	Integration string
}

func (f *letterFlags) add(s *session, cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.All, "all", false, "All of them.")
	cmd.Flags().StringVar(&f.Integration, "integration", "", "Only those of this integration, by id or `NAME`.")
	_ = cmd.RegisterFlagCompletionFunc("integration", complete(s.cli.integrationNames)) // the flag is there
}

// ids reads the ids in the arguments.
func (f *letterFlags) ids(cmd *cobra.Command, args []string) error {
	f.IDs = nil
	for _, word := range args {
		id, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return misused(errorf("want the id of a dead letter, a number, not %q", escaped(word)),
				"noi-agent deadletters list")
		}
		f.IDs = append(f.IDs, id)
	}
	return nil
}

// Validate refuses flags without ids and --all, and flags with both.
func (f *letterFlags) Validate() error {
	if f.All == (len(f.IDs) > 0) {
		return errors.New("name the ids that `noi-agent deadletters list` shows, or say --all")
	}
	return nil
}

// find returns the socket, the ids of the integrations with selected dead letters, and the ids of these letters by
// integration.
func (f letterFlags) find(ctx context.Context, cli *commandLine) (socket string, of []string, ids map[string][]uint64,
	err error) {
	body, err := askLetters(ctx, cli, f.Integration)
	if err != nil {
		return "", nil, nil, err
	}
	var list api.DeadLetters
	if err := json.Unmarshal(body, &list); err != nil {
		return "", nil, nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	missing := slices.Clone(f.IDs)
	ids = map[string][]uint64{}
	for i := range list.DeadLetters {
		row := &list.DeadLetters[i]
		if !f.All && !slices.Contains(f.IDs, row.ID) {
			continue
		}
		missing = slices.DeleteFunc(missing, func(id uint64) bool { return id == row.ID })
		if ids[row.IntegrationID] == nil {
			of = append(of, row.IntegrationID)
		}
		ids[row.IntegrationID] = append(ids[row.IntegrationID], row.ID)
	}
	if len(missing) > 0 {
		return "", nil, nil, fmt.Errorf("%d is no dead letter; `noi-agent deadletters list` shows them", missing[0])
	}
	socket, err = cli.socket()
	return socket, of, ids, err
}

type lettersRetryCommand struct{ letterFlags }

// retried is the JSON of `noi-agent deadletters retry --json`.
type retried struct {
	Sent     uint64 `json:"sent"`
	Rejected uint64 `json:"rejected"`
}

// Run makes the daemon send the dead letters, one integration after the other, and waits for the end. Ctrl-C stops it.
// Letters that were not sent stay dead letters.
func (c *lettersRetryCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	socket, of, ids, err := c.find(ctx, cli)
	if err != nil {
		return err
	}
	if len(of) == 0 && !cli.JSON {
		_, err = fmt.Fprintln(p.Stdout, "nothing to retry")
		return err
	}
	var sum retried
	for _, id := range of {
		question, err := json.Marshal(map[string]any{"integration": id, "ids": ids[id]})
		if err != nil {
			return fmt.Errorf("ask the daemon: %w", err)
		}
		end, err := sendAgain(ctx, p, socket, "/api/v1/deadletters/retry", question)
		if err != nil {
			return fmt.Errorf("integration %s: %w", id, err)
		}
		sum.Sent += end.Sent
		sum.Rejected += end.Rejected
	}
	if cli.JSON {
		err = printJSON(p.Stdout, sum)
	} else {
		_, err = fmt.Fprintf(p.Stdout, "%d sent, %d rejected again\n", sum.Sent, sum.Rejected)
	}
	if err == nil && sum.Rejected > 0 {
		err = errors.New("some were rejected again: `noi-agent deadletters list` shows the reasons")
	}
	return err
}

type lettersDropCommand struct {
	letterFlags
	Yes bool
}

// Run deletes the dead letters.
func (c *lettersDropCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	socket, of, ids, err := c.find(ctx, cli)
	if err != nil {
		return err
	}
	if n := count(ids); c.All && n > 0 {
		if err := p.confirm(c.Yes,
			"This deletes "+counted(n, "rejected sample")+" for good; each is recorded as a gap."); err != nil {
			return err
		}
	}
	sum := struct {
		Dropped int `json:"dropped"`
	}{}
	for _, id := range of {
		body, err := daemonSocket{socket, askLimit}.post(ctx, "/api/v1/deadletters/drop",
			map[string]any{"integration": id, "ids": ids[id]})
		if err != nil {
			return fmt.Errorf("integration %s: %w", id, err)
		}
		before := sum.Dropped
		if err := json.Unmarshal(body, &sum); err != nil {
			return fmt.Errorf("read the daemon's answer: %w", err)
		}
		sum.Dropped += before
	}
	if cli.JSON {
		return printJSON(p.Stdout, sum)
	}
	_, err = fmt.Fprintf(p.Stdout, "%d dropped\n", sum.Dropped)
	return err
}

func count(ids map[string][]uint64) (n int) {
	for _, of := range ids {
		n += len(of)
	}
	return n
}
