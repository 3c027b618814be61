package agent

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"noi-agent/configs"
	"noi-agent/status/api"
	"noi-agent/store"
)

// The values of `store.start` in the status.
const (
	storeCreated = "created" // there was no store
	storeClean   = "clean"   // the last stop was clean
	storeChecked = "checked" // the last stop was not clean; the file was checked, and has no damage
	storeRenewed = "renewed" // the file was not usable and was moved aside; see problems
	storeMemory  = "memory"  // the disk fails: the outbox is in memory
)

func (a *Agent) storeStatus(stats store.Stats) api.Store {
	var removed uint64
	for _, in := range stats.Integrations {
		if in.Orphaned {
			removed += uint64(in.Backlog)
		}
	}
	return api.Store{
		Bytes: stats.FileBytes, Samples: stats.Samples, Removed: removed,
		Committed: stats.Committed, Spared: stats.Spared,
		Commits: stats.Commits, Written: stats.Written, PerDay: perDay(stats.Written, a.clock.Elapsed()-a.began),
		Settings: settingsOf(a.limits(a.current().config)), Corrupt: stats.Corrupt,
		Start: startWord(a.degraded, a.recovery), Salvaged: a.recovery.Samples,
		KeptAside: append([]string{}, a.recovery.Kept...),
	}
}

func settingsOf(l store.Limits) api.Buffer {
	full := configs.DropOldest
	if l.RejectNewest {
		full = configs.RejectNewest
	}
	return api.Buffer{
		MaxSize: l.MaxSize, MaxAge: l.MaxAge.String(), WhenFull: full, CommitEvery: l.CommitEvery.String(),
		RetainAfterAck: l.RetainAfterAck.String(), KeepTriggers: l.KeepTriggers, FlushEvery: l.FlushTriggers.String(),
	}
}

// measuredAfter is the time after which a rate per day is calculated from the written bytes.
const measuredAfter = 10 * time.Minute

// perDay returns the bytes written since the start as a rate, in megabytes per day; nil: it is too early.
func perDay(bytes uint64, ran time.Duration) *float64 {
	if ran < measuredAfter {
		return nil
	}
	mb := math.Round(float64(bytes)/ran.Seconds()*(24*time.Hour).Seconds()/1e5) / 10
	return &mb
}

// startWord returns the value of `store.start` in the status.
func startWord(degraded string, r store.Recovery) string {
	switch {
	case degraded != "":
		return storeMemory
	case r.Moved():
		return storeRenewed
	case r.Created:
		return storeCreated
	case r.Checked:
		return storeChecked
	}
	return storeClean
}

// storeProblems returns the problems of the store's start. A replaced store is shown until the gaps are acknowledged,
// or the process ends. The problem began with this start. Files that an earlier start moved aside have the time of that
// start.
func (a *Agent) storeProblems() []api.Problem {
	r, since := a.recovery, a.started
	switch {
	case a.degraded != "":
		return []api.Problem{api.StoreInMemory.Of("agent", since, a.degraded)}
	case r.Moved() && !a.noted.Load():
		return []api.Problem{api.StoreRecovered.Of("agent", since, recoveryDetail(r))}
	case len(r.Kept) > 0:
		return []api.Problem{api.StoreKept.Of("agent", movedAt(r.Kept[0], since), strings.Join(r.Kept, ", "))}
	}
	return nil
}

// movedAt returns the time at which a file was moved, from its inode. If this time is not known, it returns otherwise.
func movedAt(path string, otherwise time.Time) time.Time {
	info, err := os.Lstat(path)
	if err != nil {
		return otherwise
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return otherwise
	}
	return time.Unix(stat.Ctim.Unix())
}

// recoveryDetail returns a text with the reason for the replacement of the store, the path of the old file, and the
// number of lost samples.
func recoveryDetail(r store.Recovery) string {
	detail := fmt.Sprintf("%s; moved to %s; %d samples salvaged", r.Reason, r.Aside, r.Samples)
	if r.DeadLetters > 0 {
		detail += fmt.Sprintf(", and %d dead letters", r.DeadLetters)
	}
	for _, id := range slices.Sorted(maps.Keys(r.Lost)) {
		detail += fmt.Sprintf("; %d lost for %s", r.Lost[id], id)
	}
	if r.Uncounted {
		detail += "; the number of other lost samples is not known"
	}
	return detail
}
