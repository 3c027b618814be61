package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/status/api"
)

// publishLimit is the time limit of the request. It is longer than the daemon's own limit, which is 30 s.
const publishLimit = 45 * time.Second

type triggerPublishCommand struct {
	word string
	id   uint64
}

func newTriggerPublish(s *session) *cobra.Command {
	c := &triggerPublishCommand{}
	return s.bind(&cobra.Command{
		Use: "publish ID", Short: "Publish the sample of one delivery again.",
		Example: "  noi-agent triggers publish 9982\n  noi-agent triggers publish 9982 --json",
		Long: "The message is marked as a replay and has the same sample id. The receiver gets it a second time. " +
			"For a dead letter the command does the same as `noi-agent deadletters retry ID`.",
		Args: oneArg(&c.word), ValidArgsFunction: completeNothing,
	}, c)
}

// Validate refuses an argument that is not the id of a row.
func (c *triggerPublishCommand) Validate() (err error) {
	c.id, err = triggerID(c.word)
	return err
}

// Run publishes the sample, and prints the result.
func (c *triggerPublishCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	socket, err := cli.socket()
	if err != nil {
		return err
	}
	body, err := daemonSocket{path: socket, limit: publishLimit}.post(ctx,
		fmt.Sprintf("/api/v1/triggers/%d/publish", c.id), struct{}{})
	if err != nil {
		return noTrigger(err, c.id)
	}
	var done api.Replay
	if err := json.Unmarshal(body, &done); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if done.Sent == 0 {
		return failed(errorf("the cloud has rejected trigger %d again", c.id),
			"noi-agent triggers show "+fmt.Sprint(c.id))
	}
	if cli.JSON {
		return copyLine(p.Stdout, body)
	}
	_, err = fmt.Fprintf(p.Stdout, "trigger %d was published again\n", c.id)
	return err
}
