package agent

import (
	"maps"
	"slices"
	"time"

	"noi-agent/modbus"
)

// Words for the state of a line and of a slave in the status.
const (
	lineOpening  = "opening"
	lineOK       = "ok"
	lineFailed   = "failed"
	lineDisabled = "disabled"

	slaveWaiting = "waiting" // nothing was asked since the line was opened
	slaveOK      = "ok"
	slaveSilent  = "silent"        // the last request was not answered
	slaveGarbled = "garbled"       // what came last made no reply
	slaveUnknown = "unknown_model" // it answers, but no family fits
	slaveOther   = "wrong_model"   // it says that it is of another family than the configuration says
	slaveNothing = "no_objects"    // it has none of the objects that the configuration lists
)

// lineView is a copy of what a poller knows, for the status. Its strings and slices are never changed
// after they were stored.
type lineView struct {
	state  string
	err    string
	since  time.Time // wall time since which err holds
	lost   uint64    // samples that no queue would take
	slaves []slaveView
	latest []map[string]reading // by slave, by object
	alarms []alarms             // by slave

	rivals     trouble // requests of another master
	collisions trouble

	busySince time.Duration // monotonic time since which an exchange of a sweep runs; 0 when none does
}

// recently is for how long a trouble that comes and goes is shown after it was seen last.
const recently = 10 * time.Minute

// trouble is something that is seen now and then.
type trouble struct {
	n     uint64
	since time.Time     // wall time of the first one of late
	last  time.Duration // monotonic time of the last one
}

// seen takes the count as it is now.
func (t *trouble) seen(n uint64, now time.Duration, wall time.Time) {
	if n == t.n {
		return
	}
	if !t.live(now) {
		t.since = wall
	}
	t.n, t.last = n, now
}

// live reports whether it was seen recently.
func (t trouble) live(now time.Duration) bool { return t.n > 0 && now-t.last < recently }

type slaveView struct {
	cfgID    int
	name     string
	code     string // the product code that it reports
	firmware string
	family   string
	state    string
	err      string
	since    time.Time
	lastGood time.Duration
	goodAt   time.Time
	told     bool // it told who it is, or need not
	asked    bool // it was asked, three times at least
	judged   judgement
	judgedAt time.Time
	polled   int
	noSample uint64
	reasons  map[string]uint64
	noValue  map[string]string
	missed   uint64
	skipped  uint64
	refused  []string
	lateness time.Duration
	learnt   string
}

// show copies the slaves' state for the status.
func (p *poller) show() {
	slaves := make([]slaveView, len(p.slaves))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.slaves {
		slaves[i] = viewOf(s)
		slaves[i].since = p.since(i, slaves[i])
	}
	p.view.slaves = slaves
	counters := p.line.Counters()
	p.view.rivals.seen(counters.Rivals, p.clock.elapsed(), p.clock.now())
	p.view.collisions.seen(counters.Collisions, p.clock.elapsed(), p.clock.now())
	if p.open {
		p.view.state = lineOK
	}
}

// since keeps the moment at which a slave got into the state it is in.
func (p *poller) since(i int, now slaveView) time.Time {
	if i < len(p.view.slaves) && p.view.slaves[i].state == now.state {
		return p.view.slaves[i].since
	}
	return p.clock.now()
}

func viewOf(s *slave) slaveView {
	v := slaveView{
		cfgID: s.cfg.ID, name: s.name(), code: s.identity.known.ProductCode, firmware: s.firmware(), state: stateOf(s), lastGood: s.lastGood, goodAt: s.goodAt,
		told: !s.nameless(), asked: s.identity.settled, judged: s.judged, judgedAt: s.judgedAt, noSample: s.noSample, reasons: maps.Clone(s.reasons), noValue: maps.Clone(s.noValue), missed: s.missed,
		refused: slices.Sorted(maps.Keys(s.refused)), lateness: s.lateness, learnt: s.learnt,
	}
	if s.family != nil && s.judged.finding != findingUnknown {
		v.family = s.family.Slug
	}
	if s.plan != nil {
		v.polled, v.skipped = len(s.plan.items), s.plan.skipped()
	}
	if s.lastErr != nil {
		v.err = s.lastErr.Error()
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
	default:
		return slaveOK
	}
}

// setError notes why the line is down; nil when it is open.
func (p *poller) setError(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.view.state, p.view.err = lineOK, ""
		return
	}
	if p.view.state != lineFailed {
		p.view.since = p.clock.now()
	}
	p.view.state, p.view.err = lineFailed, err.Error()
}

// remember keeps the latest values for the status.
func (p *poller) remember(s *slave, readings []reading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := slices.Index(p.slaves, s)
	for _, r := range readings {
		p.view.latest[n][r.object] = r
		p.view.alarms[n].see(r)
	}
}

// forget takes a value back that the slave no longer has, such as that of a sensor that was unplugged.
func (p *poller) forget(s *slave, object string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := slices.Index(p.slaves, s)
	delete(p.view.latest[n], object)
	delete(p.view.alarms[n], object)
}

// forgetAlarms drops what the controller reported that was there before.
func (p *poller) forgetAlarms(s *slave) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.view.alarms[slices.Index(p.slaves, s)])
}

func (p *poller) busy(since time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.view.busySince = since
}

func (p *poller) lose(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.view.lost += uint64(n)
}

// snapshot returns what status shows of the line.
func (p *poller) snapshot() (lineView, modbus.Counters) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view
	v.latest = make([]map[string]reading, len(p.view.latest))
	for i := range v.latest {
		v.latest[i] = maps.Clone(p.view.latest[i])
	}
	v.alarms = make([]alarms, len(p.view.alarms))
	for i := range v.alarms {
		v.alarms[i] = maps.Clone(p.view.alarms[i])
	}
	return v, p.line.Counters()
}
