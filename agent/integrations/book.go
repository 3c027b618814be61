package integrations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"noi-agent/agent/budget"
	"noi-agent/configs"
	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// Engine is the running agent.
type Engine interface {
	// EditIntegrations makes all these active, and returns when they are.
	EditIntegrations(ctx context.Context, all []configs.Integration) error
	// IntegrationsFile notes what is wrong with the file of integrations; "": nothing.
	IntegrationsFile(fault string)
	// Status has how each integration stands.
	Status() api.Status
	// TryNow ends the wait of one after a failure.
	TryNow(id string) error
}

// Options are what a Book is made of. All are needed.
type Options struct {
	File     string // path of the file of integrations
	MainFile string // path of the configuration file
	Version  string // of the agent
	Now      func() time.Time
	Logger   *slog.Logger
	CostOf   budget.CostOf

	// NewSink makes a client for a test. It must not wait for the network.
	NewSink func(in configs.Integration, deviceID string) (Sink, error)
}

// Book has all integrations. Make one with New, give it the configuration with Start and the agent with Attach.
type Book struct {
	o       Options
	engine  Engine        // nil before Attach
	turn    chan struct{} // room for one: the writer that changes something
	testing chan struct{} // room for one test

	mu  sync.Mutex // guards what follows
	now *state     // never changed, only replaced
	// what a test has seen of the gateway's identity in a cloud, by id of the integration
	identities map[string]string
}

// state has the active integrations.
type state struct {
	main    *configs.Config // of the configuration file alone
	catalog *objects.Catalog
	made    []configs.Integration // over the API
	lines   []int                 // where each of them begins in the file; shorter: not known
	text    []byte                // of the file that made is from; nil: there is none
	foreign bool                  // the file is another one than made is from
	fault   string                // what is wrong with the file; "": nothing
}

// New returns a Book that knows nothing yet.
func New(o Options) *Book {
	return &Book{o: o, turn: make(chan struct{}, 1), testing: make(chan struct{}, 1),
		identities: map[string]string{}}
}

// Start reads the file and returns the configuration with those of its integrations that become active.
func (b *Book) Start(main *configs.Config, catalog *objects.Catalog) *configs.Config {
	next := b.look(main, catalog, nil)
	b.set(next)
	return main.With(next.made)
}

// Attach gives the Book the agent that runs what Start returned.
func (b *Book) Attach(e Engine) {
	b.engine = e
	b.set(b.state())
}

// Reload reads the file again, beside another configuration, and calls put to make both active. inForce is the error of
// put that means: both are active all the same.
func (b *Book) Reload(ctx context.Context, main *configs.Config, catalog *objects.Catalog,
	put func(ctx context.Context, all *configs.Config) error, inForce error) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.end()
	next := b.look(main, catalog, b.state())
	err := put(ctx, main.With(next.made))
	if err == nil || errors.Is(err, inForce) {
		b.set(next)
	}
	return err
}

// begin waits for the turn to change something.
func (b *Book) begin(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return api.NewError(http.StatusServiceUnavailable, "another change is under way: "+ctx.Err().Error(), "")
	}
}

func (b *Book) end() { <-b.turn }

func (b *Book) state() *state {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// set takes over the integrations that are active now.
func (b *Book) set(s *state) {
	b.mu.Lock()
	before := b.now
	b.now = s
	b.mu.Unlock()
	if s.fault != "" && (before == nil || before.fault != s.fault) {
		b.o.Logger.Error("the file of integrations has errors and is not used as it is", "error", s.fault)
	}
	if b.engine != nil {
		b.engine.IntegrationsFile(s.fault)
	}
}

// look reads the file and decides what is to be in force beside main; before is what is, nil at a start.
func (b *Book) look(main *configs.Config, catalog *objects.Catalog, before *state) *state {
	next := &state{main: main, catalog: catalog}
	text, err := read(b.o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return next
	}
	if err != nil {
		b.instead(next, before, nil)
		next.fault = err.Error() + next.fault
		return next
	}
	added, faults := configs.ParseAdded(text, main, catalog)
	if len(faults) == 0 {
		next.made, next.lines, next.text = added.Integrations, linesOf(added), text
		return next
	}
	b.instead(next, before, added.Sound(faults))
	next.foreign = before == nil || !bytes.Equal(text, before.text)
	if !next.foreign {
		next.lines, next.text = before.lines, text
	}
	next.fault = briefly(b.o.File, faults) + next.fault
	return next
}

// instead decides what is in force in the place of a file with faults: the last good set, at a start that of
// `.previous`, else what is sound in the file. fault gets the end of a sentence about it.
func (b *Book) instead(next, before *state, sound []configs.Integration) {
	next.foreign = true
	if before != nil {
		next.made = slices.DeleteFunc(slices.Clone(before.made), func(in configs.Integration) bool {
			same := func(m configs.Integration) bool { return m.ID == in.ID }
			return slices.ContainsFunc(next.main.Integrations, same)
		})
		next.fault = "; the integrations of before stay active"
		return
	}
	previous := b.o.File + previousEnd
	if text, err := read(previous); err == nil {
		if added, faults := configs.ParseAdded(text, next.main, next.catalog); len(faults) == 0 {
			next.made = added.Integrations
			next.fault = "; those of " + previous + " are active"
			return
		}
	}
	next.made = sound
	next.fault = fmt.Sprintf("; the %d without such a fault are active", len(sound))
}

// briefly is one line about faults: the first three, and how many more there are.
func briefly(file string, faults strictyaml.Faults) string {
	const most = 3
	var list []string
	for i, f := range faults {
		if i == most {
			list = append(list, fmt.Sprintf("and %d more", len(faults)-most))
			break
		}
		list = append(list, configs.Locate(file, f))
	}
	return strings.Join(list, "; ")
}

func linesOf(a *configs.Added) []int {
	lines := make([]int, len(a.Integrations))
	for i := range lines {
		lines[i] = a.Line(i)
	}
	return lines
}
