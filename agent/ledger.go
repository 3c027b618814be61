package agent

import (
	"time"

	"noi-agent/objects"
)

// objectKey is an object of one slave.
type objectKey struct{ unit, object string }

// ledger numbers the samples of each object through the run and knows which are missing: what was due and did not come takes
// numbers too, so that whoever counts the messages finds either the sample or the gap. The sampler owns it.
type ledger struct {
	run  uint64
	seq  map[objectKey]uint64 // the last number given
	down time.Time            // when the run before was last known to be alive; zero: there was none, or all is told
	new  []newcomer           // first samples of this run whose true time is not known yet
	held []heldGap            // gaps of which the same is true
	fold map[foldKey]int      // of these, the last one of an object and reason, to which more is added
	who  map[string]who       // the slaves by unit, for the filters of the integrations
}

// who is what filters know a slave by.
type who struct {
	line   string
	unitID int
	names  []string

	family   *objects.Family
	nameless bool // its product code is not known
}

// heldGap is a gap by a clock that may be wrong.
type heldGap struct {
	objects.Gap
	booted time.Time // when the machine was started, by that clock
}

// maxHeld is how many of them stay single, half of what the log keeps. On a gateway that never learns the time what is
// missing then is added to one gap for each object and reason: from the first to the last, with the count of all.
const maxHeld = 2048

// foldKey is what such gaps have in common. Reasons are a handful of texts, and objects those of the configuration.
type foldKey struct{ unit, object, reason string }

// newcomer is an object's first sample in this run, or the first that was due.
type newcomer struct {
	objectKey
	every  time.Duration // its log interval
	uptime time.Duration // from the boot to the sample
}

func newLedger(run uint64, down time.Time) *ledger {
	return &ledger{run: run, seq: map[objectKey]uint64{}, fold: map[foldKey]int{}, down: down, who: map[string]who{}}
}

// number gives the samples of a sweep their numbers, and the gaps before them those that are missing. It returns the gaps, and
// with them those of the time when the agent was down, once it is known how long that was.
func (l *ledger) number(t *taken) []objects.Gap {
	unit := t.source.Unit()
	l.who[unit] = who{t.source.Line, int(t.source.UnitID), t.names, t.family, t.nameless}
	l.welcome(unit, t)
	for i := range t.gaps {
		g := &t.gaps[i]
		key := objectKey{unit, g.Object}
		g.Unit, g.Run, g.First = unit, l.run, l.seq[key]+1
		l.seq[key] += g.Count
		g.Last = l.seq[key]
	}
	gaps := l.hold(t)
	for i := range t.samples {
		s := &t.samples[i]
		key := objectKey{unit, s.Object}
		l.seq[key]++
		s.Seq = l.seq[key]
	}
	if !t.unsure {
		gaps = append(gaps, l.tellDown(t.bootedAt)...)
	}
	return gaps
}

// welcome notes the objects that come for the first time in this run, or are missing since it began. What is missing before the first sample
// is so since the run began: the time without an agent ends there.
func (l *ledger) welcome(unit string, t *taken) {
	if l.down.IsZero() {
		return
	}
	met := map[string]bool{}
	meet := func(object string, every time.Duration, at time.Time) {
		if l.seq[objectKey{unit, object}] == 0 && !met[object] {
			met[object] = true
			l.new = append(l.new, newcomer{objectKey{unit, object}, every, at.Sub(t.bootedAt)})
		}
	}
	for i, g := range t.gaps {
		meet(g.Object, t.due[i], g.From.Add(t.due[i]))
	}
	for i := range t.samples {
		meet(t.samples[i].Object, t.every[i], t.samples[i].SampledAt)
	}
}

// hold keeps the gaps of an unsure clock back, and returns those that can be told, mended.
func (l *ledger) hold(t *taken) []objects.Gap {
	if t.unsure {
		for _, g := range t.gaps {
			l.holdOne(g, t.bootedAt)
		}
		return nil
	}
	gaps := t.gaps
	for _, h := range l.held {
		by := t.bootedAt.Sub(h.booted)
		h.From, h.To = h.From.Add(by), h.To.Add(by)
		gaps = append(gaps, h.Gap)
	}
	l.held = nil
	clear(l.fold)
	return gaps
}

// holdOne keeps one gap back.
func (l *ledger) holdOne(g objects.Gap, booted time.Time) {
	key := foldKey{g.Unit, g.Object, g.Reason}
	i, known := l.fold[key]
	if !known {
		if len(l.held) >= maxHeld {
			l.fold[key] = len(l.held)
		}
		l.held = append(l.held, heldGap{g, booted})
		return
	}
	h := &l.held[i]
	by := h.booted.Sub(booted) // the clock may have been set in between
	if from := g.From.Add(by); from.Before(h.From) {
		h.From = from
	}
	if to := g.To.Add(by); to.After(h.To) {
		h.To = to
	}
	h.Last, h.Ongoing = g.Last, g.Ongoing
	h.Count += g.Count
}

// rest returns at the end what was held back, by the clock as it was.
func (l *ledger) rest() (gaps []objects.Gap) {
	for _, h := range l.held {
		gaps = append(gaps, h.Gap)
	}
	l.held = nil
	clear(l.fold)
	return gaps
}

// tellDown returns the gaps between the run before and this one, for the objects that have come since the last call. booted is when
// the machine was started, by a clock that is right.
func (l *ledger) tellDown(booted time.Time) (gaps []objects.Gap) {
	for _, n := range l.new {
		at := booted.Add(n.uptime)
		// The sample itself stands for the last moment that passed.
		if missing := multiples(at, n.every) - multiples(l.down, n.every) - 1; missing > 0 {
			gaps = append(gaps, objects.Gap{
				Unit: n.unit, Object: n.object, From: l.down, To: at, Count: uint64(missing), Reason: objects.GapAgent,
			})
		}
	}
	l.new = nil
	return gaps
}

// multiples is how many multiples of an interval have passed since 1970: objects are sampled at these.
func multiples(at time.Time, interval time.Duration) int64 {
	return int64(at.Sub(time.UnixMilli(0)) / max(1, interval))
}
