package agent

import (
	"time"

	"noi-agent/agent/poll"
	"noi-agent/objects"
	"noi-agent/store"
)

// objectKey is an object of one slave.
type objectKey struct{ unit, object string }

// ledger numbers the samples of each object in a run. Missing samples get numbers too, so that a consumer that counts
// the messages finds either the sample or the gap. The sampler owns the ledger. The store has the gaps that wait for
// the clock.
type ledger struct {
	run uint64
	seq map[objectKey]uint64 // the last number given
	// before has, for each object, the time of the last sample or gap of earlier runs; an object is removed at its
	// first sample of this run
	before map[store.Accounted]store.Account
	who    map[string]who // the slaves by unit, for the filters of the integrations

	standsIn bool // the outbox is in memory, so only the disk knows the last samples of earlier runs
}

// who has the names of a slave that filters use.
type who struct {
	line   string
	unitID int
	names  []string

	family   *objects.Family
	nameless bool // its product code is not known
}

func newLedger(run uint64, before map[store.Accounted]store.Account) *ledger {
	return &ledger{run: run, seq: map[objectKey]uint64{}, before: before, who: map[string]who{}}
}

// number numbers the samples of a sweep and the missing samples before them. It returns the gaps of the sweep, and the
// gaps of the time without an agent.
func (l *ledger) number(t *poll.Sweep) (spans []store.Span) {
	unit := t.Source.Unit()
	l.who[unit] = who{t.Source.Line, int(t.Source.UnitID), t.Names, t.Family, t.Nameless}
	spans = l.welcome(unit, t)
	for i := range t.Gaps {
		g := &t.Gaps[i]
		key := objectKey{unit, g.Object}
		g.Unit, g.Run, g.First = unit, l.run, l.seq[key]+1
		l.seq[key] += g.Count
		g.Last = l.seq[key]
		spans = append(spans, store.Span{Gap: *g, Begins: l.instant(t, g.From), Ends: l.instant(t, g.To)})
	}
	for i := range t.Samples {
		s := &t.Samples[i]
		key := objectKey{unit, s.Object}
		l.seq[key]++
		s.Seq = l.seq[key]
	}
	return spans
}

// instant returns a moment by the clock of a sweep.
func (l *ledger) instant(t *poll.Sweep, at time.Time) store.Instant {
	return store.Instant{Run: l.run, At: at, Uptime: at.Sub(t.BootedAt), Unsure: t.Unsure}
}

// welcome returns the gap of the time without an agent, for each object whose first sample, gap or reply without a
// value in this run is in the sweep. The gap of the time without an agent ends at this sample or reply, or at the first
// due time in this gap.
func (l *ledger) welcome(unit string, t *poll.Sweep) (spans []store.Span) {
	meet := func(object string, at time.Time) {
		if l.seq[objectKey{unit, object}] > 0 {
			return
		}
		key := store.Accounted{Unit: unit, Object: object}
		before, known := l.before[key]
		if !known && !l.standsIn || before.Until.Run == l.run {
			return
		}
		l.before[key] = store.Account{Until: store.Instant{Run: l.run}}
		spans = append(spans, store.Span{
			Gap:    objects.Gap{Unit: unit, Object: object, Reason: objects.GapAgent},
			Begins: before.Until, Ends: l.instant(t, at), Every: before.Every,
		})
	}
	for i, g := range t.Gaps {
		meet(g.Object, g.From.Add(t.Due[i]))
	}
	for i := range t.Samples {
		meet(t.Samples[i].Object, t.Samples[i].SampledAt)
	}
	for _, blank := range t.Blanks {
		meet(blank.Object, blank.At)
	}
	return spans
}

// accounts returns for each object of a sweep the time of its sample, or of the end of a gap without a sample after it.
// A reply without a value counts like a sample, but only if the object has had a value or a gap: the agent does not
// expect samples of a sensor that was never there.
func (l *ledger) accounts(t *poll.Sweep) (samples, gaps map[store.Accounted]store.Account) {
	samples = make(map[store.Accounted]store.Account, len(t.Samples))
	gaps = make(map[store.Accounted]store.Account, len(t.Gaps))
	unit := t.Source.Unit()
	for i := range t.Gaps {
		gaps[store.Accounted{Unit: unit, Object: t.Gaps[i].Object}] = store.Account{Until: l.instant(t, t.Gaps[i].To),
			Every: t.Due[i]}
	}
	for i := range t.Samples {
		key := store.Accounted{Unit: unit, Object: t.Samples[i].Object}
		samples[key] = store.Account{Until: l.instant(t, t.Samples[i].SampledAt), Every: t.Every[i]}
		delete(gaps, key)
	}
	for _, blank := range t.Blanks {
		key := store.Accounted{Unit: unit, Object: blank.Object}
		if _, before := l.before[key]; before || l.seq[objectKey{unit, blank.Object}] > 0 {
			samples[key] = store.Account{Until: l.instant(t, blank.At), Every: blank.Every}
			delete(gaps, key)
		}
	}
	return samples, gaps
}
