package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"noi-agent/configs"
	"noi-agent/internal/shell"
	"noi-agent/objects"
	"noi-agent/status/wording"
)

func newSetup(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "setup", Short: "Print the commands that create a topic and a minimal-permission publisher, and the " +
			"integration's YAML.",
		Example: `  noi-agent setup aws --topic MainSolarData --region us-east-2 --account 123456789012
  noi-agent setup gcp main-pubsub      # with the values of an integration of the configuration`,
		Long: "The command only prints: it runs nothing and contacts no cloud. Read the printed commands, then " +
			"paste them into a shell.",
		RunE: noSuchCommand, Args: cobra.ArbitraryArgs,
	}
	cmd.AddCommand(newSetupAWS(s), newSetupGCP(s))
	return cmd
}

// recipe has all steps from an account to the first message. It is made without a request to a cloud.
type recipe struct {
	Cloud  string       `json:"cloud"`
	Method string       `json:"method"`
	Notes  []string     `json:"notes"` // placeholders to replace, and preconditions
	Steps  []recipeStep `json:"steps"`
	Policy string       `json:"policy"` // the minimal permission of a publisher: an IAM policy, or a binding
	YAML   string       `json:"yaml"`   // integration for the configuration
}

// recipeStep is a few lines for a shell.
type recipeStep struct {
	Title    string `json:"title"`
	Where    string `json:"where"` // cloud: a shell with the cloud's command line; gateway: a shell on the gateway
	Commands string `json:"commands"`
}

const (
	atCloud   = "cloud"
	atGateway = "gateway"
)

// setupName is the name of an integration that the configuration does not have yet.
const setupName = "main-solar"

// fromConfig returns the integration of the configuration with this id or name; a new one if id is "".
func fromConfig(cli *commandLine, id, kind string) (*configs.Integration, error) {
	if id == "" {
		in := new(configs.Integration)
		in.SetDefaults()
		in.Name, in.Type = setupName, kind
		return in, nil
	}
	config, _, err := cli.load()
	if err != nil {
		return nil, err
	}
	found, err := integrationOf(config, id)
	if err != nil {
		return nil, err
	}
	if found.Type != kind {
		return nil, misused(fmt.Errorf("integration %s is of type %s", id, found.Type),
			"noi-agent setup "+found.Type+" "+shell.Quote(id))
	}
	in := *found
	return &in, nil
}

// finish prints the recipe. First it checks the YAML with the rules of the configuration.
func (r *recipe) finish(p *Program, cli *commandLine, in *configs.Integration) error {
	r.YAML = integrationYAML(in)
	// Objects and slaves cannot be checked without the lines, so the check leaves them out.
	bare := *in
	bare.Objects, bare.Slaves = configs.Names{All: true}, configs.Names{All: true}
	if _, faults := configs.Parse([]byte(integrationYAML(&bare)), new(objects.Catalog)); len(faults) > 0 {
		var all []error
		for _, f := range faults {
			all = append(all, errors.New(f.Text))
		}
		return misused(errors.Join(all...), "noi-agent setup "+in.Type+" --help")
	}
	if cli.JSON {
		return printJSON(p.Stdout, r)
	}
	r.print(p.Stdout)
	return nil
}

func (r *recipe) print(w io.Writer) {
	for _, note := range r.Notes {
		fmt.Fprintf(w, "# %s\n", note)
	}
	for i, s := range r.Steps {
		fmt.Fprintf(w, "\n# %d. %s (%s)\n%s\n", i+1, s.Title, s.Where, strings.TrimSpace(s.Commands))
	}
	fmt.Fprintf(w, "\n# for the configuration; then: noi-agent check, noi-agent publish-test\n%s", r.YAML)
}

// integrationYAML returns an integration as YAML for the configuration, with its topic, credentials and objects.
func integrationYAML(in *configs.Integration) string {
	var b strings.Builder
	b.WriteString("integrations:\n")
	lead := "  - "
	keys := func(indent string, pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				fmt.Fprintf(&b, "%s%s%s: %s\n", lead, indent, pairs[i], yamlScalar(pairs[i+1]))
				lead = "    "
			}
		}
	}
	keys("", "name", in.Name, "id", in.ID, "type", in.Type, "topic_arn", in.TopicARN, "profile", in.Profile)
	if iot := in.IoT; iot != (configs.IoT{}) {
		fmt.Fprintf(&b, "%siot:\n", lead)
		keys("  ", "endpoint", iot.Endpoint, "role_alias", iot.RoleAlias, "certificate", iot.Certificate, "key",
			iot.Key, "thing", iot.Thing)
	}
	keys("", "role_arn", in.RoleARN, "external_id", in.ExternalID, "topic", in.Topic, "credentials_file",
		in.CredentialsFile,
		"endpoint", in.Endpoint, "ca_file", in.CAFile, "objects", objectWords(in.Objects))
	if in.When != configs.WhenEvery {
		keys("", "when", in.When)
	}
	if in.PublishEvery > 0 {
		fmt.Fprintf(&b, "%spublish_every: %s\n", lead, wording.Duration(in.PublishEvery.String()))
	}
	if in.Envelope != configs.EnvelopeSingle {
		keys("", "envelope", in.Envelope)
	}
	return b.String()
}

// objectWords returns a list of objects in the form of the configuration.
func objectWords(n configs.Names) string {
	if n.All {
		return strings.Join(append([]string{"all"}, n.List...), ", ")
	}
	return strings.Join(n.List, ", ")
}

// yamlScalar quotes a text if YAML might read it as something else.
func yamlScalar(text string) string {
	for i, r := range text {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '/' || i > 0 &&
			(r >= '0' && r <= '9' || strings.ContainsRune("-_.:@", r))
		if !plain {
			return "'" + strings.ReplaceAll(text, "'", "''") + "'"
		}
	}
	return text
}

// fillIn replaces places in commands by values, each quoted as one word of a shell. pairs has names in braces and
// values in turn.
func fillIn(text string, pairs ...string) string {
	for i := 1; i < len(pairs); i += 2 {
		pairs[i] = shell.Quote(pairs[i])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// heredoc returns the command with which a shell writes a file.
func heredoc(file, text string) string {
	return "cat > " + file + " <<'EOF'\n" + strings.TrimSpace(text) + "\nEOF\n"
}

// indentPolicy returns a policy on several lines.
func indentPolicy(policy string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(policy), "", "  ") != nil {
		return policy // the name of the topic has a quote; the rules of the configuration report this
	}
	return b.String()
}
