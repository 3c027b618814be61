package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"noi-agent/sinks/sinktest/standin"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// backlog leaves an outbox as after an outage: so many sweeps of 100 objects for SNS, the last one just now.
func (w *world) backlog(sweeps int) (samples int) {
	w.t.Helper()
	const objects = 100
	dir := filepath.Join(w.dir, "state")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(dir, "noi.db"), store.Options{})
	if err == nil {
		err = s.SetIntegrations([]store.Integration{{ID: snsID}})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for n := range sweeps {
		sw := storetest.Sweep(s.Run(), uint64(n*objects+1), objects, snsID)
		for i := range sw.Samples {
			sw.Samples[i].SampledAt = time.Now().Add(time.Duration(n-sweeps) * time.Second)
		}
		if err := s.Append(w.t.Context(), sw); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		w.t.Fatal(err)
	}
	return sweeps * objects
}

// TestKilledWithManyRequestsInFlight kills the real daemon while it sends a backlog to an SNS whose answers take 50
// ms. Each sample arrives, those of an object in their order, and a repeated sample has the same sample_id.
func TestKilledWithManyRequestsInFlight(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	binary := buildBinary(t, "..")
	w := newWorld(t, countingSlave())
	samples := w.backlog(40)
	config := withAllAttributes(t, w.config(`objects: [Ahc_r], intervals: {"*": 1h}`, "[Ahc_r]"))
	var air, most atomic.Int64
	w.sns.SetFault(func(standin.Request) *standin.Fault {
		if n := air.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer air.Add(-1)
		<-time.After(50 * time.Millisecond)
		return nil
	})
	marks := &committed{upTo: map[int]int{}}
	for range 2 {
		child, read := startChild(t, binary, config, marks)
		had := w.sns.Taken()
		eventually(t, "the backlog is sent", func() bool { return w.sns.Taken() > had+500 })
		<-time.After(time.Duration(rng.IntN(500)) * time.Millisecond)
		if err := child.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-read
		_ = child.Wait() // killed
	}
	child, read := startChild(t, binary, config, marks)
	looked := 0
	eventually(t, "all has arrived", func() bool {
		taken := w.sns.Taken()
		if taken < samples || taken == looked {
			return false
		}
		looked = taken
		return len(firstRun(w.sns.Messages())) == samples
	})
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-read
	if err := child.Wait(); err != nil {
		t.Errorf("the last daemon ended with %v", err)
	}
	messages := w.sns.Messages()
	last, seen, repeated := map[string]int{}, map[int]string{}, 0
	for _, m := range messages {
		n, ok := firstNumber(m)
		if !ok {
			continue
		}
		b := parseBody(t, m.Body)
		switch said, again := seen[n]; {
		case again && said != b.Object+string(b.Data):
			t.Errorf("sample %d is %s and %s%s", n, said, b.Object, b.Data)
		case again:
			repeated++
		case n <= last[b.Object]:
			t.Errorf("%s: sample %d arrives after %d", b.Object, n, last[b.Object])
		}
		seen[n], last[b.Object] = b.Object+string(b.Data), max(last[b.Object], n)
	}
	t.Logf("%d messages, %d of them repetitions, at most %d requests in flight", len(messages), repeated, most.Load())
	if most.Load() < 4 {
		t.Errorf("only %d requests were in flight", most.Load())
	}
}

// firstNumber is the number of a sample of the first run of a store, which made the backlog.
func firstNumber(m standin.Message) (n int, ok bool) {
	_, tail, _ := strings.Cut(m.Attributes["sample_id"], "-") // device id
	_, tail, _ = strings.Cut(tail, "-")                       // store id
	run, number, _ := strings.Cut(tail, "-")
	n, err := strconv.Atoi(number)
	return n, err == nil && run == "1"
}

// firstRun returns the samples of the first run that have arrived.
func firstRun(messages []standin.Message) map[string]bool {
	have := map[string]bool{}
	for _, m := range messages {
		if n, ok := firstNumber(m); ok {
			have[fmt.Sprint(n)] = true
		}
	}
	return have
}
