package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// If the reader of the output ends (`| head`), SIGPIPE would end noi-sim before it stops the command and removes
	// the link. With this channel SIGPIPE does nothing, and Write returns an error. signal.Ignore is wrong here,
	// because the command would inherit it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, signals))
}

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2
)

type runOptions struct {
	Baud   int
	Parity string
	Speed  float64
	Slaves string
	Fault  []string
	Dir    string
	Status string
	SNS    string
	PubSub string

	Command []string // empty: there is no command, and the simulation runs until Ctrl-C
}

// Limits of the options. The simulation has a step for each simulated second. At the highest speed a day takes nine
// seconds.
const (
	leastBaud, mostBaud = 300, 1_000_000
	mostSpeed           = 10_000
)

// Validate returns an error if the baud rate, the parity or the speed is not a possible one.
func (o *runOptions) Validate() error {
	switch {
	case o.Baud < leastBaud || o.Baud > mostBaud:
		return fmt.Errorf("--baud: want %d to %d, not %d", leastBaud, mostBaud, o.Baud)
	case known(o.Parity, parities()) != nil:
		return fmt.Errorf("--parity: %w", known(o.Parity, parities()))
	case !(o.Speed > 0 && o.Speed <= mostSpeed):
		return fmt.Errorf("--speed: want more than 0 and at most %d, not %g", mostSpeed, o.Speed)
	}
	return nil
}

// exit is the exit code of a command that failed and has printed its error.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run runs the command line args and returns the exit code. Several goroutines write to stdout and to stderr. Each
// received signal counts as one Ctrl-C.
func run(args []string, stdout, stderr io.Writer, signals <-chan os.Signal) int {
	root := &cobra.Command{
		Use: "noi-sim COMMAND", Short: "A simulated site to try noi-agent: controllers on a pty, clouds on loopback.",
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error { return errors.New("which command? run or fault") },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetUsageFunc(usage)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	root.AddCommand(newRun(stdout, stderr, signals), newFault(stdout))
	cmd, err := root.ExecuteC()
	var ended exit
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &ended):
		return int(ended)
	default:
		hint := "noi-sim run -- bin/noi-agent run --config configs/demo.yaml"
		if cmd.HasParent() && cmd.Name() != "run" {
			hint = cmd.CommandPath() + " --help"
		}
		fmt.Fprintf(stderr, "noi-sim: %v\nhint: %s\n", err, hint)
		return exitMisuse
	}
}

// usage prints the usage of a command in 80 columns. cobra's own template would add 4 MB to the program.
func usage(cmd *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(&b, "  %-8s%s\n", sub.Name(), sub.Short)
		}
	}
	flags := cmd.LocalFlags()
	flags.AddFlagSet(cmd.InheritedFlags())
	fmt.Fprintf(&b, "\nFlags:\n%s", flags.FlagUsagesWrapped(80))
	_, err := io.WriteString(cmd.OutOrStdout(), b.String())
	return err
}

func newRun(stdout, stderr io.Writer, signals <-chan os.Signal) *cobra.Command {
	var o runOptions
	var faults []string
	cmd := &cobra.Command{
		Use:   "run [flags] [-- COMMAND...]",
		Short: "Start the simulation, and run COMMAND in it until its end or Ctrl-C.",
		Long: "Without COMMAND it prints the configuration and the environment for an agent in\n" +
			"a second terminal, and runs until Ctrl-C.",
		Example: `  noi-sim run      # then start an agent in a second terminal
  noi-sim run -- bin/noi-agent run --config configs/demo.yaml   # both in one`,
		RunE: func(_ *cobra.Command, args []string) error {
			o.Command, o.Fault = args, append(o.Fault, faults...)
			if err := o.Validate(); err != nil {
				return err
			}
			f, err := newFleet(o)
			if err != nil {
				return err
			}
			if code := runWorld(o, f, stdout, stderr, signals); code != exitDone {
				return exit(code)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // flags after COMMAND belong to COMMAND
	f.IntVar(&o.Baud, "baud", 9600,
		"Bits per second, `N`, on the line. At another rate the controllers answer garbage.")
	f.StringVar(&o.Parity, "parity", parityNone,
		"Parity of the line: none (8N2), even or odd (8E1, 8O1). At another parity no controller answers.")
	f.Float64Var(&o.Speed, "speed", 1, "The sun moves `N` times faster than in real time.")
	f.StringVar(&o.Slaves, "slaves", "1=PSPWM",
		"The controllers on the line, `UNIT=FAMILY,...`, with the families that noi-agent objects lists. The replies "+
			"of controllers with the same unit id collide.")
	f.StringSliceVar(&o.Fault, "fault", nil,
		"Force a bit, a state or a number (none: no sensor) from a time after the start: a `FAULT` is "+
			"[UNIT/]OBJECT:VALUE@FROM[-UNTIL]. Repeat the flag for more faults.")
	f.StringSliceVar(&faults, "faults", nil, "The same as --fault.")
	_ = f.MarkHidden("faults") // fails only if there is no such flag
	f.StringVar(&o.Dir, "dir", defaultDir, "`DIRECTORY` of the link ttyNOI; noi-sim creates it.")
	f.StringVar(&o.Status, "status", "127.0.0.1:8780",
		"`ADDRESS` of the command's status page, as in its configuration.")
	f.StringVar(&o.SNS, "sns", "127.0.0.1:4100", "`ADDRESS` of the simulated SNS, on loopback.")
	f.StringVar(&o.PubSub, "pubsub", "127.0.0.1:8085", "`ADDRESS` of the simulated Pub/Sub, on loopback.")
	return cmd
}

// defaultDir is the default directory of the link and of the control socket.
const defaultDir = "run"
