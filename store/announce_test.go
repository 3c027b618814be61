package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

func TestAGapIsAnnouncedOnceItRestsAndAgainWhenItHasGrown(t *testing.T) {
	now := storetest.Start
	path := filepath.Join(t.TempDir(), "noi.db")
	o := store.Options{Now: func() time.Time { return now }}
	list := []store.Integration{{ID: "aws", Topic: "T", GapMessages: true}, {ID: "gcp", Topic: "U"}}
	s := storetest.MustOpenAt(t, path, o)
	must(t, s.SetIntegrations(list))
	gap := func(first, last uint64) objects.Gap {
		return objects.Gap{
			Unit: "a/1", Object: "x", Run: 1, From: now.Add(-time.Minute), To: now, First: first, Last: last,
			Count: last - first + 1, Reason: objects.GapBus,
		}
	}
	due := func() []store.Trigger {
		t.Helper()
		gaps, err := s.OpenGaps("aws", 10)
		must(t, err)
		return gaps
	}
	must(t, s.Missing("aws", gap(1, 3)))
	must(t, s.Missing("gcp", gap(1, 3)))
	if got := due(); len(got) != 0 {
		t.Errorf("it may still grow: %+v", got)
	}
	now = now.Add(2 * time.Minute)
	for _, c := range []struct {
		outcome store.Outcome
		left    int
	}{{store.Retrying, 1}, {store.Accepted, 0}} {
		must(t, s.Close()) // open gaps outlive a restart
		s = storetest.MustOpenAt(t, path, o)
		must(t, s.SetIntegrations(list))
		got := due()
		if len(got) != 1 || got[0].Gap.Count != 3 {
			t.Fatalf("due %+v", got)
		}
		must(t, s.SettleGap("aws", got[0], store.Result{Outcome: c.outcome, PublishedAt: now, MessageID: "m"}))
		if left := due(); len(left) != c.left {
			t.Errorf("after outcome %d: %+v", c.outcome, left)
		}
	}
	must(t, s.Missing("aws", gap(4, 5)))
	now = now.Add(2 * time.Minute)
	if got := due(); len(got) != 1 || got[0].Gap.Last != 5 {
		t.Errorf("it has grown: %+v", got)
	}
	if gaps, err := s.OpenGaps("gcp", 10); err != nil || len(gaps) != 0 {
		t.Errorf("gcp has no GapMessages, but gets %+v, %v", gaps, err)
	}
}

// A gap that grows while it is being announced is announced a second time. Later growth is announced only at the end
// of the gap, and does not delay an announcement that waits.
func TestAGapThatGrowsWhileItIsAnnouncedIsAnnouncedOnceMore(t *testing.T) {
	now := storetest.Start
	s := storetest.MustOpen(t, store.Options{Now: func() time.Time { return now }})
	must(t, s.SetIntegrations([]store.Integration{{ID: "aws", Topic: "T", GapMessages: true}}))
	missing := func(n uint64, ongoing bool) {
		t.Helper()
		must(t, s.Missing("aws", objects.Gap{Unit: "a/1", Object: "x", Run: 1, From: now, To: now, First: n, Last: n,
			Count: 1, Reason: objects.GapBus, Ongoing: ongoing}))
		now = now.Add(2 * time.Minute)
	}
	due := func(want ...uint64) (gaps []store.Trigger) {
		t.Helper()
		gaps, err := s.OpenGaps("aws", 10)
		must(t, err)
		if len(gaps) != len(want) || len(want) > 0 && gaps[0].Gap.Count != want[0] {
			t.Fatalf("due %+v, want one of %v", gaps, want)
		}
		return gaps
	}
	missing(1, false)
	announced := due(1)[0]
	missing(2, false)
	must(t, s.SettleGap("aws", announced, store.Result{Outcome: store.Accepted, PublishedAt: now, MessageID: "m"}))
	announced = due(2)[0]
	missing(3, true)
	must(t, s.SettleGap("aws", announced, store.Result{Outcome: store.Retrying, PublishedAt: now}))
	announced = due(3)[0] // it was due before it grew
	must(t, s.SettleGap("aws", announced, store.Result{Outcome: store.Accepted, PublishedAt: now, MessageID: "m"}))
	due()
	missing(4, true)
	due()
	missing(5, false)
	now = now.Add(-time.Hour) // a clock that is set back delays no announcement
	due(5)
}

// While a cloud cannot be reached, the newest gaps wait for it, as many as the log keeps.
func TestOnlyWhatTheLogKeepsWaitsToBeAnnounced(t *testing.T) {
	now := storetest.Start
	s := storetest.MustOpen(t, store.Options{Now: func() time.Time { return now }})
	must(t, s.SetIntegrations([]store.Integration{{ID: "aws", Topic: "T", GapMessages: true}}))
	const made, kept = 2*4096 + 1, 4096
	for n := range made {
		must(t, s.Missing("aws", objects.Gap{Unit: "a/1", Object: fmt.Sprint("x", n), Run: 1, From: now, To: now,
			Count: 1, Reason: objects.GapBus}))
	}
	now = now.Add(2 * time.Minute)
	gaps, err := s.OpenGaps("aws", made)
	must(t, err)
	if len(gaps) != kept || gaps[0].Gap.Object != fmt.Sprint("x", made-kept) ||
		gaps[kept-1].Gap.Object != fmt.Sprint("x", made-1) {
		t.Errorf("%d gaps wait", len(gaps))
	}
}
