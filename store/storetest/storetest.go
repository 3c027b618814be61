package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
)

// Start is the time of Sweep's first sample: sample n is taken n seconds later.
var Start = time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)

// MustOpen opens a store in a directory of its own. At the end of the test the store is closed, if the test did not
// close it, and checked (store.Check). If opts.Now is nil, the clock stays one hour after Start, so that no sample is
// too old.
func MustOpen(tb testing.TB, opts store.Options) *store.Store {
	tb.Helper()
	return MustOpenAt(tb, filepath.Join(tb.TempDir(), "noi.db"), opts)
}

// MustOpenAt is MustOpen for a given path, for tests that open the store again.
func MustOpenAt(tb testing.TB, path string, opts store.Options) *store.Store {
	tb.Helper()
	if opts.Now == nil {
		opts.Now = func() time.Time { return Start.Add(time.Hour) }
	}
	s, err := store.Open(path, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeAndCheck(tb, s, path) })
	return s
}

func closeAndCheck(tb testing.TB, s *store.Store, path string) {
	if err := s.Close(); err != nil {
		tb.Errorf("close: %v", err)
	}
	if err := store.Check(path); err != nil {
		tb.Error(err)
	}
}

// Source is the source of Sweep's samples.
func Source() objects.Source {
	return objects.Source{
		Line: "rs485", UnitID: 1, Slave: "PS-PWM-30M", Firmware: "v01.04.06", FWVersion: "PSPWM 1.0.10",
	}
}

// Sweep returns count samples of one moment, numbered from n0 on, each for every route. They are of all kinds, in the
// mix of a charge controller: mostly half precision numbers, some counters, now and then a state or a bit field. Two
// neighbours never have the same value.
func Sweep(run, n0 uint64, count int, routes ...string) objects.Sweep {
	sw := objects.Sweep{Source: Source(), Run: run}
	at := Start.Add(time.Duration(n0) * time.Second)
	all := make([]int, count)
	for i := range count {
		n := n0 + uint64(i)
		sw.Samples = append(sw.Samples, objects.Sample{
			Object: fmt.Sprintf("object_%02d", i), Value: value(i, n), SampledAt: at, N: n,
		})
		all[i] = i
	}
	for _, id := range routes {
		sw.Routes = append(sw.Routes, objects.Route{Integration: id, Picked: all})
	}
	return sw
}

func value(i int, n uint64) objects.Value {
	switch i % 16 {
	case 12:
		return objects.Bool(n%2 == 1)
	case 13:
		return objects.Text([]string{"NIGHT", "BULK", "ABSORPTION", "FLOAT"}[n%4])
	case 14:
		return objects.Bits([]string{"overcurrent", "hvd", "eeprom"}[:n%4])
	case 15:
		return objects.Number(float64(100_000 + n))
	default:
		return objects.Number(12 + float64(n%2048)/128) // like register values, exact in binary
	}
}

// Rounds is how often a random test repeats itself: short in `make test`, long in `make torture`, which sets
// NOI_TORTURE=1.
func Rounds(short, long int) int {
	if Torture() {
		return long
	}
	return short
}

// Simulated is the size of a long simulation: few with the race detector, which makes it some five times slower, and
// all in the run without it (tools/check.sh).
func Simulated(few, all int) int {
	if Raced {
		return few
	}
	return all
}

// Torture reports whether this is `make torture`, which has time for all cases.
func Torture() bool { return os.Getenv("NOI_TORTURE") == "1" }
