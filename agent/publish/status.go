package publish

import (
	"fmt"
	"math"
	"noi-agent/agent/clock"
	"noi-agent/agent/worker"
	"noi-agent/status/api"
	"noi-agent/store"
)

// noteDrops notes how many samples of the integration were deleted unsent, of all runs, and returns what the status
// shows of them.
func (f *Forwarder) noteDrops(n uint64) worker.Trouble {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.view.drops.Seen(n, f.clock.Elapsed(), f.clock.Now())
	return f.view.drops
}

// Status returns how the integration is, and what is wrong with it.
func (f *Forwarder) Status(stats store.Stats) (api.Integration, []api.Problem) {
	v, counts := f.snapshot(), stats.Integrations[f.cfg.ID]
	s := api.Integration{
		ID: f.cfg.ID, Name: f.cfg.Name, Type: f.cfg.Type, Topic: f.cfg.Destination(), State: v.state,
		Backlog: counts.Backlog, Oldest: clock.WallTime(counts.Oldest), LastSuccess: clock.WallTime(v.lastSuccess),
		LastError: v.fault(),
		Sent:      counts.Sent, Failed: counts.Failed, Dead: counts.Dead, Dropped: counts.Dropped,
		Replayed: counts.Replayed,
		Gaps:     gapsOf(counts.Gaps), Uplink: uplinkOf(counts.Traffic, counts.Sent),
	}
	s.NextPublication = f.nextPublication()
	var problems []api.Problem
	switch v.state {
	case integrationRetrying:
		problems = append(problems, api.CloudRetrying.Of(f.cfg.ID, v.since, v.lastError))
	case integrationWaiting:
		kind := api.CloudWaiting
		if v.setUp {
			kind = api.CloudNotSetUp
		}
		problems = append(problems, kind.Of(f.cfg.ID, v.since, v.lastError))
	}
	if !v.skewedSince.IsZero() {
		problems = append(problems,
			api.CloudSkewed.Of(f.cfg.ID, v.skewedSince, "new credentials have ended already by the gateway's clock"))
	}
	if v.refuses != "" {
		problems = append(problems, api.CloudRefuses.Of(f.cfg.ID, v.refusesSince, v.refuses))
	}
	if counts.Dead > 0 {
		problems = append(problems, api.CloudRejected.Of(f.cfg.ID, counts.DeadFrom, fmt.Sprintf("%d dead letters",
			counts.Dead)))
	}
	if drops := f.noteDrops(counts.Dropped); drops.Live(f.clock.Elapsed()) {
		problems = append(problems, api.CloudDropped.Of(f.cfg.ID, drops.Since,
			fmt.Sprintf("%d samples were deleted since the start, the last ones within %v",
				counts.Dropped-f.droppedBefore, worker.Recently)))
	}
	return s, problems
}

func uplinkOf(t store.Traffic, sent uint64) api.Uplink {
	u := api.Uplink{TodaySent: t.TodaySent, TodayReceived: t.TodayReceived, MonthSent: t.MonthSent,
		MonthReceived: t.MonthReceived}
	if samples := sent + t.Replayed; samples > 0 {
		mean := math.Round(10*float64(t.Sent)/float64(samples)) / 10
		u.PerSample = &mean
	}
	return u
}
