package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"noi-agent/store"
	"noi-agent/store/storetest"
)

func TestTrafficIsCountedByDayAndMonth(t *testing.T) {
	now := time.Date(2022, 6, 29, 23, 0, 0, 0, time.UTC)
	good := true
	path := filepath.Join(t.TempDir(), "noi.db")
	o := store.Options{Now: func() time.Time { return now }, Clock: store.Clock{Good: func() bool { return good }}}
	s := openAt(t, path, o)
	traffic := func() store.Traffic { return s.Stats().Integrations["aws"].Traffic }
	must(t, s.CountTraffic("aws", 100, 10))
	now = now.Add(2 * time.Hour) // June 30
	must(t, s.CountTraffic("aws", 50, 5))
	if got := traffic(); got.TodaySent != 50 || got.MonthSent != 150 || got.Sent != 150 || got.TodayReceived != 5 {
		t.Errorf("%+v", got)
	}
	add(t, s, storetest.Sweep(s.Run(), 1, 1, "aws")) // its commit writes the month
	d := pending(t, s, "aws", 1)[0]
	must(t, s.LogReplay("aws", &store.Replayed{Delivery: d}, results(store.Failed, d)[0]))
	must(t, s.LogReplay("aws", &store.Replayed{Delivery: d}, results(store.Accepted, d)[0]))
	must(t, s.Close())
	s = openAt(t, path, o)
	if got := traffic(); got.TodaySent != 50 || got.MonthSent != 150 || got.Received != 15 || got.Replayed != 1 {
		t.Errorf("after a restart %+v", got)
	}
	now = now.AddDate(0, 0, 1) // July: nothing was sent yet
	if got := traffic(); got.TodaySent != 0 || got.MonthSent != 0 || got.Sent != 150 {
		t.Errorf("in the next month %+v", got)
	}
	good, now = false, time.Unix(0, 0) // a clock that is not known to be right begins no new month
	must(t, s.CountTraffic("aws", 7, 7))
	good, now = true, time.Date(2022, 6, 30, 12, 0, 0, 0, time.UTC)
	if got := traffic(); got.TodaySent != 57 || got.MonthSent != 157 {
		t.Errorf("with a wrong clock %+v", got)
	}
}
