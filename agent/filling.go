package agent

import (
	"fmt"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/publish"
	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/store"
)

const (
	// fillsFor is the time that samples must have waited before the agent predicts a deletion. A shorter time does not
	// show the rate of the samples.
	fillsFor = time.Hour
	// fillsWithin is the longest time before the first deletion at which the operator is warned. A week has at least
	// one working day.
	fillsWithin = 7 * 24 * time.Hour
)

// filling predicts when the first sample of an integration will be deleted unsent, for each integration whose cloud
// does not accept its samples. Either its oldest sample reaches max_age, or the outbox reaches max_size or fills the
// disk at the present rate of new samples. Without a good clock there is no prediction.
func (a *Agent) filling(s *api.Status, stats store.Stats) (list []api.Problem) {
	if s.Clock.State != clock.Good {
		return nil
	}
	now, limits := a.clock.Now(), a.limits(a.current().config)
	for i := range s.Integrations {
		in := &s.Integrations[i]
		if in.Oldest == nil || in.State == publish.IntegrationOK || now.Sub(*in.Oldest) < fillsFor {
			continue
		}
		left := limits.MaxAge - now.Sub(*in.Oldest)
		why := fmt.Sprintf("the oldest of them reaches max_age (%s)", objects.Period(limits.MaxAge))
		most, full := room(stats, limits.MaxSize)
		if until := timeToFull(in, stats, most, now); until < left {
			left, why = until, full
		}
		if left <= 0 || left > fillsWithin {
			continue
		}
		at := now.Add(left)
		list = append(list, api.OutboxFilling.Of(in.ID, in.Oldest.Add(fillsFor), fmt.Sprintf(
			"%d samples wait since %s; at this rate %s on %s", in.Backlog, in.Oldest.Format(time.RFC3339), why,
			at.UTC().Format("2006-01-02 at 15:04 UTC"))).With("day", day(left, at)))
	}
	return list
}

// room returns how many bytes the outbox may have, and what happens then. The disk may have less room than max_size.
func room(stats store.Stats, maxSize int64) (bytes int64, full string) {
	if disk := stats.FileBytes + stats.FreeBytes; stats.FreeBytes >= 0 && disk < maxSize {
		return disk, fmt.Sprintf("the disk is full (%d MiB are free)", stats.FreeBytes>>20)
	}
	return maxSize, fmt.Sprintf("the outbox reaches max_size (%d MiB)", maxSize>>20)
}

// day returns a predicted time in the gateway's time zone: with the hour if it is less than a day ahead, otherwise only
// the date.
func day(ahead time.Duration, at time.Time) string {
	if ahead < 24*time.Hour {
		return at.Local().Round(time.Hour).Format("2 January, 15:04")
	}
	return at.Local().Format("2 January")
}

// timeToFull returns the time until the waiting samples fill the outbox, which has room for `most` bytes. Samples that
// every cloud has accepted do not count, because they are deleted first.
func timeToFull(in *api.Integration, stats store.Stats, most int64, now time.Time) time.Duration {
	if stats.Samples == 0 || stats.RecordBytes == 0 || in.Backlog == 0 {
		return fillsWithin + 1
	}
	each := float64(stats.RecordBytes) / float64(stats.Samples)
	rate := each * float64(in.Backlog) / now.Sub(*in.Oldest).Seconds() // bytes a second
	seconds := (float64(most) - each*float64(in.Backlog)) / rate
	return time.Duration(min(seconds, 2*fillsWithin.Seconds()) * float64(time.Second))
}
