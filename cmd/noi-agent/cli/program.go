package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"noi-agent/agent/clock"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/store"
)

// Exit codes.
const (
	ExitDone    = 0
	ExitFailed  = 1
	ExitMisused = 2
)

// Program is the whole command as a value, so that tests run what main runs.
type Program struct {
	Stdout, Stderr io.Writer
	Version        string
	Now            func() time.Time
	Elapsed        func() time.Duration              // nil: the system's monotonic clock
	Time           clock.Source                      // who knows how right now is; zero: nobody
	Signals        func() (<-chan os.Signal, func()) // that end a command
	Hangups        func() (<-chan os.Signal, func()) // that reload the daemon's configuration
	Notify         func(state string)
	CheckStore     func(ctx context.Context, path string) error // in a child process; nil: in this one
}

// New returns the program as main runs it. built is when it was made.
func New(version string, built time.Time) *Program {
	return &Program{
		Stdout: os.Stdout, Stderr: os.Stderr, Version: version, Now: time.Now, Time: clock.System(built),
		Signals: Signals, Hangups: Hangups, Notify: systemdNotify, CheckStore: store.InChild(ownBinary, "store-check"),
	}
}

// commandLine is the grammar of the command.
type commandLine struct {
	Config string `short:"c" placeholder:"FILE" default:"/etc/noi-agent/config.yaml" help:"Configuration file (${default})."`
	JSON   bool   `name:"json" help:"Print JSON."`
	Socket string `placeholder:"FILE" help:"The daemon's unix socket, instead of status.socket of the configuration."`

	Run      runCommand      `cmd:"" help:"Run the daemon."`
	Check    checkCommand    `cmd:"" help:"Check a configuration and print every error."`
	Scan     scanCommand     `cmd:"" help:"Find the devices on a line."`
	Read     readCommand     `cmd:"" help:"Read objects or registers of a slave now."`
	Plan     planCommand     `cmd:"" help:"Show the reads of each line and their bus time."`
	Objects  objectsCommand  `cmd:"" help:"List families, objects and log intervals."`
	Triggers triggersCommand `cmd:"" help:"Show the last deliveries of the running daemon."`
	Status   statusCommand   `cmd:"" help:"Show the state of the running daemon."`
	Reload   reloadCommand   `cmd:"" help:"Make the running daemon read its configuration file again."`
	Export   exportCommand   `cmd:"" help:"Print the samples in the outbox."`
	Replay   replayCommand   `cmd:"" help:"Send accepted samples to an integration again."`
	Letters  lettersCommand  `cmd:"" name:"deadletters" help:"List, retry or delete rejected samples."`
	Version  versionCommand  `cmd:"" help:"Print the version."`

	PublishTest publishTestCommand `cmd:"" help:"Test an integration and send one test message."`
	Setup       setupCommand       `cmd:"" help:"Print the commands that create a topic and a minimal-permission publisher, and the integration's YAML."`

	StoreCheck storeCheckCommand `cmd:"" hidden:"" help:"Check a store's file; the daemon's own child."`
}

// exitCode ends kong's own exits (--help) inside run. As an error it is the failure of a command that has said
// everything, and whose code means something.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Run executes one command line and returns its exit code.
func (p *Program) Run(args []string) (code int) {
	defer func() {
		// kong exits by calling Exit; a panic of this type is that exit, anything else is a bug.
		if r := recover(); r != nil {
			asked, ok := r.(exitCode)
			if !ok {
				panic(r)
			}
			code = int(asked)
		}
	}()
	var cli commandLine
	parser, err := kong.New(&cli,
		kong.Name("noi-agent"),
		kong.Description("Solar charge controllers to AWS SNS and Google Pub/Sub."),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(code int) { panic(exitCode(code)) }),
		kong.Bind(p, &cli),
	)
	if err != nil {
		panic(err) // the grammar above is wrong
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(p.Stderr, "noi-agent: %v\nTry: noi-agent --help\n", err)
		return ExitMisused
	}
	if err := ctx.Run(); err != nil {
		var own exitCode
		if errors.As(err, &own) {
			return int(own)
		}
		p.complain(err)
		return ExitFailed
	}
	return ExitDone
}

// silent is a failure that has said everything already.
var errSilent = errors.New("failed")

func (p *Program) complain(err error) {
	if !errors.Is(err, errSilent) {
		fmt.Fprintf(p.Stderr, "noi-agent: %s\n", strings.TrimSpace(err.Error()))
	}
}

// load reads families and configuration, in that order: the one names the other's directory and is checked against it.
func (cli *commandLine) load() (*configs.Config, *objects.Catalog, error) {
	catalog, err := objects.LoadCatalog(configs.FamiliesDir(cli.Config))
	if err != nil {
		return nil, nil, err
	}
	config, err := configs.Load(cli.Config, catalog)
	return config, catalog, err
}

type versionCommand struct{}

// Run prints the version.
func (*versionCommand) Run(p *Program, cli *commandLine) error {
	if cli.JSON {
		return printJSON(p.Stdout, map[string]string{"version": p.Version})
	}
	_, err := fmt.Fprintf(p.Stdout, "noi-agent %s\n", p.Version)
	return err
}

// untilSignal returns a context that ends with the first signal; stop gives it back.
func (p *Program) untilSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, release := p.Signals()
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); release() }
}

// Signals delivers the signals that end a command, up to two that nobody has taken yet.
func Signals() (<-chan os.Signal, func()) { return notified(2, os.Interrupt, syscall.SIGTERM) }

// Hangups delivers SIGHUP, which has the daemon read its configuration again. One that nobody has taken yet stands for all that follow.
func Hangups() (<-chan os.Signal, func()) { return notified(1, syscall.SIGHUP) }

func notified(room int, of ...os.Signal) (<-chan os.Signal, func()) {
	ch := make(chan os.Signal, room)
	signal.Notify(ch, of...)
	return ch, func() { signal.Stop(ch) }
}
