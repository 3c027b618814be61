package store_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// hole returns a gap of the samples first to last. It ends so many hours after noon.
func hole(hour int, first, last uint64) objects.Gap {
	at := noon.Add(time.Duration(hour) * time.Hour)
	return objects.Gap{Unit: "rs485/1", Object: "adc_vb", Run: 1, From: at.Add(-time.Minute), To: at,
		First: first, Last: last, Count: last - first + 1, Reason: objects.GapBus}
}

// seen returns, for each gap that the log lists, whether it is acknowledged, the newest first. The two counts are of
// Stats: gaps not acknowledged, gaps shown.
func seen(t *testing.T, s *store.Store) (marks []bool, unseen, shown int) {
	t.Helper()
	rows, _, err := s.Triggers(store.TriggerQuery{Gaps: true})
	must(t, err)
	for i := range rows {
		marks = append(marks, rows[i].Gap.Acknowledged)
	}
	in := s.Stats().Integrations["x"]
	return marks, in.Unseen, len(in.Gaps)
}

func wantSeen(t *testing.T, s *store.Store, unseen int, want ...bool) {
	t.Helper()
	if marks, n, shown := seen(t, s); !slices.Equal(marks, want) || n != unseen || shown != unseen {
		t.Errorf("acknowledged: %v, Stats: %d unseen and %d shown; want %v and %d", marks, n, shown, want, unseen)
	}
}

func acknowledge(t *testing.T, s *store.Store, until time.Time, want int) {
	t.Helper()
	if n, err := s.AcknowledgeGaps(until); err != nil || n != want {
		t.Errorf("%d gaps are acknowledged, want %d: %v", n, want, err)
	}
}

// TestGapsAreAcknowledgedUpToATimeAndStaySoAfterAKill: Stats counts only gaps that are not acknowledged. The log
// lists all gaps.
func TestGapsAreAcknowledgedUpToATimeAndStaySoAfterAKill(t *testing.T) {
	o := store.Options{Now: func() time.Time { return noon.Add(10 * time.Hour) }}
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, o)
	must(t, s.SetIntegrations([]store.Integration{{ID: "x", Topic: "t", GapMessages: true}}))
	must(t, s.Missing("x", hole(1, 1, 2), hole(3, 30, 31)))
	// the rows are in the file
	must(t, s.SetIntegrations([]store.Integration{{ID: "x", Topic: "t", GapMessages: true}}))
	// and this one is in memory only
	must(t, s.Missing("x", hole(5, 50, 51)))
	wantSeen(t, s, 3, false, false, false)
	acknowledge(t, s, noon.Add(3*time.Hour), 2)
	wantSeen(t, s, 1, false, true, true)
	acknowledge(t, s, noon.Add(3*time.Hour), 0)

	killed := storetest.MustOpenAt(t, copyOf(t, path), o)
	must(t, killed.SetIntegrations([]store.Integration{{ID: "x", Topic: "t", GapMessages: true}}))
	wantSeen(t, killed, 1, false, true, true)
	acknowledge(t, killed, time.Time{}, 1)
	wantSeen(t, killed, 0, true, true, true)
	if open := killed.Stats().Integrations["x"].OpenGaps; open != 3 {
		t.Errorf("%d gaps wait to be announced: a cloud gets gaps that an operator has acknowledged", open)
	}
}

// TestAnAcknowledgedGapDoesNotGrow: samples that are missing after the acknowledgment get a new gap, even where they
// would have extended the gap before.
func TestAnAcknowledgedGapDoesNotGrow(t *testing.T) {
	for name, afterwards := range map[string]func(t *testing.T, s *store.Store, path string) *store.Store{
		"in the same run": func(_ *testing.T, s *store.Store, _ string) *store.Store { return s },
		"after a kill": func(t *testing.T, _ *store.Store, path string) *store.Store {
			return openAt(t, copyOf(t, path), store.Options{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "noi.db")
			s := openAt(t, path, store.Options{})
			must(t, s.SetIntegrations([]store.Integration{{ID: "x", Topic: "t"}}))
			must(t, s.Missing("x", hole(1, 1, 2)))
			must(t, s.Missing("x", hole(1, 3, 4))) // the same cause and object as the gap before
			wantSeen(t, s, 1, false)
			acknowledge(t, s, time.Time{}, 1)
			s = afterwards(t, s, path)
			must(t, s.Missing("x", hole(1, 5, 6)))
			wantSeen(t, s, 1, false, true)
		})
	}
}

// TestAnAnnouncedGapStaysAcknowledged: the cloud's answer comes after the acknowledgment and writes the row again.
func TestAnAnnouncedGapStaysAcknowledged(t *testing.T) {
	s := open(t, store.Options{})
	must(t, s.SetIntegrations([]store.Integration{{ID: "x", Topic: "t", GapMessages: true}}))
	g := hole(1, 1, 2)
	must(t, s.Missing("x", g))
	at := time.Now().Add(time.Hour)
	row := store.Trigger{ID: 1, Gap: g}
	acknowledge(t, s, at.Add(time.Hour*24*365*20), 1)
	must(t, s.SettleGap("x", row, store.Result{Outcome: store.Accepted, PublishedAt: at, MessageID: "7"}))
	wantSeen(t, s, 0, true)
	if open := s.Stats().Integrations["x"].OpenGaps; open != 0 {
		t.Errorf("%d gaps wait to be announced: it is announced twice", open)
	}
}
