package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/store"
)

// defaultGrace is how long the last publish may take after the agent was asked to end.
const defaultGrace = 10 * time.Second

// Options are what an Agent is made of. Config, Catalog, Version, NewSink and Logger are needed.
type Options struct {
	Config  *configs.Config
	Catalog *objects.Catalog
	Version string // of the agent; the second word of `fw_version`
	Logger  *slog.Logger

	// NewSink makes the sink of an integration. It must not wait for the network: a cloud that is down is an
	// outcome of Publish. An error keeps the integration's samples and shows in the status.
	NewSink func(in configs.Integration, deviceID string) (Sink, error)

	// CheckStore looks whether a store that was not left clean is sound, in a child process (store.InChild). nil looks in
	// this one, which a damaged file can end.
	CheckStore func(ctx context.Context, path string) error

	// Memory is a directory in memory, for the outbox of an agent whose disk fails again and again; "": it ends then.
	Memory string

	// OpenPort opens a line's port; nil opens the real one.
	OpenPort func(modbus.Settings) (modbus.Port, error)

	Time    clock.Source         // who knows how right Now is; zero: nobody
	Now     func() time.Time     // wall time; nil: time.Now
	Elapsed func() time.Duration // monotonic time since the start, above zero; nil: the system's
	Grace   time.Duration        // for the last publish; 0: 10 s
}

// Agent is the running program: lines, outbox and forwarders. Make one with New, run it once with Run.
type Agent struct {
	options    Options
	clock      clock.Clock
	log        *slog.Logger
	deviceID   string
	started    time.Time
	booted     time.Time // moment of the boot by the clock that gave started
	store      *store.Store
	recovery   store.Recovery // what it took to open it
	failures   failures
	degraded   string        // why the store is in memory; "": it is not
	left       *gapsLeft     // in memory, by the start that went back to the disk
	probes     time.Duration // how often the disk is probed then
	began      time.Duration // monotonic
	sampler    *sampler
	bells      bells
	sweeps     chan taken
	reloads    chan reload
	configFile configFile
	replays    atomic.Uint64 // how many were asked for
	abort      chan struct{}
	abortOnce  sync.Once

	mu   sync.Mutex // guards what follows: a reload changes it
	crew crew
}

// crew is who works by the configuration in force.
type crew struct {
	config     *configs.Config
	catalog    *objects.Catalog
	pollers    []*poller    // of the enabled lines
	forwarders []*forwarder // of all integrations
}

// current returns the crew as it stands; its slices are never changed.
func (a *Agent) current() crew {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.crew
}

// New opens the store and prepares everything; nothing runs yet. It fails only for what keeps the agent from
// keeping samples at all: a state directory that cannot be written, a store that another agent uses. A damaged store is
// replaced, and the status says so. Ports and clouds that are down do not matter here.
func New(o Options) (*Agent, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Elapsed == nil {
		o.Elapsed = clock.SinceStart(time.Now)
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	a := &Agent{
		options: o, clock: clock.Clock{Now: o.Now, Elapsed: o.Elapsed, Wall: clock.NewWall(clock.Options{
			Now: o.Now, Elapsed: o.Elapsed, Source: o.Time, Keys: o.Config.Clock, Log: o.Logger.With("part", "clock"),
		})}, log: o.Logger, started: o.Now(),
		sweeps: make(chan taken, queuedSweeps), reloads: make(chan reload), abort: make(chan struct{}),
		probes: probeEvery,
	}
	a.failures, a.began = failuresOf(a.usableMemory(o.Memory), o.Config.StateDir), a.clock.Elapsed()
	a.booted = a.clock.Wall.BootedAt()
	if err := a.openStore(); err != nil {
		return nil, err
	}
	a.crew = crew{config: o.Config, catalog: o.Catalog}
	a.configFile.taken(o.Now(), nil)
	for i := range o.Config.Lines {
		if o.Config.Lines[i].Enabled {
			a.crew.pollers = append(a.crew.pollers, a.newPoller(&o.Config.Lines[i], o.Catalog))
		}
	}
	for i := range o.Config.Integrations {
		a.crew.forwarders = append(a.crew.forwarders, a.newForwarder(&o.Config.Integrations[i]))
	}
	a.sampler = &sampler{store: a.store, log: a.log.With("part", "store"), in: a.sweeps,
		ledger: newLedger(a.store.Run(), a.store.Accounts()), alarms: map[objectKey]string{}, changes: changes{elapsed: a.clock.Elapsed}, bells: &a.bells}
	a.sampler.ledger.standsIn = a.degraded != ""
	a.store.KeepAccounts(units(o.Config))
	a.sampler.route(o.Config.Integrations)
	return a, nil
}

// units are the slaves of a configuration, by their names in the store.
func units(c *configs.Config) map[string]bool {
	out := map[string]bool{}
	for i := range c.Lines {
		for j := range c.Lines[i].Slaves {
			out[objects.Source{Line: c.Lines[i].Name, UnitID: uint8(c.Lines[i].Slaves[j].ID)}.Unit()] = true
		}
	}
	return out
}

func (a *Agent) openStore() error {
	c := a.options.Config
	path := filepath.Join(c.StateDir, "noi.db")
	st, recovery, err := a.recoverStore(path, store.Options{
		Limits: a.limits(c), Now: a.options.Now, Clock: a.storeClock(), Logger: a.log.With("part", "store"),
	})
	if err != nil {
		return fmt.Errorf("open the store %s: %w", path, err)
	}
	a.store, a.recovery = st, recovery
	a.clock.Wall.Begin(st)
	a.noteRun()
	a.deviceID, err = a.identify()
	if err == nil {
		err = a.setIntegrations(known(c))
	}
	if err != nil {
		return errors.Join(err, st.Close())
	}
	return nil
}

// storeClock is what the store is to know about time.
func (a *Agent) storeClock() store.Clock {
	wall := a.clock.Wall
	source := wall.Source()
	return store.Clock{Boot: source.Boot, Uptime: source.Uptime, Floor: source.Built, Good: wall.Ages, Old: wall.Old}
}

// limits returns what a configuration says of outbox and trigger log; an outbox in memory stays small.
func (a *Agent) limits(c *configs.Config) store.Limits {
	b, t := c.Buffer, c.Triggers
	l := store.Limits{
		MaxSize: int64(b.MaxSize), RejectNewest: b.WhenFull == configs.RejectNewest, MaxAge: b.MaxAge, RetainAfterAck: b.RetainAfterAck,
		CommitEvery: b.CommitEvery, KeepTriggers: t.Keep, FlushTriggers: t.FlushEvery,
	}
	if a.degraded != "" {
		l.MaxSize = min(l.MaxSize, memorySize)
	}
	return l
}

// known lists the integrations of a configuration for the store.
func known(c *configs.Config) []store.Integration {
	list := make([]store.Integration, len(c.Integrations))
	for i := range c.Integrations {
		list[i] = store.Integration{ID: c.Integrations[i].ID, Topic: c.Integrations[i].Destination(), AlarmsFirst: c.Integrations[i].CatchUp.AlarmsFirst, GapMessages: c.Integrations[i].Gaps}
	}
	return list
}

func (a *Agent) newPoller(line *configs.Line, catalog *objects.Catalog) *poller {
	settings := SettingsOf(line)
	log := a.log.With("line", line.Name)
	options := modbus.Options{
		Settings: settings, Timeout: line.Timeout, Echo: modbus.Echo(line.Echo), Now: a.options.Now, Logger: log,
	}
	if a.options.OpenPort != nil {
		options.Open = func() (modbus.Port, error) { return a.options.OpenPort(settings) }
	}
	p := &poller{
		cfg: line, settings: settings, line: modbus.NewLine(options), catalog: catalog, version: a.options.Version,
		clock: a.clock, log: log, out: a.sweeps, asks: make(chan ask), post: newPost(),
		started: a.clock.Elapsed(), phased: a.clock.Wall.Rephasing(), view: lineView{state: lineOpening, since: a.options.Now()},
	}
	for i := range line.Slaves {
		p.slaves = append(p.slaves, newSlave(&line.Slaves[i], catalog, p.started))
		p.view.latest = append(p.view.latest, map[string]reading{})
		p.view.alarms = append(p.view.alarms, alarms{})
	}
	return p
}

func (a *Agent) newForwarder(in *configs.Integration) *forwarder {
	sink, err := a.options.NewSink(*in, a.deviceID)
	if err != nil {
		sink = brokenSink{err}
	}
	state := integrationIdle
	if !in.Enabled {
		state = integrationPaused
	}
	dropped := a.store.Stats().Integrations[in.ID].Dropped
	return &forwarder{
		cfg: in, sink: sink, store: a.store, clock: a.clock, deviceID: a.deviceID, log: a.log.With("integration", in.ID, "type", in.Type),
		circuit: newCircuit(newBackoff(a.deviceID, in), newPacing(a.deviceID, in)), hurry: make(chan struct{}, 1),
		view: integrationView{state: state, since: a.options.Now(), drops: trouble{n: dropped, last: -recently}},
		post: newPost(), replays: newReplays(), round: newRound(a.deviceID, in.PublishEvery, a.bells.of(in.ID)),
		droppedBefore: dropped,
	}
}

// brokenSink stands for a sink that could not be made. The samples stay in the outbox.
type brokenSink struct{ err error }

func (b brokenSink) Publish(_ context.Context, messages []sinks.Message) []sinks.Result {
	return sinks.Repeat(sinks.Failed(sinks.Wait, sinks.CodeConfiguration, b.err.Error()), len(messages))
}
func (b brokenSink) Window() int    { return 1 }
func (b brokenSink) Close() error   { return nil }
func (b brokenSink) Outdated() bool { return true } // a reload makes it anew

// DeviceID returns the identity of this gateway.
func (a *Agent) DeviceID() string { return a.deviceID }

// Abort ends the grace period of a shutdown at once; what is not sent stays in the outbox.
func (a *Agent) Abort() { a.abortOnce.Do(func() { close(a.abort) }) }

// Run polls and publishes until ctx ends, then shuts down in order: stop polling, commit, a last publish within
// the grace period, settle, close. It returns when every goroutine has ended; the error is the store's when that
// has stopped, since the agent cannot promise anything any more then.
func (a *Agent) Run(ctx context.Context) error {
	a.log.Info("agent started", "version", a.options.Version, "device_id", a.deviceID,
		"lines", len(a.crew.pollers), "integrations", len(a.crew.forwarders), "run", a.store.Run())
	w := shift{draining: make(chan struct{})}
	var stopPolling, stopPublishing context.CancelFunc
	w.polling, stopPolling = context.WithCancel(ctx)
	defer stopPolling()
	w.publishing, stopPublishing = context.WithCancel(context.WithoutCancel(ctx))
	defer stopPublishing()

	var failure error
	sampled := make(chan struct{})
	go func() { defer close(sampled); failure = a.sampler.run(w.publishing) }()
	go a.clock.Wall.Run(w.publishing)
	w.start(a.crew.pollers, a.crew.forwarders)
	diskBack := a.diskBack(w.publishing)

	var ended error
	for running := true; running; {
		select {
		case r := <-a.reloads:
			r.done <- a.apply(w, r)
			continue
		case <-ctx.Done():
			a.log.Info("stopping: no more polling")
		case <-sampled: // nothing can be kept any more
		case <-a.store.Fatal():
		case <-diskBack:
			ended = errDiskBack
		}
		running = false
	}
	stopPolling()
	for _, p := range a.crew.pollers {
		<-p.post.ended
	}
	close(a.sweeps)
	<-sampled
	close(w.draining)
	a.lastPublish(stopPublishing)
	<-a.clock.Wall.Ended
	a.countFailure(a.store.Err())
	return errors.Join(ended, failure, a.store.Err(), a.close())
}

// lastPublish gives the forwarders the grace period, or less when somebody is in a hurry.
func (a *Agent) lastPublish(stop context.CancelFunc) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, f := range a.crew.forwarders {
			<-f.post.ended
		}
	}()
	timer := time.NewTimer(a.options.Grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-a.abort:
		a.log.Warn("stopping at once: unsent samples stay in the outbox")
	case <-timer.C:
		a.log.Warn("the last publish took too long: unsent samples stay in the outbox", "grace", a.options.Grace)
	}
	stop()
	<-done
}

func (a *Agent) close() error {
	var errs []error
	for _, f := range a.current().forwarders {
		if err := f.sink.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", f.cfg.ID, err))
		}
	}
	if err := a.store.Close(); err != nil {
		errs = append(errs, fmt.Errorf("close the store: %w", err))
	}
	a.log.Info("agent stopped")
	return errors.Join(errs...)
}

// Close gives up an Agent that was never run.
func (a *Agent) Close() error { return a.close() }

// stuckAfter is how long one exchange may take before the process counts as stuck: with its probes it is over after some four
// timeouts. A sweep may take longer: there are lines whose slaves take seconds for each of many reads.
const stuckAfter = 3 * time.Minute

// Healthy reports whether the process moves: the store takes samples and no line hangs in an exchange.
func (a *Agent) Healthy() error {
	errs := []error{a.store.Err()}
	for _, p := range a.current().pollers {
		view, _ := p.snapshot()
		if view.busySince > 0 && a.clock.Elapsed()-view.busySince > stuckAfter {
			errs = append(errs, fmt.Errorf("line %s hangs in one exchange for more than %v", p.cfg.Name, stuckAfter))
		}
	}
	return errors.Join(errs...)
}

// Ready reports whether lines and store work: every enabled line is open. The error says what does not.
func (a *Agent) Ready() error {
	if err := a.store.Err(); err != nil {
		return err
	}
	var errs []error
	if a.degraded != "" {
		errs = append(errs, errors.New("the store is in memory: "+a.degraded))
	}
	for _, p := range a.current().pollers {
		if view, _ := p.snapshot(); view.state != lineOK {
			errs = append(errs, fmt.Errorf("line %s is %s: %s", p.cfg.Name, view.state, view.err))
		}
	}
	return errors.Join(errs...)
}
