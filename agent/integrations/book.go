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

// Engine is the running agent, as far as a Book needs it.
type Engine interface {
	// EditIntegrations makes all these active, and returns when they are.
	EditIntegrations(ctx context.Context, all []configs.Integration) error
	// IntegrationsFile sets the error of the file of integrations; "": it has none.
	IntegrationsFile(fault string)
	// Status returns the status of the agent.
	Status() api.Status
	// TryNow ends the wait of an integration after a failure, so that it tries again at once.
	TryNow(id string) error
}

// Options has the parts of a Book. All are required.
type Options struct {
	File     string // path of the file of integrations
	MainFile string // path of the configuration file
	Version  string // version of the agent
	Now      func() time.Time
	Logger   *slog.Logger
	CostOf   budget.CostOf

	// NewSink makes a client for a test. It must not wait for the network.
	NewSink func(in configs.Integration, deviceID string) (Sink, error)
}

// Book has all integrations. Make one with New. Then call Start with the configuration and Attach with the agent.
type Book struct {
	o       Options
	engine  Engine        // nil before Attach
	turn    chan struct{} // has room for one: only one change at a time
	testing chan struct{} // has room for one: only one test at a time

	mu  sync.Mutex // guards the fields below
	now *state     // replaced as a whole; its content does not change
	// identity of the gateway in a cloud, as the last test has reported it, by id of the integration
	identities map[string]string
}

// state has the active integrations.
type state struct {
	main    *configs.Config // the configuration file, without the integrations in made
	catalog *objects.Catalog
	made    []configs.Integration // the integrations that are made over the API
	lines   []int                 // line in the file at which each of made begins; missing: not known
	text    []byte                // text of the file with made; nil: there is no file
	foreign bool                  // the file on the disk is not the one with made
	fault   string                // error of the file; "": none
}

// New returns a Book without integrations.
func New(o Options) *Book {
	return &Book{o: o, turn: make(chan struct{}, 1), testing: make(chan struct{}, 1),
		identities: map[string]string{}}
}

// Start reads the file, and returns main together with the integrations of the file that become active.
func (b *Book) Start(main *configs.Config, catalog *objects.Catalog) *configs.Config {
	next := b.look(main, catalog, nil)
	b.set(next)
	return main.With(next.made)
}

// Attach gives the Book the agent that was made with the configuration from Start.
func (b *Book) Attach(e Engine) {
	b.engine = e
	b.set(b.state())
}

// Reload reads the file again, together with another configuration, and calls put to make both active. If put fails
// with an error that is inForce, both are active in spite of the error. Errors are put's, and *api.Error.
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

// begin waits until no other change is under way.
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

// set replaces the state. It logs a new error of the file and reports it to the agent.
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

// look reads the file, and returns the state that must become active with the configuration main. before is the active
// state; nil at the start of the agent.
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

// instead chooses the integrations if the file has faults. At a reload the active integrations stay. At a start it
// takes the ones of the file `.previous`. If that file has faults too, it takes sound, the integrations without
// faults. It sets next.fault to the end of a sentence about this.
func (b *Book) instead(next, before *state, sound []configs.Integration) {
	next.foreign = true
	if before != nil {
		next.made = slices.DeleteFunc(slices.Clone(before.made), func(in configs.Integration) bool {
			same := func(m configs.Integration) bool { return m.ID == in.ID }
			return slices.ContainsFunc(next.main.Integrations, same)
		})
		next.fault = "; the previous integrations stay active"
		return
	}
	previous := b.o.File + previousEnd
	if text, err := read(previous); err == nil {
		if added, faults := configs.ParseAdded(text, next.main, next.catalog); len(faults) == 0 {
			next.made = added.Integrations
			next.fault = "; the integrations of " + previous + " are active"
			return
		}
	}
	next.made = sound
	next.fault = fmt.Sprintf("; the %d integrations without an error are active", len(sound))
}

// briefly returns one line with the first three faults, and the number of the others.
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
