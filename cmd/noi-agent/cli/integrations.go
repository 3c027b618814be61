package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/status/api"
)

// newIntegrations returns the commands that list and change integrations while the daemon runs.
func newIntegrations(s *session) *cobra.Command {
	list := &integrationsListCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "integrations", Short: "List, create, edit, pause, remove or test integrations.",
		Example: `  noi-agent integrations
  noi-agent integrations add aws --name main-solar --topic-arn ARN --objects adc_vbterm,charge_state`,
		Long: "When the command ends, the change is on the disk and active. Nothing restarts. These integrations " +
			"are in integrations.yaml in the state directory. The list also shows the integrations of the " +
			"configuration file. Change those in that file.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return noSuchCommand(cmd, args)
		},
	}, list)
	cmd.AddCommand(
		s.bind(&cobra.Command{
			Use: "list", Short: "List all integrations.",
			Example: "  noi-agent integrations list\n  noi-agent integrations list --json",
		}, &integrationsListCommand{}),
		newIntegrationsShow(s), newIntegrationsAdd(s), newIntegrationsEdit(s), newIntegrationsPause(s),
		newIntegrationsResume(s), newIntegrationsRemove(s), newIntegrationsTest(s),
		newIntegrationsDrain(s),
	)
	return cmd
}

const integrationsPath = "/api/v1/integrations"

type integrationsListCommand struct{}

// Run lists all integrations, first the ones of the configuration file.
func (*integrationsListCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	body, err := cli.ask(ctx, integrationsPath)
	if err != nil {
		return err
	}
	if cli.JSON {
		return copyLine(p.Stdout, body)
	}
	var list api.Integrations
	if err := plainJSON(body, &list); err != nil {
		return err
	}
	if len(list.Integrations) == 0 {
		fmt.Fprintln(p.Stderr, "No integration: values are read, and nothing is published.")
		fmt.Fprintln(p.Stderr, "hint: noi-agent integrations add --help")
		return nil
	}
	t := &table{columns: []column{{name: "INTEGRATION", least: 12}, {name: "TYPE"}, {name: "STATE"},
		{name: "WAITING", right: true}, {name: "MESSAGES/DAY", right: true, spare: true},
		{name: "UPLINK/DAY", right: true, spare: true},
		{name: "TOPIC/ARN", least: 20, both: true}, {name: "CHANGED IN", least: 14, both: true}}}
	for i := range list.Integrations {
		e := &list.Integrations[i]
		state, waiting := none, none
		if e.State != nil {
			state, waiting = e.State.State, fmt.Sprint(e.State.Backlog)
		}
		t.add(nameOf(e), e.Config.Type, state, waiting, fmt.Sprintf("%.0f", e.Cost.MessagesPerDay),
			megabytes(e.Cost.BytesPerDay/1e6)+" MB", e.Config.TopicARN+e.Config.Topic, changedIn(e))
	}
	t.print(p.Stdout, p.look(cli))
	return nil
}

// nameOf returns the name of an integration, or its id if it has no name.
func nameOf(e *api.IntegrationEntry) string { return cmp.Or(e.Config.Name, e.Config.ID) }

// changedIn returns the place where an integration can be changed.
func changedIn(e *api.IntegrationEntry) string {
	if e.Locked {
		return fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	return "page, command"
}

// costWords returns the predicted cost of an integration as a text.
func costWords(c *api.IntegrationCost) string {
	text := fmt.Sprintf("%s of %s: about %.0f messages and %s MB of uplink a day", counted(c.Objects, "object"),
		counted(c.Slaves, "controller"), c.MessagesPerDay, megabytes(c.BytesPerDay/1e6))
	if len(c.Uncounted) > 0 {
		text += fmt.Sprintf("; %s (model: auto) not counted", strings.Join(c.Uncounted, ", "))
	}
	return text
}

type integrationsShowCommand struct{ ID string }

func newIntegrationsShow(s *session) *cobra.Command {
	c := &integrationsShowCommand{}
	return s.bindNamed(&cobra.Command{
		Use: "show INTEGRATION", Short: "Show the configuration of an integration and what it costs.",
		Example: "  noi-agent integrations show main-solar\n  noi-agent integrations show main-solar --json",
	}, c, &c.ID)
}

// bindNamed is bind for a command whose argument is one integration, by id or name.
func (s *session) bindNamed(cmd *cobra.Command, c runner, id *string) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return misused(errors.New("name one integration, by id or name"), "noi-agent integrations list")
		}
		*id = args[0]
		return nil
	}
	cmd.ValidArgsFunction = completeFirst(complete(s.cli.integrationNames))
	return s.bind(cmd, c)
}

// Run shows one integration by its keys.
func (c *integrationsShowCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	e, body, err := cli.integration(ctx, c.ID)
	if err != nil {
		return err
	}
	if cli.JSON {
		return copyLine(p.Stdout, body)
	}
	keys, err := json.Marshal(e.Config)
	if err != nil {
		return fmt.Errorf("show the integration: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(keys))
	_, err = dec.Token()
	for err == nil && dec.More() {
		var key json.Token
		var value json.RawMessage
		if key, err = dec.Token(); err == nil {
			err = dec.Decode(&value)
			fmt.Fprintf(p.Stdout, "%v: %s\n", key, escaped(string(value)))
		}
	}
	if err != nil {
		return fmt.Errorf("show the integration: %w", err)
	}
	if e.State != nil {
		fmt.Fprintf(p.Stdout, "\nstate     %s, %s waiting\n", escaped(e.State.State),
			counted(int(e.State.Backlog), "message"))
	}
	fmt.Fprintf(p.Stdout, "cost      %s\nset in    %s:%d\n", costWords(&e.Cost), escaped(e.File), e.Line)
	return nil
}

// integration asks the daemon for an integration by its id or name. body is the JSON of the answer.
func (cli *commandLine) integration(ctx context.Context, name string) (e api.IntegrationEntry, body []byte, err error) {
	id, err := cli.idOf(ctx, name)
	if err != nil {
		return e, nil, err
	}
	if body, err = cli.ask(ctx, integrationsPath+"/"+url.PathEscape(id)); err != nil {
		return e, nil, err
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return e, body, nil
}

// editLimit is the time limit of a change. The daemon waits some seconds for the end of the integration's last request.
const editLimit = time.Minute

// send asks the daemon for a change of integrations. etag is the version on which the change is based; "": none.
func (cli *commandLine) send(ctx context.Context, method, path, etag string, question []byte) ([]byte, error) {
	socket, err := cli.socket()
	if err != nil {
		return nil, err
	}
	response, err := daemonSocket{socket, editLimit}.openIf(ctx, method, integrationsPath+path, etag, question)
	if err != nil {
		return nil, editFault(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return body, nil
}

// editFault returns a clear error for a refused change, with a line for each wrong key.
func editFault(err error) error {
	var refused *refusedError
	if !errors.As(err, &refused) {
		return err
	}
	text := refused.says.Detail
	for _, f := range refused.says.Errors {
		key := strings.TrimPrefix(strings.TrimPrefix(f.Pointer, "#"), "/")
		if plain, err := url.PathUnescape(key); err == nil {
			key = plain
		}
		text += "\n  " + strings.TrimPrefix(key+": "+f.Detail, ": ")
		if f.Hint != "" {
			text += "; " + f.Hint
		}
	}
	if refused.code == http.StatusPreconditionFailed {
		text = "another person or program has changed it at the same time; nothing was changed. Try again"
	}
	return &fault{err: errors.New(escapedLines(text)), code: refused.says.Code(), hint: refused.says.Hint,
		exit: ExitFailed}
}

// escapedLines escapes a text of several lines.
func escapedLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = escaped(l)
	}
	return strings.Join(lines, "\n")
}

// printEntry prints a changed integration. what is its new state in words.
func (p *Program) printEntry(cli *commandLine, body []byte, what string) error {
	if cli.JSON {
		return copyLine(p.Stdout, body)
	}
	var e api.IntegrationEntry
	if err := plainJSON(body, &e); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.Stdout, "%s is %s (id %s). %s.\n", nameOf(&e), what, e.Config.ID, costWords(&e.Cost))
	return err
}

// backlogWords returns a sentence about the waiting messages of an integration that is removed.
func backlogWords(e *api.IntegrationEntry) string {
	if e.State == nil || e.State.Backlog == 0 {
		return "No message waits for it."
	}
	if e.State.Backlog == 1 {
		return "1 waiting message is kept for 24 hours, then deleted and counted."
	}
	return fmt.Sprintf("%d waiting messages are kept for 24 hours, then deleted and counted.", e.State.Backlog)
}
