package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"noi-agent/internal/strictyaml"
)

// commandLine is the flags that every command has.
type commandLine struct {
	Config   string
	JSON     bool
	Socket   string
	NoHeader bool

	version string // of this program
}

// defaultConfig is where the packages put the configuration.
const defaultConfig = "/etc/noi-agent/config.yaml"

func (cli *commandLine) flags(f *pflag.FlagSet) {
	f.StringVarP(&cli.Config, "config", "c", defaultConfig, "Configuration `FILE`.")
	f.BoolVar(&cli.JSON, "json", false, "Print JSON.")
	f.StringVar(&cli.Socket, "socket", "",
		"The daemon's unix socket, a `FILE`. Default: status.socket of the configuration.")
	f.BoolVar(&cli.NoHeader, "no-header", false, "Print tables without their header.")
}

// need is what a command cannot work without.
type need string

const (
	needsNothing need = "nothing: it works on any computer"
	needsConfig  need = "a configuration"
	needsDaemon  need = "the running daemon"
	needsLine    need = "the serial line: a running daemon reads; without a daemon the command opens the port"
	needsPort    need = "the serial line, which the daemon must not use at the same time"
	needsCloud   need = "a configuration, and the cloud"
	needsStore   need = "the running daemon, or its outbox when no daemon runs"
)

// The groups of the help, in its order.
const (
	groupLook  = "look"
	groupData  = "data"
	groupSetUp = "setup"
	groupRun   = "run"
)

func groups() []*cobra.Group {
	return []*cobra.Group{
		{ID: groupLook, Title: "Look at the running daemon:"},
		{ID: groupData, Title: "Samples in the outbox:"},
		{ID: groupSetUp, Title: "Set up:"},
		{ID: groupRun, Title: "Run:"},
	}
}

// entry is one command: where the help lists it, what it needs, and how it is made.
type entry struct {
	group string
	needs need
	make  func(*session) *cobra.Command
}

// entries lists every command, in the order of the help.
func entries() []entry {
	return []entry{
		{groupLook, needsDaemon, newStatus},
		{groupLook, needsNothing, newDoctor},
		{groupLook, needsDaemon, newTriggers},
		{groupLook, needsDaemon, newGaps},
		{groupLook, needsDaemon, newLogs},
		{groupLook, needsDaemon, newBundle},
		{groupLook, needsLine, newRead},
		{groupData, needsStore, newExport},
		{groupData, needsDaemon, newReplay},
		{groupData, needsDaemon, newLetters},
		{groupSetUp, needsPort, newInit},
		{groupSetUp, needsConfig, newCheck},
		{groupSetUp, needsConfig, newPlan},
		{groupSetUp, needsPort, newScan},
		{groupSetUp, needsNothing, newObjects},
		{groupSetUp, needsDaemon, newIntegrations},
		{groupSetUp, needsCloud, newPublishTest},
		{groupSetUp, needsNothing, newSetup},
		{groupRun, needsConfig, newRun},
		{groupRun, needsDaemon, newReload},
		{groupRun, needsDaemon, newLogin},
		{groupRun, needsDaemon, newToken},
		{groupRun, needsNothing, newVersion},
		{groupRun, needsNothing, newCompletion},
		{"", needsNothing, newStoreCheck},
	}
}

// needKey is the annotation that holds what a command needs.
const needKey = "needs"

// session is one command line that is being read and run.
type session struct {
	p   *Program
	cli *commandLine
}

// root makes the tree of commands.
func (p *Program) root() (*cobra.Command, *commandLine) {
	s := &session{p: p, cli: &commandLine{version: p.Version}}
	var version bool
	root := &cobra.Command{
		Use:   "noi-agent",
		Short: "Solar charge controllers to AWS SNS and Google Pub/Sub.",
		Example: `  noi-agent status                          # the state; problems come first
  noi-agent check /etc/noi-agent/config.yaml  # every fault of a configuration, and what it costs`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if version {
				return (&versionCommand{}).Run(cmd.Context(), p, s.cli)
			}
			return noSuchCommand(cmd, args)
		},
	}
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.CompletionOptions.DisableDefaultCmd = true
	s.cli.flags(root.PersistentFlags())
	root.Flags().BoolVar(&version, "version", false, "Print the version.")
	root.AddGroup(groups()...)
	root.SetHelpFunc(p.help)
	root.SetFlagErrorFunc(flagFault)
	root.SetHelpCommand(newHelp(s))
	for _, e := range entries() {
		cmd := e.make(s)
		cmd.GroupID = e.group
		cmd.Annotations = map[string]string{needKey: string(e.needs)}
		root.AddCommand(cmd)
	}
	describeHelp(root)
	_ = root.RegisterFlagCompletionFunc("config", completeFiles) // the flag is there
	_ = root.RegisterFlagCompletionFunc("socket", completeFiles)
	return root, s.cli
}

// describeHelp gives the flag --help of every command its text.
func describeHelp(cmd *cobra.Command) {
	cmd.Flags().BoolP("help", "h", false, "Explain this command.")
	for _, sub := range cmd.Commands() {
		describeHelp(sub)
	}
}

// runner is a command with its flags.
type runner interface {
	Run(ctx context.Context, p *Program, cli *commandLine) error
}

// validator is a command that can refuse its flags before anything is done.
type validator interface{ Validate() error }

// bind makes a command run c until a signal comes. What c refuses of its flags is a misuse.
func (s *session) bind(cmd *cobra.Command, c runner) *cobra.Command {
	return s.bindDaemon(cmd, stoppable{c})
}

// bindDaemon is bind for a command that takes its signals itself.
func (s *session) bindDaemon(cmd *cobra.Command, c runner) *cobra.Command {
	if cmd.Args == nil {
		cmd.Args = noArgs
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if v, ok := c.(validator); ok {
			if err := v.Validate(); err != nil {
				return misused(err, helpOf(cmd))
			}
		}
		return c.Run(cmd.Context(), s.p, s.cli)
	}
	return cmd
}

// stoppable is a command that the first signal stops.
type stoppable struct{ runner }

// Validate implements validator.
func (c stoppable) Validate() error {
	if v, ok := c.runner.(validator); ok {
		return v.Validate()
	}
	return nil
}

// Run runs the command. A failure behind a signal is the signal's.
func (c stoppable) Run(ctx context.Context, p *Program, cli *commandLine) error {
	ctx, stop := p.untilSignal(ctx)
	defer stop()
	err := c.runner.Run(ctx, p, cli)
	if err != nil && ctx.Err() != nil {
		f := &fault{err: err, code: "interrupted"}
		errors.As(err, &f)
		return &fault{err: err, code: "interrupted", hint: f.hint, exit: ExitInterrupted}
	}
	return err
}

// helpOf is the command that explains another one.
func helpOf(cmd *cobra.Command) string { return cmd.CommandPath() + " --help" }

// noSuchCommand refuses a word that is no command of parent, and names the one that was probably meant.
func noSuchCommand(parent *cobra.Command, args []string) error {
	if len(args) == 0 {
		return misused(errors.New("which command?"), helpOf(parent))
	}
	var known []string
	for _, c := range parent.Commands() {
		if !c.Hidden {
			known = append(known, c.Name())
		}
	}
	err := unknown("command", args[0], known)
	if err.hint == "" {
		err.hint = helpOf(parent)
	}
	return err
}

// unknown says that a word is no such thing, and names the one that was probably meant.
func unknown(thing, word string, known []string) *fault {
	return misused(errorf("unknown %s %q", thing, escaped(word)), nearest(word, known))
}

// nearest asks whether the known word was meant that is like a given one; "" when none is.
func nearest(word string, known []string) string {
	if near := strictyaml.Nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// noArgs refuses words that a command does not take.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misused(errorf("%s takes no argument, not %q", cmd.CommandPath(), escaped(args[0])), helpOf(cmd))
	}
	return nil
}

// oneArg takes at most one word.
func oneArg(into *string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return misused(errorf("%s takes one argument, not %d", cmd.CommandPath(), len(args)), helpOf(cmd))
		}
		*into = ""
		if len(args) == 1 {
			*into = args[0]
		}
		return nil
	}
}

// someArgs takes one word or more.
func someArgs(into *[]string, missing string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return misused(errors.New(missing), helpOf(cmd))
		}
		*into = slices.Clone(args)
		return nil
	}
}
