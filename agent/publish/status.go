package publish

import (
	"math"
	"noi-agent/agent/clock"
	"noi-agent/status/api"
	"noi-agent/store"
	"time"
)

// Status returns the state of the integration and its problems.
func (f *Forwarder) Status(stats store.Stats) (api.Integration, []api.Problem) {
	v, counts := f.view.now(), stats.Integrations[f.cfg.ID]
	s := api.Integration{
		ID: f.cfg.ID, Name: f.cfg.Name, Type: f.cfg.Type, Topic: f.cfg.Destination(), State: v.state,
		Backlog: counts.Backlog, Oldest: clock.WallTime(counts.Oldest), LastSuccess: clock.WallTime(v.lastSuccess),
		LastError: v.fault(),
		Sent:      counts.Sent, Failed: counts.Failed, Dead: counts.Dead, Dropped: counts.Dropped,
		Replayed: counts.Replayed,
		Gaps:     gapsOf(counts.Gaps), NewGaps: counts.Unseen, Uplink: uplinkOf(counts.Traffic, counts.Sent),
	}
	s.NextPublication, s.NextPublicationInS = f.nextPublication()
	if s.LastSuccess != nil {
		s.LastSuccessAgeS = wholeSeconds(f.clock.Elapsed() - v.succeeded)
	}
	if s.Oldest != nil {
		s.OldestAgeS = wholeSeconds(f.clock.Wall.Age(counts.Oldest, counts.OldestUp))
	}
	if v.next > 0 {
		left := v.next - f.clock.Elapsed()
		s.NextAttempt, s.NextAttemptInS = clock.WallTime(f.clock.Now().Add(left).Truncate(time.Second)), seconds(left)
	}
	return s, f.problems(v, counts)
}

// wholeSeconds returns an age for an answer, in whole seconds; a time in the future has the age 0.
func wholeSeconds(d time.Duration) *int64 {
	n := int64(max(0, d).Seconds())
	return &n
}

// seconds is a wait in an answer.
func seconds(d time.Duration) *float64 {
	n := max(0, d).Seconds()
	return &n
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
