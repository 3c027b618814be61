package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"noi-agent/internal/strictyaml"
)

// commandLine has the flags of every command.
type commandLine struct {
	Config   string
	JSON     bool
	Socket   string
	NoHeader bool

	version  string   // of this program
	commands []string // all commands, such as "check" and "setup aws"
}

// defaultConfig is the path of the configuration that the packages use.
const defaultConfig = "/etc/noi-agent/config.yaml"

func (cli *commandLine) flags(f *pflag.FlagSet) {
	f.StringVarP(&cli.Config, "config", "c", defaultConfig, "Configuration `FILE`.")
	f.BoolVar(&cli.JSON, "json", false, "Print JSON.")
	f.StringVar(&cli.Socket, "socket", "",
		"The daemon's unix socket, a `FILE`. Default: status.socket of the configuration.")
	f.BoolVar(&cli.NoHeader, "no-header", false, "Print tables without their header.")
}

// need tells what a command needs in order to work.
type need string

const (
	needsNothing need = "nothing: it works on any computer"
	needsConfig  need = "a configuration"
	needsDaemon  need = "the running daemon"
	needsLine    need = "the serial line: a running daemon reads; without a daemon the command opens the port"
	needsPort    need = "the serial line, which the daemon must not use at the same time"
	needsScan    need = "the serial line: with --line a running daemon asks; with a PORT no daemon may use this port"
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
		{groupSetUp, needsScan, newScan},
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

// needKey is the name of the annotation with the need of a command.
const needKey = "needs"

// session is one command line that is being read and run.
type session struct {
	p   *Program
	cli *commandLine
}

// root returns the tree of commands, and the flags of every command.
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
		s.cli.commands = append(s.cli.commands, cmd.Name())
		for _, sub := range cmd.Commands() {
			s.cli.commands = append(s.cli.commands, cmd.Name()+" "+sub.Name())
		}
		cmd.GroupID = e.group
		cmd.Annotations = map[string]string{needKey: string(e.needs)}
		root.AddCommand(cmd)
	}
	describeHelp(root)
	_ = root.RegisterFlagCompletionFunc("config", completeFiles) // no error: the flag exists
	_ = root.RegisterFlagCompletionFunc("socket", completeFiles)
	return root, s.cli
}

// describeHelp sets the text of the flag --help of every command.
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

// validator is a command that checks its flags before it does anything.
type validator interface{ Validate() error }

// bind makes a command run c. A signal stops c. An error of c's flags is a wrong usage (exit code 2).
func (s *session) bind(cmd *cobra.Command, c runner) *cobra.Command {
	return s.bindDaemon(cmd, stoppable{c})
}

// bindDaemon is bind for a command that handles signals itself.
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

// Run runs the command. If a signal came, the exit code of an error is ExitInterrupted.
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

// helpOf returns the command that prints the help of another one.
func helpOf(cmd *cobra.Command) string { return cmd.CommandPath() + " --help" }

// noSuchCommand returns the error for a word that is not a command of parent. Its hint has the most similar command.
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

// unknown returns the error for an unknown word. Its hint has the most similar known word.
func unknown(thing, word string, known []string) *fault {
	return misused(errorf("unknown %s %q", thing, escaped(word)), nearest(word, known))
}

// nearest returns a question with the most similar known word; "" if no known word is similar.
func nearest(word string, known []string) string {
	if near := strictyaml.Nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misused(errorf("%s takes no argument, not %q", cmd.CommandPath(), escaped(args[0])), helpOf(cmd))
	}
	return nil
}

// oneArg accepts at most one argument, and stores it.
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

// someArgs accepts one argument or more, and stores them. missing is the error without an argument.
func someArgs(into *[]string, missing string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return misused(errors.New(missing), helpOf(cmd))
		}
		*into = slices.Clone(args)
		return nil
	}
}
