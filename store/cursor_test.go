package store_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// afterKill opens a copy of the file as it is now, as the start after a kill finds it.
func afterKill(t *testing.T, path string) *store.Store {
	t.Helper()
	return openAt(t, copyOf(t, path), store.Options{})
}

// TestWhatIsSettledComesTwiceForTwoSecondsAtMost: a backlog is accepted while no new sample comes, and then the
// process is killed. At most the last two seconds are sent again.
func TestWhatIsSettledComesTwiceForTwoSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := openAt(t, path, store.Options{Limits: store.Limits{CommitEvery: time.Second, FlushTriggers: time.Hour}})
		add(t, s, storetest.Sweep(1, 1, 40, "aws"))
		add(t, s, storetest.Sweep(1, 41, 40, "aws"))
		for left := 80; left > 0; left -= 20 {
			settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 20)...)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			killed := afterKill(t, path)
			if got := len(pending(t, killed, "aws", 100)); got != left-20 {
				t.Errorf("%d are sent after a kill, want %d", got, left-20)
			}
			must(t, killed.Close())
		}
		commits := s.Stats().Commits
		time.Sleep(time.Minute)
		synctest.Wait()
		if more := s.Stats().Commits - commits; more != 0 {
			t.Errorf("%d commits of a store in which nothing happens", more)
		}
	})
}

// TestWhatIsAcceptedInsideTheWindowCostsNoCommitOfTheCursor: online operation writes rows and nothing else.
func TestWhatIsAcceptedInsideTheWindowCostsNoCommitOfTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openAt(t, filepath.Join(t.TempDir(), "noi.db"),
			store.Options{Limits: store.Limits{CommitEvery: time.Second, FlushTriggers: time.Minute}})
		before := s.Stats().Commits
		for n := uint64(1); n <= 120; n++ {
			_, err := s.Offer(t.Context(), storetest.Sweep(1, n, 1, "aws"))
			must(t, err)
			settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if commits := s.Stats().Commits - before; commits > 3 {
			t.Errorf("%d commits in two minutes, want one a minute", commits)
		}
	})
}

// TestAnAnnouncedGapIsNotAnnouncedAgainAfterAKill two seconds later.
func TestAnAnnouncedGapIsNotAnnouncedAgainAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		list := []store.Integration{{ID: "aws", Topic: "T", GapMessages: true}}
		o := store.Options{Now: time.Now, Limits: store.Limits{FlushTriggers: time.Hour}}
		s := storetest.MustOpenAt(t, path, o)
		must(t, s.SetIntegrations(list))
		must(t, s.Missing("aws", objects.Gap{Unit: "a/1", Object: "x", Run: 1, First: 1, Last: 1, Count: 1,
			From: time.Now(), To: time.Now(), Reason: objects.GapBus}))
		add(t, s, storetest.Sweep(1, 1, 1, "aws")) // the gap is in the file with it
		time.Sleep(2 * time.Minute)
		gaps, err := s.OpenGaps("aws", 10)
		must(t, err)
		if len(gaps) != 1 {
			t.Fatalf("%d gaps to announce", len(gaps))
		}
		must(t, s.SettleGap("aws", gaps[0], store.Result{Outcome: store.Accepted, PublishedAt: time.Now(),
			MessageID: "m"}))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		killed := storetest.MustOpenAt(t, copyOf(t, path), o)
		must(t, killed.SetIntegrations(list))
		if gaps, err := killed.OpenGaps("aws", 10); err != nil || len(gaps) != 0 {
			t.Errorf("announced again after a kill: %+v, %v", gaps, err)
		}
	})
}

// online offers one sample a second. Each is accepted within its window of half a second, so no window writes
// anything.
func online(t *testing.T, s *store.Store, seconds uint64) {
	t.Helper()
	for n := range seconds {
		_, err := s.Offer(t.Context(), storetest.Sweep(1, 1000+n, 1, "aws"))
		must(t, err)
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...)
		time.Sleep(time.Second)
	}
	synctest.Wait()
}

// TestACatchUpIsCommittedThoughWindowsWriteNothing: one integration catches up, and all new samples are for another
// one.
func TestACatchUpIsCommittedThoughWindowsWriteNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := openAt(t, path, store.Options{Limits: store.Limits{CommitEvery: 500 * time.Millisecond,
			FlushTriggers: time.Hour}})
		add(t, s, storetest.Sweep(1, 1, 40, "gcp"))
		add(t, s, storetest.Sweep(1, 41, 40, "gcp"))
		settle(t, s, "gcp", store.Accepted, pending(t, s, "gcp", 30)...)
		online(t, s, 2)
		killed := afterKill(t, path)
		if got := len(pending(t, killed, "gcp", 100)); got != 50 {
			t.Errorf("%d are sent after a kill, want 50", got)
		}
		must(t, killed.Close())
	})
}

// TestANewGapIsInTheFileWhenAWindowEnds: otherwise a kill would lose the gap, and the next gap would include samples
// that were accepted after it.
func TestANewGapIsInTheFileWhenAWindowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := openAt(t, path, store.Options{Limits: store.Limits{CommitEvery: 500 * time.Millisecond,
			FlushTriggers: time.Hour}})
		must(t, s.Missing("aws", objects.Gap{Unit: "a/1", Object: "x", Count: 1, From: storetest.Start,
			To: storetest.Start, Reason: objects.GapAgent}))
		online(t, s, 1)
		killed := afterKill(t, path)
		if gaps := killed.Stats().Integrations["aws"].Gaps; len(gaps) != 1 {
			t.Errorf("after the window the file has %d gaps", len(gaps))
		}
		must(t, killed.Close())
	})
}
