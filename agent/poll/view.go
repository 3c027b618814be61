package poll

import (
	"maps"
	"slices"
	"time"

	"noi-agent/agent/worker"
	"noi-agent/modbus"
)

// lineView is a copy of a poller's data, for the status. Its strings and slices do not change after they were stored.
type lineView struct {
	state  string
	err    string
	fault  error         // the same for programs
	since  time.Time     // wall time since which err holds
	begun  time.Duration // the same, monotonic
	holder string        // of a busy port: the program that probably has it open
	lost   uint64        // samples lost because the queue was full
	slaves []slaveView
	latest []map[string]reading // by slave, by object
	orders []order              // of these: by slave
	alarms []alarms             // by slave

	rivals     worker.Trouble // requests of another master
	collisions worker.Trouble
	losses     worker.Trouble // samples lost because the queue was full

	busySince time.Duration // monotonic time at which the present exchange of a sweep began; 0: none
}

type slaveView struct {
	cfgID    int
	name     string
	code     string // the product code that it reports
	firmware string
	family   string
	state    string
	err      string
	fault    error // the same for programs
	since    time.Time
	begun    time.Duration // the same, monotonic
	lastGood time.Duration
	goodAt   time.Time
	named    bool // its product code is known
	asked    bool // it was asked, three times at least
	judged   judgement
	judgedAt time.Time
	polled   int
	read     int // number of polled objects that were read since the start
	noSample uint64
	reasons  map[string]uint64
	noValue  map[string]string
	missed   uint64
	skipped  uint64
	overrun  worker.Trouble // moments skipped
	refused  []string
	whys     map[string]error // of the refused objects
	refuses  time.Time        // wall time since which there are refused objects; zero: there are none
	nameless time.Time        // wall time since which it does not identify itself; zero: it does, or was not asked
	lateness time.Duration
	learnt   string
}

// show copies the slaves' state for the status.
func (p *Poller) show() {
	slaves := make([]slaveView, len(p.slaves))
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	for i, s := range p.slaves {
		before := slaveView{}
		if i < len(p.view.slaves) {
			before = p.view.slaves[i]
		}
		slaves[i] = viewOf(s)
		slaves[i].follow(before, p.clock.Elapsed(), now)
	}
	p.view.slaves = slaves
	counters := p.line.Counters()
	p.view.losses.Seen(p.view.lost, p.clock.Elapsed(), now)
	p.view.rivals.Seen(counters.Rivals, p.clock.Elapsed(), p.clock.Now())
	p.view.collisions.Seen(counters.Collisions, p.clock.Elapsed(), p.clock.Now())
	if p.open {
		p.view.state = LineOK
	}
}

// follow keeps the times since which the shown states last.
func (v *slaveView) follow(before slaveView, elapsed time.Duration, now time.Time) {
	v.since, v.begun = now, elapsed
	if before.state == v.state || before.unheard() && v.unheard() {
		v.since, v.begun = before.since, before.begun
	}
	v.overrun = before.overrun
	v.overrun.Seen(v.skipped, elapsed, now)
	v.refuses = since(before.refuses, len(v.refused) > 0, now)
	v.nameless = since(before.nameless, v.state == SlaveOK && v.asked && !v.named, now)
}

// unheard reports whether no valid answer of the slave arrives. With noise the slave may be silent and garbled in turn.
// This is one problem, which must not disappear between the two because a new problem is not shown at once.
func (v *slaveView) unheard() bool { return v.state == slaveSilent || v.state == slaveGarbled }

// since returns the time since which a condition holds: the time of before, now, or zero if it does not hold.
func since(before time.Time, is bool, now time.Time) time.Time {
	switch {
	case !is:
		return time.Time{}
	case before.IsZero():
		return now
	}
	return before
}

func viewOf(s *slave) slaveView {
	v := slaveView{
		cfgID: s.cfg.ID, name: s.name(), code: s.identity.known.ProductCode, firmware: s.firmware(), state: stateOf(s),
		lastGood: s.lastGood, goodAt: s.goodAt,
		named: !s.nameless(), asked: s.identity.settled, judged: s.judged, judgedAt: s.judgedAt, noSample: s.noSample,
		reasons: maps.Clone(s.reasons), noValue: maps.Clone(s.noValue), missed: s.missed,
		whys: s.refused(), lateness: s.lateness, learnt: s.learnt,
	}
	v.refused = slices.Sorted(maps.Keys(v.whys))
	if s.family != nil && s.judged.finding != findingUnknown {
		v.family = s.family.Slug
	}
	if s.plan != nil {
		v.polled, v.skipped = len(s.plan.items), s.plan.skipped()
		for i := range s.plan.items {
			if s.plan.items[i].read {
				v.read++
			}
		}
	}
	if s.lastErr != nil {
		v.err, v.fault = s.lastErr.Error(), s.lastErr
	}
	if v.state != slaveSilent && v.state != slaveGarbled && s.judged.barred() {
		v.err = firstNonEmpty(s.judged.why, v.err)
	}
	return v
}

func stateOf(s *slave) string {
	switch {
	case s.lastErr == nil && !s.answered:
		return slaveWaiting
	case !s.answered && fateOf(s.lastErr) == fateDamaged:
		return slaveGarbled
	case !s.answered:
		return slaveSilent
	case s.judged.finding == findingOther:
		return slaveOther
	case s.judged.finding == findingNothing:
		return slaveNothing
	case s.judged.barred():
		return slaveUnknown
	case s.refusing():
		return slaveRefusing
	default:
		return SlaveOK
	}
}

// refusing reports whether the slave answers, but gives no object.
func (s *slave) refusing() bool {
	return s.plan != nil && isReply(s.lastErr) &&
		!slices.ContainsFunc(s.plan.items, func(it item) bool { return it.read })
}

// setError notes why the line is down; nil when it is open.
func (p *Poller) setError(err error) {
	holder := ""
	if modbus.IsBusy(err) {
		holder = modbus.Holder("/proc")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.view.state, p.view.err, p.view.fault = LineOK, "", nil
		return
	}
	if p.view.state != lineFailed {
		p.view.since, p.view.begun = p.clock.Now(), p.clock.Elapsed()
	}
	p.view.state, p.view.err, p.view.fault, p.view.holder = lineFailed, err.Error(), err, holder
}

// remember keeps the latest values for the status.
func (p *Poller) remember(s *slave, readings []reading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := slices.Index(p.slaves, s)
	for _, r := range readings {
		if !r.none {
			p.view.latest[n][r.object] = r
			p.view.alarms[n].see(r)
		}
	}
}

// forget removes a value that the slave no longer has, for example of a sensor that was unplugged.
func (p *Poller) forget(s *slave, object string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := slices.Index(p.slaves, s)
	delete(p.view.latest[n], object)
	delete(p.view.alarms[n], object)
}

// forgetAlarms drops the faults and alarms of the controller before.
func (p *Poller) forgetAlarms(s *slave) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.view.alarms[slices.Index(p.slaves, s)])
}

func (p *Poller) busy(since time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.view.busySince = since
}

func (p *Poller) lose(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.view.lost += uint64(n)
}

// snapshot returns the data of the line for the status, without the latest values.
func (p *Poller) snapshot() (lineView, modbus.Counters) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view
	v.latest = nil // Latest lists them
	v.alarms = make([]alarms, len(p.view.alarms))
	for i := range v.alarms {
		v.alarms[i] = maps.Clone(p.view.alarms[i])
	}
	return v, p.line.Counters()
}
