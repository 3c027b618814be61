package agent

import (
	"context"
	"log/slog"
	"sync/atomic"

	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/store"
)

// queuedSweeps is how many sweeps may wait for the store: with a sweep a second, minutes of a stuck disk.
const queuedSweeps = 1024

// sampler gives sweeps their routes and their samples numbers, and makes them durable. One goroutine.
type sampler struct {
	integrations atomic.Pointer[[]configs.Integration]
	store        *store.Store
	log          *slog.Logger
	in           chan taken
	n            uint64 // number of the last sample in this run
}

// route sets by whose lists the samples go from now on. It is safe from any goroutine.
func (sm *sampler) route(integrations []configs.Integration) { sm.integrations.Store(&integrations) }

// run takes sweeps until in is closed, so that everything read is kept before the agent ends. It returns the store's
// error when the store has stopped; what is taken after that is lost with it.
func (sm *sampler) run(ctx context.Context) error {
	for t := range sm.in {
		sweeps := sm.sweep(nil, t)
		for more := true; more; {
			select {
			case t, more = <-sm.in:
				if more {
					sweeps = sm.sweep(sweeps, t)
				}
			default:
				more = false
			}
		}
		if len(sweeps) == 0 {
			continue
		}
		if err := sm.store.Append(ctx, sweeps...); err != nil {
			return err
		}
		sm.log.Debug("committed", "run", sm.store.Run(), "to", sm.n)
	}
	return nil
}

// sweep appends what is to be kept of t: only the samples that an integration lists.
func (sm *sampler) sweep(sweeps []objects.Sweep, t taken) []objects.Sweep {
	kept, routes := sm.routes(t)
	if len(kept) == 0 {
		return sweeps
	}
	for i := range kept {
		sm.n++
		kept[i].N = sm.n
	}
	return append(sweeps, objects.Sweep{Source: t.source, Run: sm.store.Run(), Samples: kept, Routes: routes})
}

// routes returns the samples that go anywhere, and which of them go where.
func (sm *sampler) routes(t taken) (kept []objects.Sample, routes []objects.Route) {
	integrations := *sm.integrations.Load()
	picked := make([][]int, len(integrations))
	for _, sample := range t.samples {
		listed := false
		for i := range integrations {
			if integrations[i].Wants(t.source.Line, int(t.source.UnitID), t.names, sample.Object) {
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
