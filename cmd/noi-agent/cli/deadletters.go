package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"noi-agent/status/api"
)

type lettersCommand struct {
	List  lettersListCommand  `cmd:"" help:"Show rejected samples with the cloud's reason."`
	Retry lettersRetryCommand `cmd:"" help:"Retry rejected samples, keeping their sample ids."`
	Drop  lettersDropCommand  `cmd:"" help:"Delete rejected samples; each is recorded as a gap."`
}

type lettersListCommand struct {
	Integration string `placeholder:"ID" help:"Only this integration, by id or name."`
}

// Run shows the dead letters, the oldest first.
func (c *lettersListCommand) Run(p *Program, cli *commandLine) error {
	body, err := askLetters(cli, c.Integration)
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
		fmt.Fprintln(p.Stdout, "no dead letters")
	}
	for i := range list.DeadLetters {
		row := &list.DeadLetters[i]
		fmt.Fprintf(p.Stdout, "%d  %s  %s  attempts=%d\n    %s\n    %s\n    %s\n",
			row.ID, localTime(row.CompletedAt), row.IntegrationID, row.Attempts, row.PublishedData, row.IntegrationData.Error, row.Topic)
	}
	return nil
}

// askLetters gets the dead letters of an integration by its id or name; of all for "".
func askLetters(cli *commandLine, integration string) ([]byte, error) {
	id, err := cli.idOf(integration)
	if err != nil {
		return nil, err
	}
	return cli.ask("/api/v1/deadletters?" + url.Values{"integration": {id}}.Encode())
}

// letterFlags name dead letters.
type letterFlags struct {
	IDs         []uint64 `arg:"" optional:"" name:"id" help:"Which ones, as list shows them."`
	All         bool     `help:"All of them."`
	Integration string   `placeholder:"ID" help:"Only those of this integration, by id or name."`
}

// Validate wants either ids or --all.
func (f letterFlags) Validate() error {
	if f.All == (len(f.IDs) > 0) {
		return errors.New("name the ids that `noi-agent deadletters list` shows, or say --all")
	}
	return nil
}

// find returns the socket, the integrations that have such letters, and their ids.
func (f letterFlags) find(cli *commandLine) (socket string, of []string, ids map[string][]uint64, err error) {
	body, err := askLetters(cli, f.Integration)
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

// retried is what a retry prints as JSON.
type retried struct {
	Sent     uint64 `json:"sent"`
	Rejected uint64 `json:"rejected"`
}

// Run has the daemon send them, one integration after the other, and waits. Ctrl-C ends it; what was not sent stays.
func (c *lettersRetryCommand) Run(p *Program, cli *commandLine) error {
	socket, of, ids, err := c.find(cli)
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
		end, err := sendAgain(p, socket, "/api/v1/deadletters/retry", question)
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

type lettersDropCommand struct{ letterFlags }

// Run gives them up.
func (c *lettersDropCommand) Run(p *Program, cli *commandLine) error {
	socket, of, ids, err := c.find(cli)
	if err != nil {
		return err
	}
	sum := struct {
		Dropped int `json:"dropped"`
	}{}
	for _, id := range of {
		body, err := daemonSocket{socket, askLimit}.post(context.Background(), "/api/v1/deadletters/drop", map[string]any{"integration": id, "ids": ids[id]})
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
