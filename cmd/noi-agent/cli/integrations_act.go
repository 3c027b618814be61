package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"noi-agent/sinks"
	"noi-agent/status/api"
)

// integrationsSwitchCommand pauses or resumes an integration.
type integrationsSwitchCommand struct {
	ID           string
	action, done string
}

func newIntegrationsPause(s *session) *cobra.Command {
	c := &integrationsSwitchCommand{action: "pause", done: "paused"}
	return s.bindNamed(&cobra.Command{
		Use: "pause INTEGRATION", Short: "Pause an integration; its samples are kept.",
		Example: "  noi-agent integrations pause main-solar\n  noi-agent integrations resume main-solar",
	}, c, &c.ID)
}

func newIntegrationsResume(s *session) *cobra.Command {
	c := &integrationsSwitchCommand{action: "resume", done: "active"}
	return s.bindNamed(&cobra.Command{
		Use: "resume INTEGRATION", Short: "Resume an integration; its backlog is sent.",
		Example: "  noi-agent integrations resume main-solar\n  noi-agent integrations resume main-solar --json",
	}, c, &c.ID)
}

// Run makes the daemon pause or resume the integration.
func (c *integrationsSwitchCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	id, err := cli.idOf(ctx, c.ID)
	if err != nil {
		return err
	}
	body, err := cli.send(ctx, http.MethodPost, "/"+url.PathEscape(id)+"/"+c.action, "", nil)
	if err != nil {
		return err
	}
	return p.printEntry(cli, body, c.done)
}

type integrationsRemoveCommand struct {
	ID  string
	Yes bool
}

func newIntegrationsRemove(s *session) *cobra.Command {
	c := &integrationsRemoveCommand{}
	cmd := s.bindNamed(&cobra.Command{
		Use: "remove INTEGRATION", Short: "Remove an integration.",
		Example: "  noi-agent integrations remove main-solar\n  noi-agent integrations remove main-solar --yes",
		Long: "Its backlog is kept for 24 hours, then deleted and counted. If you create an integration with the " +
			"same name within this time, it gets the backlog.",
	}, c, &c.ID)
	cmd.Flags().BoolVarP(&c.Yes, "yes", "y", false, "Do not ask.")
	return cmd
}

// Run removes the integration, unless another client has changed it after the question.
func (c *integrationsRemoveCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	e, _, err := cli.integration(ctx, c.ID)
	if err != nil {
		return err
	}
	name := escaped(nameOf(&e))
	// There is nothing to ask about a locked integration: the daemon refuses, and its error names the place.
	if err := p.confirm(c.Yes || e.Locked, fmt.Sprintf("This removes %s. %s", name, backlogWords(&e))); err != nil {
		return err
	}
	if _, err := cli.send(ctx, http.MethodDelete, "/"+url.PathEscape(e.Config.ID), e.ETag, nil); err != nil {
		return err
	}
	if cli.JSON {
		return printJSON(p.Stdout, map[string]string{"removed": e.Config.ID})
	}
	_, err = fmt.Fprintf(p.Stdout, "%s is removed. %s\n", name, backlogWords(&e))
	return err
}

type integrationsTestCommand struct{ ID string }

func newIntegrationsTest(s *session) *cobra.Command {
	c := &integrationsTestCommand{}
	return s.bindNamed(&cobra.Command{
		Use: "test INTEGRATION", Short: "Test an integration in the daemon, and send one test message.",
		Example: "  noi-agent integrations test main-solar\n  noi-agent integrations test main-solar --json",
		Long: "The same test as `noi-agent publish-test`, but by the daemon: with the user, the credentials and " +
			"the network of the daemon. The test message is marked; it is neither stored nor in the trigger log.",
	}, c, &c.ID)
}

// Run makes the daemon test the integration. It fails if the test message was not accepted.
func (c *integrationsTestCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	id, err := cli.idOf(ctx, c.ID)
	if err != nil {
		return err
	}
	body, err := cli.send(ctx, http.MethodPost, "/"+url.PathEscape(id)+"/test", "", nil)
	if err != nil {
		return err
	}
	var result api.IntegrationTest
	if err := json.Unmarshal(body, &result); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if cli.JSON {
		err = copyLine(p.Stdout, body)
	} else {
		l := p.look(cli)
		for _, s := range result.Steps {
			printStep(p.Stdout, sinks.Step{Name: s.Name, Verdict: sinks.Verdict(s.Verdict), Text: s.Text,
				Remedy: s.Remedy}, l)
		}
	}
	if err == nil && !result.OK {
		err = errSilent
	}
	return err
}
