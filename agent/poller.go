package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"noi-agent/agent/clock"
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

// reading is one object's value as the line gave it, before it has a number.
type reading struct {
	object string
	unit   string
	alarm  bool     // its object is marked as one
	active []string // what of it is active then: names of bits, or of a state
	value  objects.Value
	none   bool // the reply held no value; what was missing before it is a gap all the same
	at     time.Time
	booted time.Time // moment of the boot by the clock that gave at
}

// taken is the outcome of one sweep, on its way from a poller to the sampler.
type taken struct {
	source   objects.Source
	names    []string // words by which filters may mean the slave
	family   *objects.Family
	nameless bool // its product code is not known: filters by product code may mean it too
	samples  []objects.Sample
	every    []time.Duration // the log interval of each
	gaps     []objects.Gap   // what is missing before them: object, from, to, count and reason
	due      []time.Duration // the log interval of the object of each gap
	bootedAt time.Time       // of the machine, by the clock that stamped the samples
	unsure   bool            // nobody knows whether that clock is right
}

// poller reads the slaves of one line. Its goroutine owns the line: nobody else touches the port.
type poller struct {
	cfg      *configs.Line
	settings modbus.Settings
	line     *modbus.Line
	catalog  *objects.Catalog
	version  string
	clock    clock.Clock
	log      *slog.Logger
	out      chan<- taken
	slaves   []*slave
	repeat   repeats  // faults of the port, and of the queue to the store
	asks     chan ask // reads that somebody wants now
	asked    bool     // one was answered since the schedule had its turn
	post     *post
	started  time.Duration // monotonic
	round    uint64        // sweeps so far
	open     bool
	reopenAt time.Duration
	reopen   time.Duration   // the last wait for the port
	toldAt   time.Duration   // when gaps that go on were told last
	phased   <-chan struct{} // closed when the schedules are to find their phase anew; nil: they have it

	mu   sync.Mutex
	view lineView // what status shows; a copy, so that status never waits for the line
}

// run polls until ctx ends. It returns within one exchange.
func (p *poller) run(ctx context.Context) {
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
		p.tellSoFar()
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
}

// network reports whether the line is reached over the network.
func (p *poller) network() bool {
	scheme, _ := p.cfg.Network()
	return scheme != ""
}

// next returns the slave that wants the line first, and when. Of those that want it at the same time it is the one that has
// waited longest, so that on a line that is too slow all come to their turn.
func (p *poller) next() (first *slave, at time.Duration) {
	for _, s := range p.slaves {
		t, ok := s.nextDue()
		if ok && (first == nil || t < at || t == at && s.served < first.served) {
			first, at = s, t
		}
	}
	return first, at
}

// waits until the monotonic time at, or for ever when nothing is due. False: something else came first, look again. What
// is due comes after at most one read that somebody wants.
func (p *poller) waits(ctx context.Context, due bool, at time.Duration) bool {
	asked := p.asked
	p.asked = false
	if asked && due && at <= p.clock.Elapsed() {
		return ctx.Err() == nil
	}
	var timer <-chan time.Time
	if due {
		t := time.NewTimer(at - p.clock.Elapsed())
		defer t.Stop()
		timer = t.C
	}
	select {
	case a := <-p.asks: // somebody at a keyboard comes before the schedule, one read at a time
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
func (p *poller) ready(ctx context.Context) bool {
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
		s.lastErr, s.misses, s.rest, s.probeAt = nil, 0, 0, 0
		s.identity.reconsider()
	}
	p.open = true
	p.setError(nil)
	if p.reopen == 0 { // else works tells
		p.log.Info("line open", "port", p.cfg.Port, "baud", p.cfg.Baud)
	}
	return true
}

// works ends the waits for the port. That it opens does not do: an adapter that hangs, or a gateway that serves somebody else,
// can be opened again and again, and fails at the first byte.
func (p *poller) works() {
	if p.reopen == 0 {
		return
	}
	p.reopen = 0
	p.repeat.recovered(p.log, p.clock.Elapsed(), "line open again")
}

// portFailed closes the line and sets the next moment to try.
func (p *poller) portFailed(err error) {
	p.line.Close()
	p.open = false
	p.reopen = min(max(2*p.reopen, reopenFirst), reopenLimit)
	p.reopenAt = p.clock.Elapsed() + p.reopen
	p.setError(err)
	p.repeat.failed(p.log, p.clock.Elapsed(), "line failed", err)
	for _, s := range p.slaves {
		s.miss(err, p.clock.Elapsed())
		p.dropHeld(s, objects.GapLine)
		s.work = nil // what it had read is due still, and asked again when the port is back
	}
}
