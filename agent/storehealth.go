package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"noi-agent/store"
)

// Words for how the store came up.
const (
	storeCreated = "created" // there was none
	storeClean   = "clean"   // as it was left
	storeChecked = "checked" // the last stop was not clean; the file was checked, and is sound
	storeRenewed = "renewed" // the file was of no use and was moved aside; see problems
	storeMemory  = "memory"  // the disk fails: the outbox is in memory
)

// StoreStatus is the outbox.
type StoreStatus struct {
	Bytes     int64    `json:"bytes"`     // of the file
	Samples   uint64   `json:"samples"`   // kept now
	Committed uint64   `json:"committed"` // written in this run
	Spared    uint64   `json:"spared"`    // accepted by every cloud before they had to be written, in this run
	Commits   uint64   `json:"commits"`
	Corrupt   uint64   `json:"corrupt"`    // records skipped because their checksum is wrong
	Start     string   `json:"start"`      // created | clean | checked | renewed | memory
	Salvaged  uint64   `json:"salvaged"`   // samples taken over from a file that was moved aside at this start
	KeptAside []string `json:"kept_aside"` // files moved aside, as of the start, the newest last
}

func (a *Agent) storeStatus(stats store.Stats) StoreStatus {
	return StoreStatus{
		Bytes: stats.FileBytes, Samples: stats.Samples, Committed: stats.Committed, Spared: stats.Spared, Commits: stats.Commits, Corrupt: stats.Corrupt,
		Start: a.start(), Salvaged: a.recovery.Samples, KeptAside: append([]string{}, a.recovery.Kept...),
	}
}

func (a *Agent) start() string {
	r := a.recovery
	switch {
	case a.degraded != "":
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

// storeProblems says what a start had to do to the store. They stay as long as the process lives: a gap that is
// over is still a gap.
func (a *Agent) storeProblems() []Problem {
	r, since := a.recovery, a.started
	switch {
	case a.degraded != "":
		return []Problem{storeInMemory.of("agent", since, a.degraded)}
	case r.Moved():
		return []Problem{storeRecovered.of("agent", since, recoveryDetail(r))}
	case len(r.Kept) > 0:
		return []Problem{storeKept.of("agent", since, strings.Join(r.Kept, ", "))}
	}
	return nil
}

// recoveryDetail says why, where the old file is, and what it cost.
func recoveryDetail(r store.Recovery) string {
	detail := fmt.Sprintf("%s; moved to %s; %d samples salvaged", r.Reason, r.Aside, r.Samples)
	for _, id := range slices.Sorted(maps.Keys(r.Lost)) {
		detail += fmt.Sprintf("; %d lost for %s", r.Lost[id], id)
	}
	if r.Uncounted {
		detail += "; how many more it held is not known"
	}
	return detail
}
