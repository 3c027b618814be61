package agent

import (
	"path/filepath"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
)

// While a controller is not identified and the clock is unsure, an integration misses samples. The gap is in the
// file, and gets its times when the clock is right, even in a later run.
func TestAGapOfIdentityWaitsForTheClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	booted := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	open := func() *store.Store {
		t.Helper()
		s, err := store.Open(path, store.Options{Clock: store.Clock{Boot: "one", Uptime: func() time.Duration { return time.Hour }}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetIntegrations([]store.Integration{{ID: "aws"}}); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	sm := &sampler{store: s}
	for n := uint64(1); n <= 3; n++ {
		up := time.Duration(n) * time.Second
		at := store.Instant{Run: s.Run(), At: time.Unix(0, 0).Add(up), Uptime: up, Unsure: true}
		sm.unnamed.add("aws", "rs485/1", at, &objects.Sample{Object: "adc_vb", Seq: n})
	}
	if err := sm.withheld(sm.unnamed.all()); err != nil {
		t.Fatal(err)
	}
	if gaps := s.Stats().Integrations["aws"].Gaps; len(gaps) != 0 {
		t.Errorf("while the time is not known: %+v", gaps)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open()
	defer s.Close()
	s.SetBooted(booted)
	gaps := s.Stats().Integrations["aws"].Gaps
	if len(gaps) != 1 || gaps[0].Gap.Count != 3 || !gaps[0].Gap.From.Equal(booted.Add(time.Second)) || !gaps[0].Gap.To.Equal(booted.Add(3*time.Second)) {
		t.Errorf("gaps %+v, want 3 from a second after %v on", gaps, booted)
	}
}
