package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// With a listener of its own, a reader that has gone away (`| head`) is an error of Write and does not kill us
	// before the command is stopped and the link removed. Ignoring it would be inherited by the command.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, signals))
}

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2
)

// commandLine is what may be said to noi-sim.
type commandLine struct {
	Run runOptions `cmd:"" help:"Start the world and run COMMAND in it until it ends or Ctrl-C."`
}

type runOptions struct {
	Baud   int      `default:"9600" help:"Bits per second on the line, which is 8N2."`
	Speed  float64  `default:"1" help:"How many times faster than real time the sun moves."`
	Slaves string   `default:"1=PSPWM" help:"The controllers on the line: UNIT=FAMILY,… with the families that noi-agent objects lists."`
	Fault  []string `aliases:"faults" placeholder:"[UNIT/]OBJECT:VALUE@FROM[-UNTIL]" help:"Force a bit, a state or a number (none: no sensor) from a time after the start on; may be repeated."`
	Dir    string   `default:"run" help:"Directory of the link ttyNOI; it is made."`
	Status string   `default:"127.0.0.1:8780" help:"Where the command's status page is, as in its configuration."`

	SNS    string `name:"sns" default:"127.0.0.1:4100" hidden:"" help:"Address of the SNS stand-in."`
	PubSub string `name:"pubsub" default:"127.0.0.1:8085" hidden:"" help:"Address of the Pub/Sub stand-in."`

	Command []string `arg:"" passthrough:"" help:"What to run in the world, after --."`
}

// Limits of the options. The plant takes a step each simulated second: ten thousand times real time is a day in nine seconds.
const (
	leastBaud, mostBaud = 300, 1_000_000
	mostSpeed           = 10_000
)

// Validate is called by kong once everything is read.
func (o *runOptions) Validate() error {
	if len(o.Command) > 0 && o.Command[0] == "--" {
		o.Command = o.Command[1:] // kong leaves it in
	}
	switch {
	case len(o.Command) == 0:
		return errors.New("there is no COMMAND to run")
	case strings.HasPrefix(o.Command[0], "-"): // kong takes an option it does not know for the command
		return fmt.Errorf("unknown option %s", o.Command[0])
	case o.Baud < leastBaud || o.Baud > mostBaud:
		return fmt.Errorf("--baud: want %d to %d, not %d", leastBaud, mostBaud, o.Baud)
	case !(o.Speed > 0 && o.Speed <= mostSpeed):
		return fmt.Errorf("--speed: want more than 0 and at most %d, not %g", mostSpeed, o.Speed)
	}
	return nil
}

// run does what args say and returns the exit code. Both writers are used by several goroutines. Each signal received counts
// as one Ctrl-C.
func run(args []string, stdout, stderr io.Writer, signals <-chan os.Signal) int {
	var line commandLine
	helped := -1
	parser, err := kong.New(&line,
		kong.Name("noi-sim"), kong.Description("A world to try noi-agent in: controllers on a pty, SNS and Pub/Sub on loopback."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { helped = code }),
	)
	if err != nil {
		panic(err) // the types above are no command line
	}
	_, err = parser.Parse(args)
	var f *fleet
	if err == nil && helped < 0 {
		f, err = newFleet(line.Run)
	}
	switch {
	case helped >= 0: // --help has been printed
		return helped
	case err != nil:
		fmt.Fprintf(stderr, "noi-sim: %v\nTry: noi-sim run -- bin/noi-agent run --config configs/demo.yaml\n", err)
		return exitMisuse
	}
	return runWorld(line.Run, f, stdout, stderr, signals)
}
