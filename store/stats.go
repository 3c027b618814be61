package store

import (
	"sync/atomic"
	"time"

	"noi-agent/objects"
	"noi-agent/store/internal/record"
)

// Stats are the store's figures, from memory.
type Stats struct {
	FileBytes    int64  // of noi.db
	RecordBytes  int64  // of the sweeps in the outbox; max_size limits it
	FreeBytes    int64  // of the disk, for this user, at the last commit; -1: not known
	Sweeps       uint64 // in the outbox, including settled sweeps that no commit has removed yet
	Samples      uint64 // in these sweeps
	Committed    uint64 // samples written in this run
	Spared       uint64 // samples that every integration accepted before they had to be written, in this run
	Commits      uint64 // in this run
	Written      uint64 // bytes that these commits wrote: whole pages, as on flash
	Corrupt      uint64 // damaged records found in this run; their content is lost
	RowsRead     uint64 // rows of the trigger log that queries have read in this run
	Integrations map[string]IntegrationStats
}

// figures are what the store counts in a run.
type figures struct {
	corrupt   uint64 // damaged records
	committed uint64 // samples
	spared    uint64 // samples
	commits   uint64
	written   uint64 // bytes
	fileBytes int64
	freeBytes int64         // of the disk; -1: not known
	pageSize  int           // bytes
	rowsRead  atomic.Uint64 // of the trigger log, for queries; needs no lock
}

// IntegrationStats are the figures of one integration. The counters continue over restarts. After a kill they may miss
// what was not committed.
type IntegrationStats struct {
	Backlog uint64    // samples not settled
	Oldest  time.Time // sampled_at of the oldest sweep of these; zero without backlog
	// the same as time since the boot; below zero: of an earlier boot, or not known
	OldestUp time.Duration
	Sent     uint64 // samples accepted by the cloud
	Failed   uint64 // samples that it has rejected; a dead letter that is sent later counts as sent too
	Dropped  uint64 // samples that were deleted before they were settled
	Replayed uint64 // samples accepted again by a replay, in this run
	Traffic  record.Traffic
	Dead     int              // dead letters
	DeadFrom time.Time        // when the oldest of them was rejected, by the clock at that time; zero: none
	OpenGaps int              // gaps that wait for the clock, or to be announced
	Orphaned bool             // it is no longer in the configuration
	Unseen   int              // gaps that no operator has acknowledged
	Gaps     []record.Trigger // the newest of them, at most 20, the newest last
}

// oldestLocked returns the time of the oldest waiting sample, and its time since the boot; below zero: it is of another
// boot. Zero: none waits.
func (it *integration) oldestLocked() (at time.Time, up time.Duration) {
	if it.Backlog == 0 {
		return time.Time{}, -1
	}
	at, _ = it.store.dateOf(it.oldest)
	if up = it.oldest.Uptime; !it.store.stamp(it.oldest.Run, Stamp{}).SameBoot {
		up = -1
	}
	return at, up
}

// Stats returns the present figures. It opens no transaction.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		FileBytes: s.fileBytes, RecordBytes: s.totals.Bytes, FreeBytes: s.freeBytes, Sweeps: s.totals.Sweeps,
		Samples:   s.totals.Samples,
		Committed: s.committed, Spared: s.spared, Commits: s.commits, Written: s.written, Corrupt: s.corrupt,
		RowsRead:     s.rowsRead.Load(),
		Integrations: make(map[string]IntegrationStats, len(s.integrations)),
	}
	for id, it := range s.integrations {
		if it.main != nil {
			continue
		}
		is := IntegrationStats{
			Backlog: it.Backlog, Sent: it.Sent, Failed: it.Failed, Dropped: it.Dropped, Replayed: it.replayed,
			Dead: len(it.dead), DeadFrom: it.oldestDead(), OpenGaps: it.waitingGaps() + len(it.openGaps),
			Unseen: min(len(it.unseen), record.KeepGaps), Orphaned: !it.OrphanedAt.IsZero(),
			Traffic: it.traffic.As(s.opts.Now()),
		}
		if lane := it.lane; lane != nil {
			is.Backlog += lane.Backlog
			is.Dropped += lane.Dropped
			is.Oldest, is.OldestUp = lane.oldestLocked()
		}
		for _, w := range it.recent {
			is.Gaps = append(is.Gaps, w.Trigger)
		}
		if at, up := it.oldestLocked(); is.Oldest.IsZero() || !at.IsZero() && at.Before(is.Oldest) {
			is.Oldest, is.OldestUp = at, up
		}
		st.Integrations[id] = is
	}
	return st
}

// Dropped returns how many samples of an integration were deleted unsent, of all runs. Stats has the number too, and
// costs more. 0 for an integration that the store does not know.
func (s *Store) Dropped(integration string) (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.integrations[integration]; it != nil {
		n = it.Dropped
		if it.lane != nil {
			n += it.lane.Dropped
		}
	}
	return n
}

// maxReported limits how many damaged records are remembered, so that none is counted twice.
const maxReported = 4096

// reportDamagedLocked counts records that could not be read, each once.
func (s *Store) reportDamagedLocked(seqs []uint64) {
	for _, seq := range seqs {
		if _, known := s.damaged[seq]; known || len(s.damaged) >= maxReported {
			continue
		}
		s.damaged[seq] = struct{}{}
		s.corrupt++
		s.opts.Logger.Error("damaged record skipped", "sweep", seq)
		for _, it := range s.integrations.ordered() {
			if seq >= it.At && it.OrphanedAt.IsZero() && it.main == nil {
				it.logGapLocked(objects.Gap{Reason: whyDamaged})
			}
		}
		s.touchLocked()
	}
}
