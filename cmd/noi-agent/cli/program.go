package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/store"
)

// Program is the whole command line program as a value, so that tests run the same code as main.
type Program struct {
	Stdin          io.Reader // asked for answers only if it is a terminal; nil: nothing is asked
	Stdout, Stderr io.Writer
	Version        string
	Now            func() time.Time
	Elapsed        func() time.Duration              // monotonic time; nil: the system's
	Time           clock.Source                      // sources that tell whether the clock is right; zero: none
	Signals        func() (<-chan os.Signal, func()) // signals that end a command
	Hangups        func() (<-chan os.Signal, func()) // signals that reload the daemon's configuration
	Notify         func(state string)
	CheckStore     func(ctx context.Context, path string) error // checks a store; nil: in this process
}

// New returns the program for main. built is the date of the build.
func New(version string, built time.Time) *Program {
	return &Program{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Version: version, Now: time.Now,
		Time:    clock.System(built),
		Signals: Signals, Hangups: Hangups, Notify: systemdNotify, CheckStore: store.InChild(ownBinary, "store-check"),
	}
}

// Run executes one command line and returns its exit code.
func (p *Program) Run(args []string) int {
	with, out := *p, &product{Writer: p.Stdout}
	with.Stdout = out
	root, cli := with.root()
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	return with.conclude(cmp.Or(err, out.err), cli)
}

// load reads the families, and then the configuration, which is checked against them.
func (cli *commandLine) load() (*configs.Config, *objects.Catalog, error) {
	catalog, err := objects.LoadCatalog(configs.FamiliesDir(cli.Config))
	if err != nil {
		return nil, nil, err
	}
	config, err := configs.Load(cli.Config, catalog)
	return config, catalog, err
}

// loadAll is load with the integrations that are made over the API. Without permission to read their file, it returns
// only the integrations of the configuration.
func (cli *commandLine) loadAll() (*configs.Config, *objects.Catalog, error) {
	config, catalog, err := cli.load()
	if err != nil {
		return config, catalog, err
	}
	added, err := configs.LoadAdded(config, catalog)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return config, catalog, nil
	case err != nil:
		return config, catalog, err
	default:
		return config.With(added.Integrations), catalog, nil
	}
}

// untilSignal returns a context that ends with parent, or at the first signal. Call stop when it is no longer needed.
func (p *Program) untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
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

// Signals delivers the signals that end a command. Up to two of them wait in the channel. Call the function to end the
// delivery.
func Signals() (<-chan os.Signal, func()) { return notified(2, os.Interrupt, syscall.SIGTERM) }

// Hangups delivers SIGHUP, which makes the daemon read its configuration again. One signal waits in the channel.
// Further ones are dropped, because one reload is enough for all of them.
func Hangups() (<-chan os.Signal, func()) { return notified(1, syscall.SIGHUP) }

func notified(room int, of ...os.Signal) (<-chan os.Signal, func()) {
	ch := make(chan os.Signal, room)
	signal.Notify(ch, of...)
	return ch, func() { signal.Stop(ch) }
}
