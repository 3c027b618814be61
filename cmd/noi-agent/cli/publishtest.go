package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/agent/integrations"
	"noi-agent/configs"
	"noi-agent/internal/shell"
	"noi-agent/sinks"
)

type publishTestCommand struct {
	ID     string
	DryRun bool
}

func newPublishTest(s *session) *cobra.Command {
	c := &publishTestCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "publish-test [INTEGRATION]", Short: "Test an integration and send one test message.",
		Example: `  noi-agent publish-test main-solar
  sudo -u noi-agent -H noi-agent publish-test main-solar   # with the credentials of the daemon`,
		Long: "The command tests credentials, network, topic and permission one after the other. Each failure has " +
			"its remedy below it. The test message is marked. It is not stored, and not in the trigger log. " +
			"INTEGRATION is an id or a name. If there is only one integration, you may leave it out.",
		Args: oneArg(&c.ID), ValidArgsFunction: completeFirst(complete(s.cli.integrationNames)),
	}, c)
	cmd.Flags().BoolVar(&c.DryRun, "dry-run", false, "Test everything, and send no message.")
	return cmd
}

// publishTestResult is the JSON of `noi-agent publish-test --json`.
type publishTestResult struct {
	IntegrationID string       `json:"integration_id"`
	Name          string       `json:"name"`
	Type          string       `json:"type"`
	Topic         string       `json:"topic"`
	OK            bool         `json:"ok"`
	MessageID     string       `json:"message_id"` // "": no message was accepted
	Steps         []sinks.Step `json:"steps"`
	Notice        string       `json:"notice,omitempty"` // about the user who runs the command
}

// Run checks each stage of the way to the topic and sends one marked message. It needs neither the daemon nor its
// store. If the message was accepted and a daemon runs, it asks the daemon to try the integration again.
func (c *publishTestCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	config, _, err := cli.loadAll()
	if err != nil {
		return err
	}
	in, err := integrationOf(config, c.ID)
	if err != nil {
		return err
	}
	device := deviceIDOf(config)
	sink, err := newSink(*in, device, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }() // the results are in
	r := publishTestResult{IntegrationID: in.ID, Name: in.Name, Type: in.Type, Topic: in.Destination(),
		Notice: otherUser(*in)}
	tell := func(s sinks.Step) { r.Steps = append(r.Steps, s) }
	if !cli.JSON {
		fmt.Fprintf(p.Stdout, "integration %s %s, %s\n", in.ID, in.Name, in.Destination())
		l := p.look(cli)
		tell = func(s sinks.Step) { printStep(p.Stdout, s, l) }
	}
	message := integrations.TestMessage(p.Now(), p.Version, in.ID, device)
	if c.DryRun {
		message = nil
	}
	r.MessageID, r.OK = integrations.Trial(ctx, sink, message, tell)
	if r.MessageID != "" && hurryDaemon(ctx, cmp.Or(cli.Socket, config.Status.Socket), in.ID) && !cli.JSON {
		fmt.Fprintln(p.Stdout, "the daemon tries this integration again at once")
	}
	return p.endPublishTest(ctx, cli, r)
}

// hurryLimit is the time limit of this request to the daemon.
const hurryLimit = 3 * time.Second

// hurryDaemon asks the daemon to end the wait of an integration after a failure, because the test message was accepted.
// It returns false if no daemon answers, or if the daemon does not have the integration.
func hurryDaemon(ctx context.Context, socket, integration string) bool {
	if socket == "" {
		return false
	}
	_, err := daemonSocket{socket, hurryLimit}.post(ctx, "/api/v1/try", map[string]string{"integration": integration})
	return err == nil
}

// endPublishTest prints the rest of the result, and returns the error of the command.
func (p *Program) endPublishTest(ctx context.Context, cli *commandLine, r publishTestResult) error {
	if cli.JSON {
		if err := printJSON(p.Stdout, r); err != nil {
			return err
		}
	} else if r.Notice != "" {
		fmt.Fprintf(p.Stderr, "notice: %s\n", r.Notice)
	}
	switch {
	case ctx.Err() != nil:
		return errors.New("stopped by a signal")
	case !r.OK && cli.JSON:
		return errSilent
	case !r.OK:
		return failed(fmt.Errorf("%s cannot publish", cmp.Or(r.Name, r.IntegrationID)),
			"noi-agent setup "+r.Type+" "+shell.Quote(cmp.Or(r.Name,
				r.IntegrationID))+"     (prints the policy for this publisher)")
	default:
		return nil
	}
}

// integrationOf finds an integration by id or name. "" means the only one.
func integrationOf(config *configs.Config, id string) (*configs.Integration, error) {
	var known, names []string
	for i := range config.Integrations {
		in := &config.Integrations[i]
		names = append(names, in.ID, in.Name)
		if id != "" && (in.ID == id || in.Name == id) {
			return in, nil
		}
		known = append(known, strings.TrimSpace(in.ID+" "+in.Name))
	}
	switch {
	case len(known) == 0:
		return nil, misused(errors.New("the configuration has no integration"),
			"noi-agent setup aws     (or: noi-agent setup gcp)")
	case id != "":
		return nil, misused(fmt.Errorf("no integration %q; there are: %s", escaped(id), strings.Join(known, ", ")),
			nearest(id, names))
	case len(known) == 1:
		return &config.Integrations[0], nil
	default:
		return nil, misused(fmt.Errorf("the configuration has %d integrations, say which: %s", len(known),
			strings.Join(known, ", ")), "")
	}
}

// noDevice is used until the daemon has chosen a device id.
const noDevice = "000000000000000000000000"

var deviceForm = regexp.MustCompile(`^[0-9a-f]{24}$`)

// deviceIDOf returns the configured device id, or the one that the daemon keeps in the directory of its store.
func deviceIDOf(config *configs.Config) string {
	if config.DeviceID != "" {
		return config.DeviceID
	}
	kept, err := os.ReadFile(filepath.Join(config.StateDir, "device-id"))
	if id := strings.TrimSpace(string(kept)); err == nil && deviceForm.MatchString(id) {
		return id
	}
	return noDevice
}

// printStep prints a step in one line, and its remedy below it. Texts of clouds are escaped.
func printStep(w io.Writer, s sinks.Step, l look) {
	mark := map[sinks.Verdict]string{sinks.StepOK: markGood, sinks.StepFailed: markFault,
		sinks.StepUnknown: markWarning, sinks.StepSkipped: markCalm}[s.Verdict]
	name := mark + s.Name
	gap := strings.Repeat(" ", max(1, 14-runes(name)))
	if l.colour {
		name = coloured(name)
	}
	text := escaped(s.Text)
	if s.Verdict == sinks.StepUnknown || s.Verdict == sinks.StepSkipped {
		text = string(s.Verdict) + ": " + text
	}
	fmt.Fprintf(w, "%s%s%s\n", name, gap, text)
	if s.Remedy != "" {
		fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(s.Remedy, "\n", "\n    "))
	}
}

// daemonUser is the user of the daemon in packaging/noi-agent.service.
const daemonUser = "noi-agent"

// otherUser returns a notice if this user is not the daemon's user, and so has another home with other credentials. It
// returns "" for the daemon's user, and if the daemon's user does not exist.
func otherUser(in configs.Integration) string {
	own, err := user.Lookup(daemonUser)
	if err != nil || own.Uid == strconv.Itoa(os.Geteuid()) {
		return ""
	}
	return fmt.Sprintf("the daemon runs as %s and uses other credentials than you. To test as the daemon: sudo -u %s "+
		"-H noi-agent publish-test %s",
		daemonUser, daemonUser, shell.Quote(cmp.Or(in.Name, in.ID)))
}
