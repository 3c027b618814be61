package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// TestTheOldestSampleThatWaitsHasTheTimeOfItsStamp: three figures follow the rule for the time of a sample. They are
// the oldest sample in the status, the age at which a sample expires, and the ends of a gap.
func TestTheOldestSampleThatWaitsHasTheTimeOfItsStamp(t *testing.T) {
	const up = 5 * time.Minute
	floor := storetest.Start.AddDate(0, -1, 0)
	for name, clock := range map[string]time.Time{
		"1970": time.Unix(300, 0), "2099": time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		"slow": storetest.Start.Add(-time.Minute),
	} {
		for _, known := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "noi.db")
			now := storetest.Start
			o := store.Options{Now: func() time.Time { return now },
				Clock: store.Clock{Boot: "one", Floor: floor, Uptime: func() time.Duration { return up }}}
			s := openAt(t, path, o)
			sweep := storetest.Sweep(s.Run(), 1, 1, "aws")
			sweep.Unsure, sweep.BootedAt, sweep.Samples[0].SampledAt = true, clock.Add(-up), clock
			add(t, s, sweep)
			if known {
				s.SetBooted(storetest.Start.Add(-up))
			}
			must(t, s.Close())

			o.Clock.Boot, o.Clock.Old = "two", func() bool { return true }
			o.Limits.MaxAge = 10 * 24 * time.Hour
			s = openAt(t, path, o)
			d := pending(t, s, "aws", 1)[0]
			want, _ := d.Stamp.Time(d.Sample.SampledAt)
			if got := s.Stats().Integrations["aws"].Oldest; !got.Equal(want) {
				t.Errorf("%s, boot known %v: the oldest is of %v, want %v", name, known, got, want)
			}
			taken := store.Instant{Run: d.Run, At: clock, Uptime: up, Unsure: true}
			must(t, s.MissingSpan("aws", store.Span{Begins: taken, Ends: taken, Gap: objects.Gap{Object: "x", Count: 1,
				Reason: objects.GapBus}}))
			if gaps := s.Stats().Integrations["aws"].Gaps; len(gaps) != 1 || !gaps[0].Gap.From.Equal(want) ||
				!gaps[0].Gap.To.Equal(want) {
				t.Errorf("%s, boot known %v: a gap of that moment is %+v, want %v", name, known, gaps, want)
			}
			for _, c := range []struct {
				age  time.Duration
				left uint64
			}{{-time.Hour, 1}, {time.Hour, 0}} {
				now = want.Add(o.Limits.MaxAge + c.age)
				add(t, s, storetest.Sweep(s.Run(), 2, 1, "gcp")) // its commit deletes samples that are too old
				if got := s.Stats().Integrations["aws"].Backlog; got != c.left {
					t.Errorf("%s, boot known %v: %d wait at the most age %+v, want %d", name, known, got, c.age, c.left)
				}
			}
			must(t, s.Close())
		}
	}
}
