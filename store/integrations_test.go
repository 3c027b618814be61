package store_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

func TestNewIntegrationStartsAtTheNewest(t *testing.T) {
	s := storetest.MustOpen(t, store.Options{})
	must(t, s.SetIntegrations(both[:1]))
	add(t, s, storetest.Sweep(1, 1, 5, "aws"))
	must(t, s.SetIntegrations(both))
	add(t, s, storetest.Sweep(1, 6, 5, "aws", "gcp"))
	if got := numbers(pending(t, s, "gcp", 100)); !cmp.Equal(got, upTo(6, 10)) {
		t.Errorf("gcp got %v", got)
	}
	if got := numbers(pending(t, s, "aws", 100)); !cmp.Equal(got, upTo(1, 10)) {
		t.Errorf("aws got %v", got)
	}
}

func TestEditedIntegrationKeepsItsBacklog(t *testing.T) {
	s := open(t, store.Options{})
	add(t, s, storetest.Sweep(1, 1, 2, "aws"))
	ds := pending(t, s, "aws", 10)
	settle(t, s, "aws", store.Retrying, ds...)
	must(t, s.SetIntegrations([]store.Integration{{ID: "aws", Topic: "arn:new"}, both[1]}))
	settle(t, s, "aws", store.Accepted, ds[1])
	if got := numbers(pending(t, s, "aws", 10)); !cmp.Equal(got, upTo(1, 1)) {
		t.Errorf("pending %v", got)
	}
	rows := triggers(t, s, store.TriggerQuery{})
	if rows[0].Topic != "arn:new" || rows[1].Topic != both[0].Topic {
		t.Errorf("topics %q and %q: a row keeps the topic of its last attempt", rows[0].Topic, rows[1].Topic)
	}
}

func TestRemovedIntegrationKeepsItsBacklogForADay(t *testing.T) {
	now := storetest.Start
	o := store.Options{Now: func() time.Time { return now }}
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, o)
	add(t, s, storetest.Sweep(1, 1, 5, "aws", "gcp"))
	settle(t, s, "aws", store.Retrying, pending(t, s, "aws", 1)...)
	offer(t, s, storetest.Sweep(1, 6, 1, "aws"))
	settle(t, s, "aws", store.Failed, pending(t, s, "aws", 6)[5])
	must(t, s.SetIntegrations(both[1:]))
	must(t, s.Close())

	now = now.Add(23 * time.Hour)
	s = storetest.MustOpenAt(t, path, o)
	must(t, s.SetIntegrations(both[1:]))
	add(t, s, storetest.Sweep(2, 1, 1, "gcp"))
	if is := s.Stats().Integrations["aws"]; is.Backlog != 5 || !is.Orphaned {
		t.Errorf("after 23 h: %+v", is)
	}

	now = now.Add(2 * time.Hour)
	add(t, s, storetest.Sweep(2, 2, 1, "gcp"))
	if is := s.Stats().Integrations["aws"]; is.Backlog != 0 || is.Dropped != 5 || !is.Orphaned {
		t.Errorf("after 25 h: %+v", is)
	}
	rows := triggers(t, s, store.TriggerQuery{Integration: "aws"})
	told := map[string]uint64{} // by object
	for _, row := range rows {
		if row.Open {
			t.Errorf("the row says that the sample is tried again: %+v", row)
		}
		if row.Gap.Reason == "" {
			continue // a row of a delivery
		}
		told[row.Gap.Object] += row.Gap.Count
		if !strings.Contains(row.Error, "removed: 24 h after the integration was taken out of the configuration") {
			t.Errorf("row %+v", row)
		}
	}
	want := map[string]uint64{"object_00": 1, "object_01": 1, "object_02": 1, "object_03": 1, "object_04": 1}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	if got := len(pending(t, s, "gcp", 100)); got != 7 {
		t.Errorf("gcp has %d pending", got)
	}

	now = now.Add(30 * 24 * time.Hour)
	add(t, s, storetest.Sweep(2, 3_000_000, 1, "gcp"))
	if _, known := s.Stats().Integrations["aws"]; known {
		t.Error("still known after a month")
	}
	if rows := triggers(t, s, store.TriggerQuery{Integration: "aws"}); len(rows) != 0 {
		t.Errorf("rows after a month: %+v", rows)
	}
	if _, err := s.Pending("aws", 1, nil); !errors.Is(err, store.ErrUnknownIntegration) {
		t.Errorf("pending: %v", err)
	}
	must(t, s.Close())
	s = storetest.MustOpenAt(t, path, o)
	must(t, s.SetIntegrations(both)) // aws with the same id is now a new integration
	must(t, s.Close())
	s = storetest.MustOpenAt(t, path, o)
	if is, letters := s.Stats().Integrations["aws"], deadLetters(t, s, "aws"); is.Dropped != 0 || is.Failed != 0 ||
		len(letters) != 0 {
		t.Errorf("a month later: %+v, dead letters %v", is, letterNumbers(letters))
	}
}

// A long backlog is deleted in several commits. The log still has one row for each object, which counts all its
// samples.
func TestLongBacklogOfARemovedIntegrationIsToldByObject(t *testing.T) {
	const n, settled = 25_000, 10
	now := storetest.Start
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{Now: func() time.Time { return now }})
	var sweeps []objects.Sweep
	for i := range n {
		sw := storetest.Sweep(1, uint64(2*i+1), 2, "aws")
		for j := range sw.Samples {
			sw.Samples[j].Seq = uint64(i + 1)
		}
		if i%100 == 0 {
			sw.Routes = append(sw.Routes, objects.Route{Integration: "gcp", Picked: []int{1}})
		}
		if sweeps = append(sweeps, sw); len(sweeps) == 5_000 {
			add(t, s, sweeps...)
			sweeps = nil
		}
	}
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", settled)...)
	must(t, s.SetIntegrations(both[1:]))
	now = now.Add(25 * time.Hour)
	commits := 0
	for ; s.Stats().Integrations["aws"].Backlog > 0 && commits < 10; commits++ {
		add(t, s, storetest.Sweep(2, uint64(100_001+commits), 1, "gcp"))
	}
	if commits < 2 || commits > 4 {
		t.Errorf("%d commits", commits)
	}
	type gap struct {
		object             string
		first, last, count uint64
	}
	var told []gap
	for _, row := range triggers(t, s, store.TriggerQuery{Integration: "aws", Gaps: true}) {
		told = append(told, gap{row.Gap.Object, row.Gap.First, row.Gap.Last, row.Gap.Count})
	}
	slices.SortFunc(told, func(a, b gap) int { return strings.Compare(a.object, b.object) })
	const each = settled / 2
	want := []gap{{"object_00", each + 1, n, n - each}, {"object_01", each + 1, n, n - each}}
	if !slices.Equal(told, want) {
		t.Errorf("gaps %+v, want %+v", told, want)
	}
	if is := s.Stats().Integrations["aws"]; is.Dropped != 2*n-settled {
		t.Errorf("%+v", is)
	}
	if is := s.Stats().Integrations["gcp"]; is.Backlog != uint64(n/100+commits) {
		t.Errorf("the other one: %+v", is)
	}
}

func TestIntegrationThatComesBackGoesOn(t *testing.T) {
	now := storetest.Start
	s := open(t, store.Options{Now: func() time.Time { return now }})
	add(t, s, storetest.Sweep(1, 1, 5, "aws"))
	must(t, s.SetIntegrations(nil))
	now = now.Add(20 * time.Hour)
	must(t, s.SetIntegrations(both))
	now = now.Add(20 * time.Hour)
	add(t, s, storetest.Sweep(1, 6, 5, "aws"))
	if got := numbers(pending(t, s, "aws", 100)); !cmp.Equal(got, upTo(1, 10)) {
		t.Errorf("pending %v", got)
	}
}

func TestKnownIntegrationsCostNoCommit(t *testing.T) {
	s := open(t, store.Options{})
	before := s.Stats().Commits
	must(t, s.SetIntegrations(both))
	if n := s.Stats().Commits - before; n != 0 {
		t.Errorf("%d commits for nothing new", n)
	}
}

func TestBadIntegrationListsAreRefused(t *testing.T) {
	s := open(t, store.Options{})
	for _, list := range [][]store.Integration{{{ID: ""}}, {{ID: "a"}, {ID: "a"}}, {{ID: strings.Repeat("x", 256)}}} {
		if err := s.SetIntegrations(list); err == nil {
			t.Errorf("accepted %v", list)
		}
	}
	if n := len(s.Stats().Integrations); n != 2 {
		t.Errorf("%d integrations are left", n)
	}
}

// TestClockThatLiesDropsNoBacklog: only a time that is known to be right counts for the removal of an integration and
// for the deletion of its data.
func TestClockThatLiesDropsNoBacklog(t *testing.T) {
	now, good := time.Unix(100, 0), false
	o := store.Options{
		Now: func() time.Time { return now },
		Clock: store.Clock{Boot: "a", Uptime: func() time.Duration { return time.Minute },
			Good: func() bool { return good }},
	}
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, o)
	add(t, s, storetest.Sweep(1, 1, 5, "aws", "gcp"))
	must(t, s.SetIntegrations(both[1:])) // in 1970
	must(t, s.Close())
	s = storetest.MustOpenAt(t, path, o)
	must(t, s.SetIntegrations(both[1:]))
	for n, step := range []struct {
		now  time.Time
		good bool
		left uint64
	}{
		{storetest.Start.AddDate(56, 0, 0), false, 5},
		{storetest.Start, true, 5}, // 50 years later than the wrong clock said at the removal
		{storetest.Start.Add(23 * time.Hour), true, 5},
		{storetest.Start.AddDate(56, 0, 0), false, 5},
		{storetest.Start.Add(25 * time.Hour), true, 0},
	} {
		now, good = step.now, step.good
		add(t, s, storetest.Sweep(2, uint64(n+1), 1, "gcp"))
		if is := s.Stats().Integrations["aws"]; is.Backlog != step.left {
			t.Errorf("step %d at %v: %+v, want a backlog of %d", n, now, is, step.left)
		}
	}
	for n, step := range []struct {
		now   time.Time
		good  bool
		known bool
	}{
		{storetest.Start.AddDate(56, 0, 0), false, true}, // its counters and its log are kept for a month
		{storetest.Start.AddDate(0, 0, 29), true, true},
		{storetest.Start.AddDate(0, 0, 31), true, false},
	} {
		now, good = step.now, step.good
		add(t, s, storetest.Sweep(2, uint64(n+10), 1, "gcp"))
		if _, known := s.Stats().Integrations["aws"]; known != step.known {
			t.Errorf("at %v, good: %v: known %v", now, good, known)
		}
	}
}

// TestLastGoodTimeMayGoBack: a clock was ahead and was accepted as right. Then it is corrected.
func TestLastGoodTimeMayGoBack(t *testing.T) {
	now := storetest.Start.AddDate(5, 0, 0)
	o := store.Options{Now: func() time.Time { return now }}
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, o)
	add(t, s, storetest.Sweep(1, 1, 1, "aws"))
	now = storetest.Start
	add(t, s, storetest.Sweep(1, 2, 1, "aws"))
	if got := s.LastGood(); !got.Equal(now) {
		t.Errorf("last good time %v, want %v", got, now)
	}
	must(t, s.Close())
	if got := storetest.MustOpenAt(t, path, o).LastGood(); !got.Equal(now) {
		t.Errorf("after a restart %v, want %v", got, now)
	}
}
