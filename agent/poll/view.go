package poll

import (
	"maps"
	"slices"
	"time"

	"noi-agent/agent/worker"
)

// lineView is the state of a line on the board. Its strings and slices do not change after they were stored.
type lineView struct {
	state  string
	err    string
	fault  error         // the same for programs
	since  time.Time     // wall time since which err holds
	begun  time.Duration // the same, monotonic
	holder string        // of a busy port: the program that probably has it open
	lost   uint64        // samples lost because the queue was full
	slaves []slaveView
	alarms []alarms // by slave; only in a snapshot

	rivals     worker.Trouble // requests of another master
	collisions worker.Trouble
	losses     worker.Trouble // samples lost because the queue was full
	noise      noise          // only the board uses its field seen
	garbledAt  time.Duration  // monotonic time at which a slave was last garbled; 0: never

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
	spell          // in which the state lasts
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
	tries    attempts
	skipped  uint64
	overrun  worker.Trouble // moments skipped
	refused  []string
	whys     map[string]error // of the refused objects
	refuses  time.Time        // wall time since which there are refused objects; zero: there are none
	nameless time.Time        // wall time since which it does not identify itself; zero: it does, or was not asked
	lateness time.Duration
	learnt   string
}

// show copies the slaves' state to the board.
func (p *Poller) show() {
	slaves := make([]slaveView, len(p.slaves))
	for i, s := range p.slaves {
		slaves[i] = viewOf(s)
	}
	p.board.show(slaves, p.line.Counters(), p.open, p.clock.Elapsed(), p.clock.Now())
}

// place returns the number of a slave on the board.
func (p *Poller) place(s *slave) int { return slices.Index(p.slaves, s) }

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
		tries: s.attempts(), whys: s.refused(), lateness: s.lateness, learnt: s.learnt,
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
