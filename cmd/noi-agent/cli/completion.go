package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

type completionCommand struct {
	shell string
	root  func() *cobra.Command
}

func newCompletion(s *session) *cobra.Command {
	c := &completionCommand{}
	cmd := s.bind(&cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print the script with which a shell completes commands, flags and names.",
		Example: `  noi-agent completion bash | sudo tee /etc/bash_completion.d/noi-agent
  noi-agent completion fish > ~/.config/fish/completions/noi-agent.fish`,
		Args: oneArg(&c.shell), ValidArgs: []string{"bash", "zsh", "fish"},
	}, c)
	c.root = cmd.Root
	return cmd
}

// Validate refuses an unknown shell.
func (c *completionCommand) Validate() error {
	_, err := choice{words: []string{"bash", "zsh", "fish"}}.word(c.shell)
	return err
}

// Run prints the script.
func (c *completionCommand) Run(_ context.Context, p *Program, _ *commandLine) error {
	switch c.shell {
	case "bash":
		return c.root().GenBashCompletionV2(p.Stdout, true)
	case "zsh":
		return c.root().GenZshCompletion(p.Stdout)
	default:
		return c.root().GenFishCompletion(p.Stdout, true)
	}
}

// completer returns the words that a shell offers for a flag or an argument.
type completer = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func completeNothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// complete offers the words of list that begin with the typed text. Errors are not shown, because a shell cannot print
// them.
func complete(list func() []string) completer {
	return func(_ *cobra.Command, _ []string, typed string) (words []string, _ cobra.ShellCompDirective) {
		for _, word := range list() {
			if strings.HasPrefix(word, typed) {
				words = append(words, word)
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFirst offers words for the first argument only.
func completeFirst(first completer) completer {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return first(cmd, args, typed)
	}
}

// lenient returns the configuration as far as it can be read.
func (cli *commandLine) lenient() *configs.Config {
	config, err := configs.LoadLenient(cli.Config)
	if err != nil {
		return new(configs.Config)
	}
	return config
}

// integrationNames returns the names of the daemon's integrations; without a daemon those of the configuration.
func (cli *commandLine) integrationNames() (names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), completionLimit)
	defer cancel()
	if s, err := cli.daemonStatus(ctx); err == nil {
		for i := range s.Integrations {
			names = append(names, orID(s.Integrations[i].Name, s.Integrations[i].ID))
		}
		return names
	}
	config := cli.lenient()
	for i := range config.Integrations {
		names = append(names, orID(config.Integrations[i].Name, config.Integrations[i].ID))
	}
	return names
}

func orID(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

func (cli *commandLine) lineNames() (names []string) {
	for _, l := range cli.lenient().Lines {
		names = append(names, l.Name)
	}
	return names
}

func (cli *commandLine) familyNames() (names []string) {
	catalog, err := objects.LoadCatalog(configs.FamiliesDir(cli.Config))
	if err != nil {
		return nil
	}
	for _, f := range catalog.Families() {
		names = append(names, f.Slug)
	}
	return names
}

// objectNames returns the names of the objects of the configured families, or of all families if none is configured.
func (cli *commandLine) objectNames() (names []string) {
	catalog, err := objects.LoadCatalog(configs.FamiliesDir(cli.Config))
	if err != nil {
		return nil
	}
	seen := map[string]bool{}
	for _, f := range cli.families(catalog) {
		for i := range f.Objects {
			if name := f.Objects[i].Name; !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// families returns the families of the configured slaves, or all families if no slave has a model.
func (cli *commandLine) families(catalog *objects.Catalog) (list []*objects.Family) {
	seen := map[string]bool{}
	config := cli.lenient()
	for i := range config.Lines {
		for j := range config.Lines[i].Slaves {
			if f, ok := config.Lines[i].Slaves[j].Family(catalog); ok && !seen[f.Slug] {
				seen[f.Slug] = true
				list = append(list, f)
			}
		}
	}
	if len(list) == 0 {
		return catalog.Families()
	}
	return list
}

// completePorts offers the serial ports of this computer.
func completePorts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return modbus.Ports("/"), cobra.ShellCompDirectiveNoFileComp
}
