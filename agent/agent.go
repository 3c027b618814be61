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
	"noi-agent/agent/history"
	"noi-agent/agent/poll"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/store"
)

// defaultGrace is how long the last publish may take after the agent was asked to end.
const defaultGrace = 10 * time.Second

// Options of an Agent. Config, Catalog, Version, NewSink and Logger are required.
type Options struct {
	Config  *configs.Config
	Catalog *objects.Catalog
	Version string // of the agent; the second word of `fw_version`
	Logger  *slog.Logger

	// NewSink makes the sink of an integration. It must not wait for the network: an unavailable cloud is an outcome of
	// Publish. After an error the integration's samples are kept, and the status shows the error.
	NewSink func(in configs.Integration, deviceID string) (publish.Sink, error)

	// CheckStore checks a store after an unclean stop, in a child process (store.InChild). nil: the check is in this
	// process, and a damaged file can end the process.
	CheckStore func(ctx context.Context, path string) error

	// Memory is a directory in memory for the outbox of an agent whose disk fails repeatedly; "": there is no such
	// outbox, and the agent ends after each failure.
	Memory string

	// OpenPort opens the port of a line; nil: the real port is opened.
	OpenPort func(modbus.Settings) (modbus.Port, error)

	Time    clock.Source         // sources that tell whether Now is right; zero: none
	Now     func() time.Time     // wall time; nil: time.Now
	Elapsed func() time.Duration // monotonic time since the start, above zero; nil: the system's
	Grace   time.Duration        // longest time for the last publish at the end; 0: 10 s
}

// Agent is the running program: lines, outbox and forwarders. Make one with New, run it once with Run.
type Agent struct {
	options    Options
	clock      clock.Clock
	log        *slog.Logger
	deviceID   string
	started    time.Time
	booted     time.Time // time of the boot, by the same clock as started
	store      *store.Store
	recovery   store.Recovery // how the store was opened
	noted      atomic.Bool    // an operator has acknowledged the gaps of a replaced store
	failures   failures
	degraded   string        // why the store is in memory; "": it is not
	left       *gapsLeft     // gaps of an outbox in memory, if this start returned to the disk
	probes     time.Duration // time between two probes of the disk
	began      time.Duration // monotonic time of New
	sampler    *sampler
	history    *history.Store // nil: none is kept
	signals    alarmSignals
	sweeps     chan *poll.Sweep
	reloads    chan reload
	ending     chan struct{} // closed when Run takes no reload any more
	configFile configFile
	replays    atomic.Uint64 // number of requested replays
	abort      chan struct{}
	abortOnce  sync.Once

	mu      sync.Mutex // guards workers, which a reload changes
	workers workers
}

// workers are the goroutines of the active configuration.
type workers struct {
	config     *configs.Config
	catalog    *objects.Catalog
	pollers    []*poll.Poller       // of the enabled lines
	forwarders []*publish.Forwarder // of all integrations
}

// current returns the present workers. Their slices never change.
func (a *Agent) current() workers {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.workers
}

// New opens the store and prepares everything; nothing runs yet. It fails only if the agent could not keep samples at
// all: the state directory is not writable, or another agent uses the store. A damaged store is replaced, and the
// status shows this. An unavailable port or cloud is no error.
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
		sweeps: make(chan *poll.Sweep, queuedSweeps), reloads: make(chan reload), abort: make(chan struct{}),
		ending: make(chan struct{}),
		probes: probeEvery,
	}
	a.failures, a.began = failuresOf(a.usableMemory(o.Memory), o.Config.StateDir), a.clock.Elapsed()
	a.booted = a.clock.Wall.BootedAt()
	if err := a.openStore(); err != nil {
		return nil, err
	}
	a.workers = workers{config: o.Config, catalog: o.Catalog}
	a.configFile.taken(o.Now(), nil)
	for i := range o.Config.Lines {
		if o.Config.Lines[i].Enabled {
			a.workers.pollers = append(a.workers.pollers, poll.New(&o.Config.Lines[i], a.pollerOptions(o.Catalog)))
		}
	}
	for i := range o.Config.Integrations {
		a.workers.forwarders = append(a.workers.forwarders, a.newForwarder(&o.Config.Integrations[i]))
	}
	_, uptime := a.clock.Wall.Read()
	a.history = history.New(time.Duration(o.Config.Status.History), uptime)
	a.store.KeepAccounts(sampled(o.Config, o.Catalog)) // before the ledger reads them
	a.sampler = &sampler{store: a.store, history: a.history, log: a.log.With("part", "store"), in: a.sweeps,
		ledger: newLedger(a.store.Run(), a.store.Accounts()), alarms: map[objectKey]string{},
		changes: changes{elapsed: a.clock.Elapsed}, signals: &a.signals}
	a.sampler.ledger.standsIn = a.degraded != ""
	a.sampler.route(o.Config.Integrations, uptime)
	return a, nil
}

// sampled returns the objects that a configuration samples. For a slave with `model: auto` these are the objects that
// it may have in any family.
func sampled(c *configs.Config, catalog *objects.Catalog) map[store.Accounted]bool {
	out := map[store.Accounted]bool{}
	for i := range c.Lines {
		line := &c.Lines[i]
		if !line.Enabled {
			continue
		}
		for j := range line.Slaves {
			slave := &line.Slaves[j]
			unit := objects.Source{Line: line.Name, UnitID: uint8(slave.ID)}.Unit()
			families := catalog.Families()
			if family, named := slave.Family(catalog); named {
				families = []*objects.Family{family}
			}
			for _, family := range families {
				for _, polled := range slave.Polled(family) {
					out[store.Accounted{Unit: unit, Object: polled.Object.Name}] = true
				}
			}
		}
	}
	return out
}

func (a *Agent) openStore() error {
	c := a.options.Config
	path := filepath.Join(c.StateDir, "noi.db")
	st, recovery, err := a.recoverStore(path, store.Options{
		Limits: a.limits(c), Now: a.options.Now, Clock: storeClock(a.clock.Wall), Logger: a.log.With("part", "store"),
	})
	if err != nil {
		return err // it names the store and its path
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

// storeClock returns the clock of the store.
func storeClock(wall *clock.Wall) store.Clock {
	source := wall.Source()
	return store.Clock{Boot: source.Boot, Uptime: source.Uptime, Floor: source.Built, Good: wall.Ages, Old: wall.Old}
}

// limits returns the limits of outbox and trigger log in a configuration. An outbox in memory stays small.
func (a *Agent) limits(c *configs.Config) store.Limits {
	b, t := c.Buffer, c.Triggers
	l := store.Limits{
		MaxSize: int64(b.MaxSize), RejectNewest: b.WhenFull == configs.RejectNewest, MaxAge: b.MaxAge,
		RetainAfterAck: b.RetainAfterAck,
		CommitEvery:    b.CommitEvery, KeepTriggers: t.Keep, FlushTriggers: t.FlushEvery,
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
		list[i] = store.Integration{ID: c.Integrations[i].ID, Topic: c.Integrations[i].Destination(),
			AlarmsFirst: c.Integrations[i].CatchUp.AlarmsFirst, GapMessages: c.Integrations[i].Gaps}
	}
	return list
}

// pollerOptions returns the options of all pollers.
func (a *Agent) pollerOptions(catalog *objects.Catalog) poll.Options {
	return poll.Options{
		Catalog: catalog, Version: a.options.Version, Clock: a.clock, Log: a.log, Sweeps: a.sweeps,
		OpenPort: a.options.OpenPort,
	}
}

// newForwarder makes the forwarder of an integration. If no sink can be made, the forwarder gets a sink that fails.
func (a *Agent) newForwarder(in *configs.Integration) *publish.Forwarder {
	sink, err := a.options.NewSink(*in, a.deviceID)
	if err != nil {
		sink = publish.Broken(err)
	}
	return publish.New(in, publish.Options{
		Sink: sink, Store: a.store, Clock: a.clock, DeviceID: a.deviceID, Log: a.log, Bell: a.signals.of(in.ID),
	})
}

// DeviceID returns the identity of this gateway.
func (a *Agent) DeviceID() string { return a.deviceID }

// RunNumber counts the starts of the agent with this store, from 1.
func (a *Agent) RunNumber() uint64 { return a.store.Run() }

// Abort ends the grace period of a shutdown at once. Unsent samples stay in the outbox.
func (a *Agent) Abort() { a.abortOnce.Do(func() { close(a.abort) }) }

// Run polls and publishes until ctx ends, then shuts down in order: stop polling, commit, a last publish within the
// grace period, settle, close. It returns when every goroutine has ended; the error is the store's if the store has
// stopped, because the agent cannot promise anything after that.
func (a *Agent) Run(ctx context.Context) error {
	a.log.Info("agent started", "version", a.options.Version, "device_id", a.deviceID,
		"lines", len(a.workers.pollers), "integrations", len(a.workers.forwarders), "run", a.store.Run())
	w := lifetimes{draining: make(chan struct{})}
	var stopPolling, stopPublishing context.CancelFunc
	w.polling, stopPolling = context.WithCancel(ctx)
	defer stopPolling()
	w.publishing, stopPublishing = context.WithCancel(context.WithoutCancel(ctx))
	defer stopPublishing()

	var failure error
	sampled := make(chan struct{})
	go func() { defer close(sampled); failure = a.sampler.run(w.publishing) }()
	go a.clock.Wall.Run(w.publishing)
	w.start(a.workers.pollers, a.workers.forwarders)
	diskBack := a.diskBack(w.publishing)

	var ended error
	watch, problems := time.NewTicker(problemsEvery), problemLog{}
	defer watch.Stop()
	for running := true; running; {
		select {
		case <-watch.C:
			problems.note(a.log, a.Status().Problems)
			continue
		case r := <-a.reloads:
			r.done <- a.apply(w, r)
			continue
		case <-ctx.Done():
			a.log.Info("stopping: no more polling")
		case <-sampled: // no sample can be stored any more
		case <-a.store.Fatal():
		case <-diskBack:
			ended = errDiskBack
		}
		running = false
	}
	close(a.ending)
	stopPolling()
	for _, p := range a.workers.pollers {
		<-p.Done()
	}
	close(a.sweeps)
	<-sampled
	close(w.draining)
	a.lastPublish(stopPublishing)
	<-a.clock.Wall.Ended
	a.countFailure(a.store.Err())
	return errors.Join(ended, failure, a.store.Err(), a.Close())
}

// lastPublish waits for the forwarders during the grace period, or until Abort.
func (a *Agent) lastPublish(stop context.CancelFunc) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, f := range a.workers.forwarders {
			<-f.Done()
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

// Close closes the store and the sinks. Run calls it at its end, so only an Agent that never ran needs it.
func (a *Agent) Close() error {
	var errs []error
	for _, f := range a.current().forwarders {
		errs = append(errs, f.CloseSink())
	}
	if err := a.store.Close(); err != nil {
		errs = append(errs, fmt.Errorf("close the store: %w", err))
	}
	a.log.Info("agent stopped")
	return errors.Join(errs...)
}

// Healthy reports whether the process works: the store accepts samples, and no line hangs in an exchange.
func (a *Agent) Healthy() error {
	errs := []error{a.store.Err()}
	for _, p := range a.current().pollers {
		errs = append(errs, p.Healthy())
	}
	return errors.Join(errs...)
}

// Ready reports whether the store works and every enabled line is open. The error names the part that does not work.
// Controllers that are silent or refuse reads do not count, because a restart would not help.
func (a *Agent) Ready() error {
	if err := a.store.Err(); err != nil {
		return err
	}
	var errs []error
	if a.degraded != "" {
		errs = append(errs, errors.New("the store is in memory: "+a.degraded))
	}
	for _, p := range a.current().pollers {
		errs = append(errs, p.Ready())
	}
	return errors.Join(errs...)
}
