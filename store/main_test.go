package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(killEnv); path != "" {
		os.Exit(appendUntilKilled(path))
	}
	if path := os.Getenv(benchEnv); path != "" {
		os.Exit(openAndDrain(path))
	}
	if path := os.Getenv(failEnv); path != "" {
		os.Exit(useOnce(path))
	}
	if len(os.Args) == 3 && strings.HasPrefix(os.Args[1], childPrefix) {
		os.Exit(child(os.Args[1], os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

// both are the integrations of most tests.
var both = []store.Integration{{ID: "aws", Topic: "arn:aws:sns:us-east-2:1:T"},
	{ID: "gcp", Topic: "projects/p/topics/t"}}

// open opens a store that knows both integrations.
func open(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "noi.db"), o)
}

func openAt(t *testing.T, path string, o store.Options) *store.Store {
	t.Helper()
	s := storetest.MustOpenAt(t, path, o)
	must(t, s.SetIntegrations(both))
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, s *store.Store, sweeps ...objects.Sweep) {
	t.Helper()
	must(t, s.Append(t.Context(), sweeps...))
}

func pending(t *testing.T, s *store.Store, id string, limit int) []store.Delivery {
	t.Helper()
	ds, err := s.Pending(id, limit, nil)
	must(t, err)
	return ds
}

// numbers returns the sample numbers of deliveries.
func numbers(ds []store.Delivery) []uint64 {
	out := make([]uint64, 0, len(ds))
	for _, d := range ds {
		out = append(out, d.Sample.N)
	}
	return out
}

func upTo(from, to uint64) []uint64 {
	out := []uint64{}
	for n := from; n <= to; n++ {
		out = append(out, n)
	}
	return out
}

func results(o store.Outcome, ds ...store.Delivery) []store.Result {
	out := make([]store.Result, 0, len(ds))
	at := storetest.Start.Add(30 * time.Minute)
	for _, d := range ds {
		r := store.Result{Seq: d.Seq, Index: d.Index, Outcome: o, PublishedAt: at,
			CompletedAt: at.Add(120 * time.Millisecond)}
		if o == store.Accepted {
			r.MessageID = "5b1f7b0e-8c5e-5b6c-9f5d-2f1f9c1c7d11"
		} else {
			r.Error = "AuthorizationError: User: arn:aws:iam::1:user/noi is not authorized to perform: SNS:Publish on " +
				"resource: T"
		}
		out = append(out, r)
	}
	return out
}

func settle(t *testing.T, s *store.Store, id string, o store.Outcome, ds ...store.Delivery) {
	t.Helper()
	must(t, s.Settle(id, results(o, ds...)))
}

// copyOf copies the file as it is now: the best state that a power cut can leave.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	to := filepath.Join(t.TempDir(), "copy.db")
	must(t, os.WriteFile(to, data, 0o600))
	return to
}
