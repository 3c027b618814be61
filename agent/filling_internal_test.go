package agent

import (
	"testing"
	"time"

	"noi-agent/status/api"
	"noi-agent/store"
)

// TestTheDiskMayBeFullBeforeTheOutboxIs: a backlog of one hour takes 1 MiB. The time until the outbox is full depends on
// the disk if it has less room than max_size.
func TestTheDiskMayBeFullBeforeTheOutboxIs(t *testing.T) {
	now := time.Date(2026, 6, 28, 12, 0, 0, 0, time.UTC)
	oldest := now.Add(-time.Hour)
	in := &api.Integration{Backlog: 1000, Oldest: &oldest}
	for _, c := range []struct {
		name       string
		file, free int64 // MiB
		want       time.Duration
		why        string
	}{
		{"a large disk", 4, 1000, 63 * time.Hour, "the outbox reaches max_size (64 MiB)"},
		{"not known", 4, -1, 63 * time.Hour, "the outbox reaches max_size (64 MiB)"},
		{"a nearly full disk", 4, 5, 8 * time.Hour, "the disk is full (5 MiB are free)"},
		{"a full disk, with free pages in the file", 4, 0, 3 * time.Hour, "the disk is full (0 MiB are free)"},
	} {
		stats := store.Stats{Samples: 1000, RecordBytes: 1 << 20, FileBytes: c.file << 20, FreeBytes: c.free << 20}
		if c.free < 0 {
			stats.FreeBytes = -1
		}
		most, why := room(stats, 64<<20)
		if got := timeToFull(in, stats, most, now); got.Round(time.Minute) != c.want || why != c.why {
			t.Errorf("%s: full in %v: %s; want %v: %s", c.name, got, why, c.want, c.why)
		}
	}
}
