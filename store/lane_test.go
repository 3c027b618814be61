package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// withAlarm is a sweep of three samples, numbered from n on: a number, an alarm, a number.
func withAlarm(run, n uint64) objects.Sweep {
	sw := storetest.Sweep(run, n, 3, "aws", "gcp")
	sw.Samples[1].Object, sw.Samples[1].Value, sw.Samples[1].Alarm = "alarm", objects.Bits([]string{"high_temp"}), true
	return sw
}

func alarmsFirst(on bool) []store.Integration {
	return []store.Integration{{ID: "aws", Topic: "T", AlarmsFirst: on}, {ID: "gcp", Topic: "U"}}
}

func TestAlarmsGoFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := storetest.MustOpenAt(t, path, store.Options{})
	must(t, s.SetIntegrations(alarmsFirst(false)))
	add(t, s, withAlarm(1, 1))
	must(t, s.SetIntegrations(alarmsFirst(true)))
	add(t, s, withAlarm(1, 4), withAlarm(1, 7))
	// Sample 2 is an alarm that was offered before the lane existed. It must come before the alarms 5 and 8.
	if got := numbers(pending(t, s, "aws", 3)); !cmp.Equal(got, upTo(1, 3)) {
		t.Fatalf("pending %v, want 1 to 3", got)
	}
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 3)...)
	for range 2 {
		if got := numbers(pending(t, s, "aws", 10)); !cmp.Equal(got, []uint64{5, 8}) {
			t.Fatalf("pending %v, want the alarms 5 and 8", got)
		}
		if is := s.Stats().Integrations["aws"]; is.Backlog != 6 || is.Sent != 3 ||
			!is.Oldest.Equal(storetest.Start.Add(4*time.Second)) {
			t.Errorf("%+v", is)
		}
		must(t, s.Close())
		s = storetest.MustOpenAt(t, path, store.Options{})
		must(t, s.SetIntegrations(alarmsFirst(true)))
	}
	settle(t, s, "aws", store.Retrying, pending(t, s, "aws", 1)...)
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...)
	if got := numbers(pending(t, s, "aws", 10)); !cmp.Equal(got, []uint64{4, 6, 7, 9}) {
		t.Fatalf("pending %v, want the rest", got)
	}
	if got := numbers(pending(t, s, "gcp", 10)); !cmp.Equal(got, upTo(1, 9)) {
		t.Errorf("gcp, which has no AlarmsFirst: %v", got)
	}
	for _, w := range triggers(t, s, store.TriggerQuery{Integration: "aws"}) {
		if w.Open || !w.Success || w.Integration != "aws" {
			t.Errorf("row %+v", w)
		}
	}
	if names := len(s.Stats().Integrations); names != 2 {
		t.Errorf("%d integrations in the stats", names)
	}
}

func TestALaneIsEmptiedWhenItIsNotWantedAnyMore(t *testing.T) {
	s := storetest.MustOpen(t, store.Options{})
	must(t, s.SetIntegrations(alarmsFirst(true)))
	add(t, s, withAlarm(1, 1))
	must(t, s.SetIntegrations(alarmsFirst(false)))
	add(t, s, withAlarm(1, 4))
	var got []uint64
	for ds := pending(t, s, "aws", 2); len(ds) > 0; ds = pending(t, s, "aws", 2) {
		got = append(got, numbers(ds)...)
		settle(t, s, "aws", store.Accepted, ds...)
	}
	if fmt.Sprint(got) != "[2 1 3 4 5 6]" {
		t.Errorf("sent %v: the alarm 5 must come after 2, and the rest in order", got)
	}
}

func TestWhatALaneLosesIsItsIntegrations(t *testing.T) {
	s := storetest.MustOpen(t, store.Options{Limits: store.Limits{MaxSize: 700}})
	must(t, s.SetIntegrations(alarmsFirst(true)))
	for n := uint64(1); n <= 60; n += 3 {
		add(t, s, withAlarm(1, n))
	}
	is := s.Stats().Integrations["aws"]
	if is.Dropped == 0 || is.Dropped+is.Backlog != 60 {
		t.Errorf("%+v do not add up to 60", is)
	}
	counts := map[string]uint64{}
	for _, w := range triggers(t, s, store.TriggerQuery{Integration: "aws"}) {
		counts[w.Gap.Object] += w.Gap.Count
	}
	if counts["alarm"] != is.Dropped/3 || counts["object_00"] != is.Dropped/3 {
		t.Errorf("gaps by object %v, dropped %d", counts, is.Dropped)
	}
	must(t, s.SetIntegrations(alarmsFirst(true)[1:])) // aws is removed, and its lane with it
	if orphan := s.Stats().Integrations["aws"]; !orphan.Orphaned || orphan.Backlog != is.Backlog {
		t.Errorf("%+v", orphan)
	}
}

// alarmsOf drains an integration, so many samples at a time, and returns the numbers of its alarms in their order.
func alarmsOf(t *testing.T, s *store.Store, limit int) (got []uint64) {
	t.Helper()
	for ds := pending(t, s, "aws", limit); len(ds) > 0; ds = pending(t, s, "aws", limit) {
		for _, d := range ds {
			if d.Sample.Object == "alarm" {
				got = append(got, d.Sample.N)
			}
		}
		settle(t, s, "aws", store.Accepted, ds...)
	}
	return got
}

func TestALaneThatIsWantedAgainKeepsTheOrder(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		for _, limit := range []int{2, 100} {
			t.Run(fmt.Sprint(restarts, limit), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "noi.db")
				s := storetest.MustOpenAt(t, path, store.Options{})
				n, want := uint64(1), []uint64{}
				// with and without samples in the lane
				for _, on := range []bool{false, true, false, true, true, false, true} {
					must(t, s.SetIntegrations(alarmsFirst(on)))
					for range 3 {
						add(t, s, withAlarm(1, n))
						n, want = n+3, append(want, n+1)
					}
					if restarts {
						must(t, s.Close())
						s = storetest.MustOpenAt(t, path, store.Options{})
					}
				}
				must(t, s.SetIntegrations(alarmsFirst(true)))
				if got := alarmsOf(t, s, limit); !cmp.Equal(got, want) {
					t.Errorf("the alarms came as %v, want %v", got, want)
				}
				add(t, s, withAlarm(1, n), withAlarm(1, n+3))
				if got := numbers(pending(t, s, "aws", 10)); !cmp.Equal(got, []uint64{n + 1, n + 4}) {
					t.Errorf("after the lane was empty, %v is pending first", got)
				}
			})
		}
	}
}

func TestAlarmsGoFirstHoweverFarBehindTheyAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := storetest.MustOpenAt(t, path, store.Options{})
	must(t, s.SetIntegrations(alarmsFirst(true)))
	sweeps := []objects.Sweep{withAlarm(1, 1)}
	for n := uint64(4); n < 4+3*2500; n += 3 {
		sweeps = append(sweeps, storetest.Sweep(1, n, 3, "aws"))
	}
	last := 4 + uint64(3*2500)
	add(t, s, append(sweeps, withAlarm(1, last))...)
	must(t, s.Close())
	s = storetest.MustOpenAt(t, path, store.Options{})
	must(t, s.SetIntegrations(alarmsFirst(true)))
	if got := numbers(pending(t, s, "aws", 10)); !cmp.Equal(got, []uint64{2, last + 1}) {
		t.Errorf("pending %v, want the alarms 2 and %d", got, last+1)
	}
}

// restart closes a store and opens it again, with or without a lane.
func restart(t *testing.T, s *store.Store, path string, lane bool) *store.Store {
	t.Helper()
	must(t, s.Close())
	s = storetest.MustOpenAt(t, path, store.Options{})
	must(t, s.SetIntegrations(alarmsFirst(lane)))
	return s
}

// TestAnAlarmThatIsRetriedKeepsItsRow: the row survives restarts, in whichever of the two cursors the alarm waits.
func TestAnAlarmThatIsRetriedKeepsItsRow(t *testing.T) {
	retry := func(t *testing.T, s *store.Store, n uint64, try int) {
		t.Helper()
		var d store.Delivery
		for _, d = range pending(t, s, "aws", 100) {
			if d.Sample.N == n {
				break
			}
		}
		if d.Sample.N != n || d.Attempts != try-1 {
			t.Fatalf("try %d of %d: pending %+v", try, n, d)
		}
		settle(t, s, "aws", store.Retrying, d)
		of := 0
		for _, w := range triggers(t, s, store.TriggerQuery{Integration: "aws"}) {
			if w.Sample.N == n {
				if of++; w.Attempts != try || !w.Open {
					t.Errorf("try %d of %d: row %+v", try, n, w)
				}
			}
		}
		if of != 1 {
			t.Errorf("try %d of %d: %d rows", try, n, of)
		}
	}
	t.Run("in the lane", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := storetest.MustOpenAt(t, path, store.Options{})
		must(t, s.SetIntegrations(alarmsFirst(true)))
		add(t, s, withAlarm(1, 1), withAlarm(1, 4))
		for try := 1; try <= 4; try++ {
			retry(t, s, 5, try)
			s = restart(t, s, path, try < 3) // at the end the lane is off while it has samples
		}
		retry(t, s, 5, 5)
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 2)...)
		for _, w := range triggers(t, s, store.TriggerQuery{Integration: "aws", Limit: 1}) {
			if w.Open {
				t.Errorf("row %+v", w)
			}
		}
	})
	t.Run("among the others, taken while the lane was closed", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := storetest.MustOpenAt(t, path, store.Options{})
		must(t, s.SetIntegrations(alarmsFirst(true)))
		add(t, s, withAlarm(1, 1))
		must(t, s.SetIntegrations(alarmsFirst(false)))
		add(t, s, withAlarm(1, 4))                                      // 5 is behind the alarm 2, and not in the lane
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 1)...) // 2: the lane is empty
		for try := 1; try <= 3; try++ {
			retry(t, s, 5, try)
			s = restart(t, s, path, false)
		}
		retry(t, s, 5, 4)
	})
	t.Run("settled, and its result lost", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := storetest.MustOpenAt(t, path, store.Options{})
		must(t, s.SetIntegrations(alarmsFirst(true)))
		add(t, s, withAlarm(1, 1))
		retry(t, s, 2, 1)
		s = restart(t, s, path, true)
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 1)...)
		add(t, s, withAlarm(1, 4)) // its commit writes the cursor, and not yet the row
		cut := storetest.MustOpenAt(t, copyOf(t, path), store.Options{})
		rows := triggers(t, cut, store.TriggerQuery{Integration: "aws"})
		if len(rows) != 1 || rows[0].Open || !strings.HasPrefix(rows[0].Error, "Unknown: ") {
			t.Errorf("rows %+v", rows)
		}
	})
}

// The alarm mark is stored: a sweep that was read from the disk still shows which of its samples are alarms.
func TestTheMarkOfAnAlarmIsStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := storetest.MustOpenAt(t, path, store.Options{})
	must(t, s.SetIntegrations(alarmsFirst(false)))
	add(t, s, withAlarm(1, 1))
	must(t, s.Close())
	again := storetest.MustOpenAt(t, path, store.Options{})
	for _, d := range pending(t, again, "aws", 3) {
		if want := d.Sample.Object == "alarm"; d.Sample.Alarm != want {
			t.Errorf("%s: alarm is %v", d.Sample.Object, d.Sample.Alarm)
		}
	}
}
