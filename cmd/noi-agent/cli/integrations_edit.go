package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"noi-agent/configs"
)

// keyFlag is a flag for a key of an integration.
type keyFlag struct {
	flag, key string // a key with a point is inside another key
	kind      string // text | words | bool | number | bands
	usage     string
}

// keyFlags returns the flags of add and edit, in the order of the help.
func keyFlags() []keyFlag {
	return []keyFlag{
		{"name", "name", "text", "A `NAME` of your choice."},
		{"objects", "objects", "words", "`OBJECTS` to send: names and patterns, separated by commas; all."},
		{"slaves", "slaves", "words", "Only of these `SLAVES`: line/unit id, names or product codes; all."},
		{"topic-arn", "topic_arn", "text", "aws: `ARN` of the topic."},
		{"region", "region", "text", "aws: `REGION`. Left out: that of the ARN."},
		{"topic", "topic", "text", "gcp: `TOPIC`, projects/PROJECT/topics/NAME, or its name with --project-id."},
		{"project-id", "project_id", "text", "gcp: `ID` of the project, not its name."},
		{"endpoint", "endpoint", "text", "`ADDRESS` of a VPC endpoint or an emulator."},
		{"profile", "profile", "text", "aws: shared `PROFILE` with the credentials."},
		{"role-arn", "role_arn", "text", "aws: `ARN` of a role to assume."},
		{"external-id", "external_id", "text", "aws: external `ID` for the role."},
		{"imds", "imds", "bool", "aws: ask the EC2 metadata service for credentials."},
		{"iot-endpoint", "iot.endpoint", "text", "aws: `HOST` that gives credentials for a device's certificate."},
		{"iot-role-alias", "iot.role_alias", "text", "aws: `ALIAS` of the role for the certificate."},
		{"iot-certificate", "iot.certificate", "text", "aws: PEM `FILE` of the device's certificate."},
		{"iot-key", "iot.key", "text", "aws: PEM `FILE` of the private key."},
		{"iot-thing", "iot.thing", "text", "aws: `NAME` of the thing."},
		{"credentials-file", "credentials_file", "text", "gcp: `FILE` with Application Default Credentials."},
		{"ca-file", "ca_file", "text", "PEM `FILE` of certificate authorities to trust in addition to the system's."},
		{"ordering", "ordering", "bool", "gcp: send with ordering keys."},
		{"attributes", "attributes", "words", "Message `ATTRIBUTES`: all, none, or some, separated by commas."},
		{"publish-every", "publish_every", "text",
			"Collect samples for this `TIME`, and send them together. 0s: at once."},
		{"in-flight", "in_flight", "number", "Highest `NUMBER` of requests in flight at once, 1 to 64."},
		{"pacing", "pacing", "text", "Delay new samples by up to this `TIME`, each gateway by its own share."},
		{"gaps", "gaps", "bool", "Send gaps as messages too."},
		{"when", "when", "text", "Which samples are sent: `every|change`."},
		{"deadband", "deadband", "bands",
			"With --when change: `OBJECT=NUMBER`, the largest change that is not sent. Several with commas."},
		{"heartbeat", "heartbeat", "text", "With --when change: one sample at least in this `TIME`. 0s: never."},
		{"envelope", "envelope", "text", "Content of a message: `single|batch`."},
		{"compress", "compress", "text", "Compression, with --envelope batch: `none|gzip`."},
		{"catch-up-rate", "catch_up.rate", "number",
			"Highest `NUMBER` of samples per second from a backlog. 0: no limit."},
		{"alarms-first", "catch_up.alarms_first", "bool", "Send faults and alarms before all other waiting samples."},
		{"catch-up-spread", "catch_up.spread", "text",
			"After an outage, begin to send the backlog within this `TIME`, each gateway at its own moment."},
	}
}

// keyValues has the values of the given flags, by key.
type keyValues map[string]any

// add adds a flag for each key to a command.
func (v keyValues) add(cmd *cobra.Command) {
	for _, k := range keyFlags() {
		cmd.Flags().Var(keySetter{v, k}, k.flag, k.usage)
		if k.kind == "bool" {
			cmd.Flags().Lookup(k.flag).NoOptDefVal = "true"
		}
	}
}

// keySetter is one of these flags.
type keySetter struct {
	into keyValues
	key  keyFlag
}

func (keySetter) String() string { return "" }

func (s keySetter) Type() string { return s.key.kind }

// Set implements pflag.Value. The daemon checks the texts.
func (s keySetter) Set(text string) error {
	value, err := s.key.parse(text)
	s.into[s.key.key] = value
	return err
}

func (k keyFlag) parse(text string) (any, error) {
	switch k.kind {
	case "bool":
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("want true or false, not %q", text)
		}
		return b, nil
	case "number":
		return parseInt(text)
	case "words":
		if text == "none" {
			return []string{}, nil
		}
		words := strings.Split(text, ",")
		for i := range words {
			words[i] = strings.TrimSpace(words[i])
		}
		return words, nil
	case "bands":
		bands := map[string]float64{}
		for part := range strings.SplitSeq(text, ",") {
			object, number, _ := strings.Cut(part, "=")
			band, err := strconv.ParseFloat(number, 64)
			if err != nil {
				return nil, fmt.Errorf("want OBJECT=NUMBER, not %q", part)
			}
			bands[strings.TrimSpace(object)] = band
		}
		return bands, nil
	default:
		return text, nil
	}
}

// onto sets the given keys in a configuration. An empty text removes a key.
func (v keyValues) onto(config map[string]any) {
	for key, value := range v {
		outer, inner, nested := strings.Cut(key, ".")
		into := config
		if nested {
			sub, ok := config[outer].(map[string]any)
			if !ok {
				sub = map[string]any{}
				config[outer] = sub
			}
			into, key = sub, inner
		}
		if value == "" {
			delete(into, key)
		} else {
			into[key] = value
		}
	}
	if config["when"] == configs.WhenEvery { // keys for `when: change` are not allowed then
		for _, key := range []string{"heartbeat", "deadband"} {
			if _, given := v[key]; !given {
				delete(config, key)
			}
		}
	}
}

type integrationsAddCommand struct {
	Type   string
	Paused bool
	keys   keyValues
}

func newIntegrationsAdd(s *session) *cobra.Command {
	c := &integrationsAddCommand{keys: keyValues{}}
	cmd := s.bind(&cobra.Command{
		Use: "add aws|gcp", Short: "Create an integration; it begins with the next sample.",
		Example: `  noi-agent integrations add aws --name main-solar --topic-arn arn:aws:sns:us-east-2:123456789012:MainSolarData
  noi-agent integrations add gcp --name bigquery --topic projects/test-project/topics/MainSolarData --objects all`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != configs.AWS && args[0] != configs.GCP {
				return misused(errors.New("say which cloud: aws or gcp"), helpOf(cmd))
			}
			c.Type = args[0]
			return nil
		},
		ValidArgs: []string{configs.AWS, configs.GCP},
	}, c)
	c.keys.add(cmd)
	cmd.Flags().BoolVar(&c.Paused, "paused", false, "Create the integration paused: its samples are kept, and sent "+
		"when you resume it.")
	return cmd
}

// Run creates an integration.
func (c *integrationsAddCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	config := map[string]any{"type": c.Type, "enabled": !c.Paused}
	c.keys.onto(config)
	question, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	body, err := cli.send(ctx, http.MethodPost, "", "", question)
	if err != nil {
		return err
	}
	what := "active"
	if c.Paused {
		what = "created and paused"
	}
	return p.printEntry(cli, body, what)
}

type integrationsEditCommand struct {
	ID   string
	keys keyValues
}

func newIntegrationsEdit(s *session) *cobra.Command {
	c := &integrationsEditCommand{keys: keyValues{}}
	cmd := s.bindNamed(&cobra.Command{
		Use: "edit INTEGRATION", Short: "Change keys of an integration; the other keys do not change.",
		Example: `  noi-agent integrations edit main-solar --objects adc_vbterm,charge_state
  noi-agent integrations edit main-solar --profile ""      # an empty text removes a key`,
	}, c, &c.ID)
	c.keys.add(cmd)
	return cmd
}

// Validate refuses an edit without keys.
func (c *integrationsEditCommand) Validate() error {
	if len(c.keys) == 0 {
		return errors.New("nothing to change: give the keys as flags")
	}
	return nil
}

// Run changes the given keys. It fails if another client has changed the integration meanwhile.
func (c *integrationsEditCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	e, body, err := cli.integration(ctx, c.ID)
	if err != nil {
		return err
	}
	var answer struct {
		Config map[string]any `json:"config"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	c.keys.onto(answer.Config)
	question, err := json.Marshal(answer.Config)
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	body, err = cli.send(ctx, http.MethodPut, "/"+url.PathEscape(e.Config.ID), e.ETag, question)
	if err != nil {
		return err
	}
	return p.printEntry(cli, body, "changed")
}
