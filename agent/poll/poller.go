package poll

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/worker"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

// Waits of a line that cannot be opened: an adapter that was plugged in again is found within seconds, and a
// port that never comes costs next to nothing.
const (
	reopenFirst = time.Second
	reopenLimit = 15 * time.Second
)

// Poller reads the slaves of one line. Its goroutine owns the line: nothing else uses the port.
type Poller struct {
	cfg        *configs.Line
	settings   modbus.Settings
	line       *modbus.Line
	catalog    *objects.Catalog
	version    string
	clock      clock.Clock
	log        *slog.Logger
	out        handover
	slaves     []*slave
	repeat     worker.Repeats // faults of the port, and of the queue to the store
	asks       chan ask       // reads that a person wants now
	asked      bool           // one was answered since the schedule had its turn
	worker     *worker.Worker
	started    time.Duration // monotonic
	round      uint64        // sweeps so far
	open       bool
	reopenAt   time.Duration
	reopen     time.Duration   // the last wait for the port
	reportedAt time.Duration   // when gaps that continue were reported last
	phased     <-chan struct{} // closed when the schedules are to find their phase again; nil: they have it

	mu   sync.Mutex
	view lineView // what status shows; a copy, so that status never waits for the line
}

// run polls until ctx ends. It returns within one exchange.
func (p *Poller) run(ctx context.Context) {
	defer p.line.Close()
	for _, s := range p.slaves {
		p.line.SetUnit(byte(s.cfg.ID), s.cfg.Timeout, s.cfg.Gap)
		if s.family != nil {
			p.adopt(s, s.family)
		}
	}
	for ctx.Err() == nil {
		p.show()
		p.rephase()
		p.reportSoFar()
		if !p.ready(ctx) {
			continue
		}
		s, at := p.next()
		if !p.waits(ctx, s != nil, at) {
			continue
		}
		p.busy(p.clock.Elapsed())
		p.round++
		s.served = p.round
		p.limit(s)
		p.sweep(ctx, s)
		p.busy(0)
		if p.open {
			p.works()
		}
	}
	for _, s := range p.slaves {
		if s.work != nil { // the read that was next ends at once, and what came before it is handed on
			p.sweep(ctx, s)
		}
		p.handGaps(s)
	}
	p.out.give()
	p.lose(p.out.samples())
}

// network reports whether the line is reached over the network.
func (p *Poller) network() bool {
	scheme, _ := p.cfg.Network()
	return scheme != ""
}

// next returns the slave that wants the line first, and when. Of those that want it at the same time it is the one that
// has waited longest, so that on a line that is too slow all come to their turn.
func (p *Poller) next() (first *slave, at time.Duration) {
	for _, s := range p.slaves {
		t, ok := s.nextDue()
		if ok && (first == nil || t < at || t == at && s.served < first.served) {
			first, at = s, t
		}
	}
	return first, at
}

// waits until the monotonic time at, or for ever when nothing is due. False: something else came first, look again.
// What is due comes after at most one read that a person wants.
func (p *Poller) waits(ctx context.Context, due bool, at time.Duration) bool {
	asked := p.asked
	p.asked = false
	now := due && at <= p.clock.Elapsed()
	if !now {
		p.out.give()
	}
	if asked && now {
		return ctx.Err() == nil
	}
	var timer <-chan time.Time
	if due {
		t := time.NewTimer(at - p.clock.Elapsed())
		defer t.Stop()
		timer = t.C
	}
	select {
	case a := <-p.asks: // a person at a keyboard comes before the schedule, one read at a time
		p.answer(ctx, a)
		return false
	default:
	}
	select {
	case <-timer:
		return ctx.Err() == nil
	case <-p.phased:
		return false
	case a := <-p.asks:
		p.answer(ctx, a)
		return false
	case <-ctx.Done():
		return false
	}
}

// ready opens the port when it is closed. While it stays closed the misses are counted and nothing is queued.
func (p *Poller) ready(ctx context.Context) bool {
	if p.open {
		return true
	}
	if !p.waits(ctx, true, p.reopenAt) {
		return false
	}
	for _, s := range p.slaves {
		if s.plan != nil {
			s.missed += s.plan.passOver(p.clock.Elapsed(), objects.GapLine)
		}
	}
	if err := p.line.Open(); err != nil {
		p.portFailed(err)
		return false
	}
	for _, s := range p.slaves {
		// That was the port's fault; the slave has not been asked since, and it may be another one.
		s.lastErr, s.misses, s.pauseUntil, s.probeAt = nil, 0, 0, 0
		s.identity.reconsider()
	}
	p.open = true
	p.setError(nil)
	if p.reopen == 0 { // else works logs it
		p.log.Info("line open", "port", p.cfg.Port, "baud", p.cfg.Baud)
	}
	return true
}

// works ends the waits for the port. That it opens does not do: an adapter that hangs, or a gateway that serves
// another program, can be opened again and again, and fails at the first byte.
func (p *Poller) works() {
	if p.reopen == 0 {
		return
	}
	p.reopen = 0
	p.repeat.Recovered(p.log, p.clock.Elapsed(), "line open again")
}

// portFailed closes the line and sets the next moment to try.
func (p *Poller) portFailed(err error) {
	p.line.Close()
	p.line.PortFailed(err)
	for _, s := range p.slaves { // what passed before this has the reason that there was then
		p.passOver(s)
	}
	p.open = false
	p.reopen = min(max(2*p.reopen, reopenFirst), reopenLimit)
	p.reopenAt = p.clock.Elapsed() + p.reopen
	p.setError(err)
	p.repeat.Failed(p.log, p.clock.Elapsed(), "line failed", err)
	for _, s := range p.slaves {
		s.miss(err, p.clock.Elapsed())
		p.dropUnidentified(s, objects.GapLine)
		s.work = nil // what it had read is due still, and asked again when the port is back
	}
}

// Options are what a poller is made of, beside its line. All but OpenPort are needed.
type Options struct {
	Catalog  *objects.Catalog
	Version  string // of the agent; the second word of `fw_version`
	Clock    clock.Clock
	Log      *slog.Logger
	Sweeps   chan<- *Sweep                              // what was read; a sweep that finds it full is counted as lost
	OpenPort func(modbus.Settings) (modbus.Port, error) // nil opens the real port
}

// New prepares a poller. The port is opened when it starts.
func New(line *configs.Line, o Options) *Poller {
	settings := PortSettings(line)
	log := o.Log.With("line", line.Name)
	options := modbus.Options{
		Settings: settings, Timeout: line.Timeout, Echo: modbus.Echo(line.Echo), Now: o.Clock.Now, Logger: log,
	}
	if o.OpenPort != nil {
		options.Open = func() (modbus.Port, error) { return o.OpenPort(settings) }
	}
	p := &Poller{
		cfg: line, settings: settings, catalog: o.Catalog, version: o.Version,
		clock: o.Clock, log: log, out: handover{out: o.Sweeps}, asks: make(chan ask), worker: worker.New(),
		started: o.Clock.Elapsed(), phased: o.Clock.Wall.Rephasing(),
		view: lineView{state: lineOpening, since: o.Clock.Now()},
	}
	options.Sent = p.out.give
	p.line = modbus.NewLine(options)
	for i := range line.Slaves {
		p.slaves = append(p.slaves, newSlave(&line.Slaves[i], o.Catalog, p.started))
		p.view.latest = append(p.view.latest, map[string]reading{})
		p.view.alarms = append(p.view.alarms, alarms{})
	}
	return p
}

// Line is the configuration of the poller's line.
func (p *Poller) Line() *configs.Line { return p.cfg }

// Start begins to poll until ctx ends.
func (p *Poller) Start(ctx context.Context) { p.worker.Start(ctx, p.run) }

// Stop ends the polling, and waits for its end.
func (p *Poller) Stop() { p.worker.Stop() }

// Done is closed when the polling has ended.
func (p *Poller) Done() <-chan struct{} { return p.worker.Done() }
