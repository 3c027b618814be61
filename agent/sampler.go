package agent

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"noi-agent/agent/history"
	"noi-agent/agent/poll"
	"noi-agent/agent/worker"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/store"
)

// queuedSweeps is the most sweeps that wait for the store. With a sweep per second this is enough for a disk that hangs
// for a quarter of an hour.
const queuedSweeps = 1024

// sampler numbers the samples of each sweep, chooses their integrations, and offers the sweep to the store. One
// goroutine owns it.
type sampler struct {
	routing atomic.Pointer[routing]
	store   *store.Store
	log     *slog.Logger
	in      chan *poll.Sweep
	ledger  *ledger
	history *history.Store
	changes changes
	signals *alarmSignals
	alarms  map[objectKey]string // the last value of each fault and alarm
	unnamed unnamed
	n       uint64 // number of the last sample in this run
}

// route sets the integrations to which samples are routed from now on; uptime is the present time since the boot. The
// sampler may run meanwhile.
func (sm *sampler) route(integrations []configs.Integration, uptime time.Duration) {
	sm.routing.Store(newRouting(integrations, sm.routing.Load(), uptime))
}

// run handles sweeps until `in` is closed, and then waits for the last commit, so that all samples are kept before the
// agent ends. Before that it waits for no commit, because forwarders see a sweep at once. If the store has stopped, run
// returns the store's error, and later sweeps are lost.
func (sm *sampler) run(ctx context.Context) error {
	var made promises
	for {
		select {
		case t, more := <-sm.in:
			if !more {
				if err := sm.withheld(sm.unnamed.all()); err != nil {
					return err
				}
				return made.keep(ctx, sm)
			}
			next, err := sm.offer(ctx, t)
			if err != nil {
				return err
			}
			if next.pledge != nil {
				made = append(made, next)
			}
		case <-made.first():
			made = made.logKept(sm)
		}
	}
}

// promise is a future commit, and the number of the last sample in it.
type promise struct {
	pledge *store.Pledge
	to     uint64
}

// promises are the commits that are not made yet, the oldest first. Each sweep has its own commit window, so there may
// be as many promises as sweeps in a window.
type promises []promise

// first returns a channel that is closed when the oldest commit is made or has failed; nil without a promise.
func (ps promises) first() <-chan struct{} {
	if len(ps) == 0 {
		return nil
	}
	return ps[0].pledge.Done()
}

// logKept removes the finished promises, and logs the last commit among them. It does not log a failed commit, because
// the store has logged it.
func (ps promises) logKept(sm *sampler) promises {
	to := uint64(0)
	for len(ps) > 0 && worker.Over(ps[0].pledge.Done()) {
		if ps[0].pledge.Err() == nil {
			to = ps[0].to
		}
		ps = ps[1:]
	}
	if to > 0 {
		sm.log.Debug("committed", "run", sm.store.Run(), "to", to)
	}
	return ps
}

// keep waits for all promises.
func (ps promises) keep(ctx context.Context, sm *sampler) error {
	if len(ps) == 0 {
		return nil
	}
	for len(ps) > 0 {
		select {
		case <-ps.first():
			ps = ps.logKept(sm)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return sm.store.Err()
}

// offer numbers and routes one sweep, and offers it to the store.
func (sm *sampler) offer(ctx context.Context, t *poll.Sweep) (promise, error) {
	if err := sm.writeGaps(sm.ledger.number(t)); err != nil {
		return promise{}, err
	}
	sm.history.Add(history.Sweep{Source: &t.Source, Family: t.Family, BootedAt: t.BootedAt, Samples: t.Samples,
		Every: t.Every, Gaps: t.Gaps})
	samples, gaps := sm.ledger.accounts(t)
	sm.store.AccountGaps(gaps)
	sweep, ok := sm.sweep(t)
	if err := sm.withheld(sm.unnamed.over(t)); err != nil {
		return promise{}, err
	}
	if !ok {
		sm.store.AccountSamples(samples)
		return promise{}, nil
	}
	changed := sm.alarming(sweep.Source.Unit(), sweep.Samples)
	sweep.Urgent = len(changed) > 0
	pledge, err := sm.store.Offer(ctx, sweep)
	if err == nil {
		sm.store.AccountSamples(samples)
	}
	sm.signals.ring(&sweep, changed)
	return promise{pledge, sm.n}, err
}

// sweep returns the part of t to store, which has only the samples that at least one integration gets; false if there
// are none.
func (sm *sampler) sweep(t *poll.Sweep) (objects.Sweep, bool) {
	kept, routes := sm.routes(t)
	if len(kept) == 0 {
		return objects.Sweep{}, false
	}
	for i := range kept {
		sm.n++
		kept[i].N = sm.n
	}
	return objects.Sweep{
		Source: t.Source, Run: sm.store.Run(), Samples: kept, Routes: routes, BootedAt: t.BootedAt, Unsure: t.Unsure,
	}, true
}

// alarming returns the indexes of the samples in which a fault or an alarm has begun or ended. Their sweep is committed
// at once. The first value in a run counts if a fault or an alarm is active.
func (sm *sampler) alarming(unit string, samples []objects.Sample) (changed []int) {
	for i := range samples {
		s := &samples[i]
		if !s.Alarm {
			continue
		}
		key, value := objectKey{unit, s.Object}, s.Value.String()
		if sm.alarms[key] != value {
			sm.alarms[key] = value
			changed = append(changed, i)
		}
	}
	return changed
}

// writeGaps writes gaps into the log of every integration that should have got the samples.
func (sm *sampler) writeGaps(spans []store.Span) error {
	routing := sm.routing.Load()
	for _, span := range spans {
		slave := sm.ledger.who[span.Gap.Unit]
		wants := func(in *configs.Integration) bool {
			return in.Wants(slave.line, slave.unitID, slave.names, span.Gap.Object) ||
				slave.nameless && in.MayWant(slave.family, span.Gap.Object)
		}
		for _, id := range slices.Sorted(maps.Keys(routing.past)) {
			err := sm.store.MissingSpan(id, routing.parts(id, span, wants)...)
			if err != nil && !errors.Is(err, store.ErrUnknownIntegration) {
				return err
			}
		}
	}
	return nil
}

// routes returns the samples that an integration gets, and the samples of each integration.
func (sm *sampler) routes(t *poll.Sweep) (kept []objects.Sample, routes []objects.Route) {
	routing := sm.routing.Load()
	sm.changes.follow(&routing.list)
	integrations := routing.list
	picked := make([][]int, len(integrations))
	kept = make([]objects.Sample, 0, len(t.Samples))
	for at, sample := range t.Samples {
		listed := false
		for i := range integrations {
			in := &integrations[i]
			if !in.Wants(t.Source.Line, int(t.Source.UnitID), t.Names, sample.Object) {
				if t.Nameless && in.MayWant(t.Family, sample.Object) {
					sm.unnamed.add(in.ID, t.Source.Unit(), sm.ledger.instant(t, sample.SampledAt), &sample)
				}
				continue
			}
			if sm.changes.news(in.ID, &t.Source, &sample, t.Every[at]) {
				if picked[i] == nil {
					picked[i] = make([]int, 0, len(t.Samples)-at)
				}
				picked[i] = append(picked[i], len(kept))
				listed = true
			}
		}
		if listed {
			kept = append(kept, sample)
		}
	}
	for i, p := range picked {
		if len(p) > 0 {
			routes = append(routes, objects.Route{Integration: integrations[i].ID, Picked: p})
		}
	}
	return kept, routes
}
