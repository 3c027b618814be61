package poll

import (
	"context"
	"log/slog"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/worker"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

// The waits between two tries to open a port: an adapter that was plugged in again is found within seconds, and a port
// that stays missing costs almost nothing.
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
	asks       chan ask       // requests that a person has sent
	asked      bool           // such a request was done since the last read of the schedule
	worker     *worker.Worker
	started    time.Duration // monotonic
	round      uint64        // sweeps so far
	open       bool
	reopenAt   time.Duration
	reopen     time.Duration   // the last wait for the port
	reportedAt time.Duration   // time of the last report of gaps that continue
	phased     <-chan struct{} // closed when the schedules must move to UTC multiples; nil: they have done so

	board board // what the status shows
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
		p.board.busy(p.clock.Elapsed())
		p.round++
		s.served = p.round
		p.limit(s)
		p.sweep(ctx, s)
		p.board.busy(0)
		if p.open {
			p.works()
		}
	}
	for _, s := range p.slaves {
		if s.work != nil { // the next read ends at once, and the readings before it are handed on
			p.sweep(ctx, s)
		}
		p.handGaps(s)
	}
	p.out.give()
}

// network reports whether the line is reached over the network.
func (p *Poller) network() bool {
	scheme, _ := p.cfg.Network()
	return scheme != ""
}

// next returns the slave that needs the line first, and the time. If several slaves need the line at the same time,
// next returns the one that has waited longest. So on a line that is too slow all slaves are read.
func (p *Poller) next() (first *slave, at time.Duration) {
	for _, s := range p.slaves {
		t, ok := s.nextDue()
		if ok && (first == nil || t < at || t == at && s.served < first.served) {
			first, at = s, t
		}
	}
	return first, at
}

// waits returns true at the monotonic time at. If nothing is due, it waits without a limit. It returns false if
// something else came first: then the caller must compute the next due time again. Before a due read, the line makes
// at most one read that a person has requested.
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
	case a := <-p.asks: // a person's read comes before the schedule, one at a time
		a.answer(ctx, p)
		return false
	default:
	}
	select {
	case <-timer:
		return ctx.Err() == nil
	case <-p.phased:
		return false
	case a := <-p.asks:
		a.answer(ctx, p)
		return false
	case <-ctx.Done():
		return false
	}
}

// ready opens the port if it is closed. While the port stays closed, missed readings are counted, and none is queued.
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
		// The port caused the failures. No slave was asked since, and another one may be there now.
		s.lastErr, s.misses, s.pauseUntil, s.probeAt = nil, 0, 0, 0
		s.identity.reconsider()
	}
	p.open = true
	p.board.opened()
	if p.reopen == 0 { // otherwise works logs this
		p.log.Info("line open", "port", p.cfg.Port, "baud", p.cfg.Baud)
	}
	return true
}

// works ends the waits for the port. A successful open is not enough: an adapter that hangs, or a gateway that serves
// another program, can be opened again and again, and fails at the first byte.
func (p *Poller) works() {
	if p.reopen == 0 {
		return
	}
	p.reopen = 0
	p.repeat.Recovered(p.log, p.clock.Elapsed(), "line open again")
}

// portFailed closes the line, and sets the time of the next try.
func (p *Poller) portFailed(err error) {
	p.line.Close()
	p.line.PortFailed(err)
	for _, s := range p.slaves { // moments that passed before this keep their reason
		s.passOver(p.clock.Elapsed(), p.open)
	}
	p.open = false
	p.reopen = min(max(2*p.reopen, reopenFirst), reopenLimit)
	p.reopenAt = p.clock.Elapsed() + p.reopen
	p.board.failed(err, p.clock.Elapsed(), p.clock.Now())
	p.repeat.Failed(p.log, p.clock.Elapsed(), "line failed", err)
	for _, s := range p.slaves {
		s.miss(err, p.clock.Elapsed())
		s.dropUnidentified(objects.GapLine)
		s.work = nil // its readings are still due, and are read again when the port is back
	}
}

// Options are the parts of a poller, except its line. All but OpenPort are required.
type Options struct {
	Catalog  *objects.Catalog
	Version  string // of the agent; the second word of `fw_version`
	Clock    clock.Clock
	Log      *slog.Logger
	Sweeps   chan<- *Sweep                              // queue for sweeps; if it is full, a sweep is lost and counted
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
	}
	options.Sent = p.out.give
	p.line = modbus.NewLine(options)
	for i := range line.Slaves {
		p.slaves = append(p.slaves, newSlave(&line.Slaves[i], o.Catalog, p.started))
	}
	p.board.begin(len(p.slaves), o.Clock.Now())
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
