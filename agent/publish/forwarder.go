package publish

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/worker"
	"noi-agent/configs"
	"noi-agent/sinks"
	"noi-agent/store"
)

// attemptLimit limits the time of one attempt to publish. It is long enough for a slow modem, and short enough that a
// hanging connection ends within the cap of the backoff.
const attemptLimit = 60 * time.Second

// Forwarder publishes the samples of one integration in order, from the cursor of the integration in the outbox.
type Forwarder struct {
	cfg      *configs.Integration
	sink     Sink
	store    *store.Store
	clock    clock.Clock
	deviceID string
	log      *slog.Logger
	circuit  circuit
	draining <-chan struct{} // closed when there will be no new samples
	hurry    chan struct{}   // receives when an operator may have removed the cause of a failure; room for one
	sending  context.Context // context of the attempts: it ends stopGrace after Stop
	cut      context.CancelFunc
	rejects  worker.Repeats
	replays  *replays
	worker   *worker.Worker
	round    round
	ahead    ahead
	keys     keys
	packer   sinks.Packer
	flights  flights

	sent, received uint64 // bytes that are counted already

	droppedBefore uint64 // samples that were deleted unsent in earlier runs

	view view
}

// run publishes until ctx ends. It also ends when draining is closed and either no sample is left or an attempt has
// failed. It returns when no request is in flight.
func (f *Forwarder) run(ctx context.Context, draining <-chan struct{}) {
	f.draining = draining
	f.round.begin(f.clock.Elapsed(), f.store.Next())
	for ctx.Err() == nil && f.step(ctx) {
		// each step sends something or waits
	}
	for f.flights.n > 0 && f.land(nil) {
		// each has an end: that of its attempt, or stopGrace
	}
}

// step sends the samples that may be sent now, or waits until there are some. False: the forwarder ends.
func (f *Forwarder) step(ctx context.Context) bool {
	f.look()
	f.view.noteDrops(f.store.Dropped(f.cfg.ID))
	if f.flights.n > 0 && f.full() {
		return f.land(nil)
	}
	if pause := f.flights.takePause(); pause > 0 {
		f.ahead.forget()
		return f.pause(ctx, pause)
	}
	if !f.ahead.current() {
		if err := f.read(); err != nil {
			f.log.Error("outbox does not answer", "error", err)
			return false
		}
	}
	if f.ahead.pending > 0 && f.flights.n == 0 {
		if rest := f.circuit.takePause(); rest > 0 {
			f.ahead.forget()
			return f.wait(ctx, wait{most: rest}) != stopped
		}
	}
	if len(f.ahead.ready) == 0 {
		return f.nothing(ctx)
	}
	return f.next()
}

// nothing handles the case that no sample may be sent: it waits for the requests in flight, for the next round, for the
// clock, or for a new sample.
func (f *Forwarder) nothing(ctx context.Context) bool {
	a := f.ahead
	f.ahead.forget()
	switch {
	case f.flights.n > 0:
		f.flights.flow.slack()
		return f.land(a.changed)
	case a.pending == 0:
		return f.idle(ctx)
	case a.due == 0:
		return f.collect(ctx)
	case worker.Over(a.turned):
		return true // what is known of the clock is newer than what was read with the samples
	default:
		return f.waitForClock(ctx, a.hold, a.turned)
	}
}

// idle handles the case that no sample waits: it sends gaps, continues a replay, or waits for a new sample.
func (f *Forwarder) idle(ctx context.Context) bool {
	if worked, goesOn := f.meanwhile(ctx); worked {
		f.circuit.idle()
		return goesOn
	}
	end := f.wait(ctx, wait{most: f.round.left(f.clock.Elapsed()), changed: f.store.Changed(f.cfg.ID),
		asked: f.replays.asked})
	f.circuit.idle()
	return end != draining && end != stopped
}

// meanwhile does the work that needs no waiting sample: it sends gaps, then continues a replay. worked: there was
// something to do.
func (f *Forwarder) meanwhile(ctx context.Context) (worked, goesOn bool) {
	pause, worked, err := f.announce()
	if err != nil {
		f.log.Error("outbox does not settle", "error", err)
		return true, false
	}
	if !worked {
		pause, worked = f.replayWindow(ctx)
	}
	return worked, !worked || f.pause(ctx, pause)
}

// pause waits between two attempts. The end of the agent cuts the wait short for one last attempt, unless the cloud has
// asked for the wait; an attempt that fails after that is the last.
func (f *Forwarder) pause(ctx context.Context, pause time.Duration) bool {
	if pause <= 0 {
		return true
	}
	if worker.Over(f.draining) {
		return false
	}
	w := wait{most: pause, hurry: f.hurry}
	if f.circuit.asked {
		w.hurry = nil
	}
	if f.circuit.failing || f.circuit.refused {
		f.view.nextIn(pause)
		defer f.view.nextIn(0)
	}
	switch f.wait(ctx, w) {
	case stopped:
		return false
	case draining:
		return !f.circuit.asked
	default:
		return true
	}
}

// Outlook returns the state after a failure. waiting: an operator must act. left: the time until the next attempt.
// known is false if the forwarder does not wait for such an attempt.
func (f *Forwarder) Outlook() (waiting bool, left time.Duration, known bool) {
	v := f.view.now()
	return v.state == integrationWaiting, max(0, v.next-f.clock.Elapsed()), v.next > 0
}

// publish gives messages to the sink once, while no other request is in flight; completed is the time of the answer.
func (f *Forwarder) publish(messages []sinks.Message) (results []sinks.Result, completed time.Time) {
	f.hurried()
	results = f.ask(messages)
	completed = f.clock.Now()
	f.heard(results, completed)
	f.circuit.fit.landed(len(results), results)
	return results, completed
}

// hurried notes that the attempt of TryNow is being made.
func (f *Forwarder) hurried() {
	select {
	case <-f.hurry:
	default:
	}
}

// ask gives messages to the sink once. Several goroutines may call it at once if the sink allows this.
func (f *Forwarder) ask(messages []sinks.Message) []sinks.Result {
	limited, cancel := context.WithTimeout(f.sending, attemptLimit)
	defer cancel()
	results := f.sink.Publish(limited, messages)
	if len(results) == 0 || len(results) > len(messages) {
		panic(fmt.Sprintf("agent: sink %s gave %d results for %d messages", f.cfg.Type, len(results), len(messages)))
	}
	return results
}

// heard notes other facts after an answer: the bytes at the sockets, the refused kinds of samples, and the cloud's
// clock.
func (f *Forwarder) heard(results []sinks.Result, completed time.Time) {
	if err := f.traffic(); err != nil {
		f.log.Warn("bytes are not counted", "error", err)
	}
	if sink, ok := f.sink.(refuser); ok {
		f.view.noteRefusals(sink.Refuses(), completed)
	}
	f.view.noteSkew(results, completed)
}

// outcomeOf returns what the answer of a cloud means for the outbox. A sample without an answer stays pending.
func outcomeOf(o sinks.Outcome) store.Outcome {
	switch o {
	case sinks.Accepted:
		return store.Accepted
	case sinks.Reject:
		return store.Failed
	default:
		return store.Retrying
	}
}

// judge notes what the results mean for the integration, and returns the wait before the next attempt.
func (f *Forwarder) judge(results []sinks.Result, at time.Time) time.Duration {
	worst, rejected := sinks.Result{Outcome: sinks.Accepted}, sinks.Result{}
	accepted, after := 0, time.Duration(0)
	for _, r := range results {
		after = max(after, r.After)
		switch r.Outcome {
		case sinks.Accepted:
			accepted++
		case sinks.Reject:
			f.rejects.Failed(f.log, f.clock.Elapsed(), "messages rejected: they are set aside as dead letters", r)
			rejected = r
		case sinks.Wait:
			worst = r
		case sinks.Retry:
			if worst.Outcome == sinks.Accepted {
				worst = r
			}
		}
	}
	worst.After = after
	if accepted > 0 {
		if f.circuit.failing {
			f.round.open(f.store.Next()) // a backlog is not divided into rounds
		}
		f.circuit.succeeded(f.clock.Elapsed())
	}
	switch worst.Outcome {
	case sinks.Wait:
		f.view.failed(f.blamed(integrationWaiting, worst), worst, accepted, at)
		return f.circuit.failed(f.clock.Elapsed(), worst)
	case sinks.Retry:
		f.view.failed(f.blamed(integrationRetrying, worst), worst, accepted, at)
		return f.circuit.failed(f.clock.Elapsed(), worst)
	default:
		if accepted > 0 {
			f.view.succeeded(accepted, at, rejected)
			return 0
		}
		pause := f.circuit.rejected(len(results))
		if pause > 0 {
			f.view.failed(integrationWaiting, rejected, 0, at)
		} else {
			f.view.succeeded(0, at, rejected)
		}
		return pause
	}
}

// Options are the parts of a forwarder, except its integration. All are required.
type Options struct {
	Sink     Sink
	Store    *store.Store
	Clock    clock.Clock
	DeviceID string
	Log      *slog.Logger
	Bell     <-chan struct{} // receives when a fault or an alarm that the integration gets has changed
}

// New prepares a forwarder. It sends when it is started.
func New(in *configs.Integration, o Options) *Forwarder {
	state := integrationIdle
	if !in.Enabled {
		state = integrationPaused
	}
	log := o.Log.With("integration", cmp.Or(in.Name, in.ID), "type", in.Type)
	dropped := o.Store.Dropped(in.ID)
	return &Forwarder{
		cfg: in, sink: o.Sink, store: o.Store, clock: o.Clock, deviceID: o.DeviceID, log: log,
		circuit: newCircuit(newBackoff(o.DeviceID, in), newPacing(o.DeviceID, in)), hurry: make(chan struct{}, 1),
		view: view{clock: o.Clock, log: log, shown: shown{state: state, since: o.Clock.Now(),
			drops: worker.Trouble{N: dropped, Last: -worker.Recently}}},
		cut: func() {}, worker: worker.New(), replays: newReplays(),
		round:         newRound(o.DeviceID, in.PublishEvery, o.Bell),
		keys:          keys{},
		flights:       newFlights(in, o.Sink),
		droppedBefore: dropped,
	}
}

// Integration is the forwarder's configuration.
func (f *Forwarder) Integration() *configs.Integration { return f.cfg }

// Start begins to publish. The forwarder ends when ctx ends, or when draining is closed and either no sample is left or
// an attempt has failed.
func (f *Forwarder) Start(ctx context.Context, draining <-chan struct{}) {
	f.sending, f.cut = context.WithCancel(ctx)
	f.worker.Start(ctx, func(ctx context.Context) { f.run(ctx, draining) })
}

// Skip takes the place of Start for an integration that is paused.
func (f *Forwarder) Skip() { f.worker.Skip() }

// stopGrace is how long the requests in flight may take to end when the integration is edited. Messages of a request
// that is cut off are sent again, although the cloud may have them already. But a cloud that hangs must not block an
// operator for longer.
const stopGrace = 5 * time.Second

// Stop ends the publishing, and waits until the requests in flight have ended, for at most stopGrace.
func (f *Forwarder) Stop() {
	grace := time.AfterFunc(stopGrace, f.cut)
	defer grace.Stop()
	f.worker.Stop()
	f.cut()
}

// Done is closed when the publishing has ended.
func (f *Forwarder) Done() <-chan struct{} { return f.worker.Done() }

// CloseSink closes the sink of a forwarder that has ended.
func (f *Forwarder) CloseSink() error {
	if err := f.sink.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.cfg.ID, err)
	}
	return nil
}

// TryNow ends the wait after a failure, unless the cloud has asked for the wait. The next failure is followed by a wait
// again.
func (f *Forwarder) TryNow() {
	select {
	case f.hurry <- struct{}{}:
	default: // a try is already requested
	}
}
