package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

const (
	// backlogSweeps of backlogSamples are a million samples. With a long text in each sweep their records have 38
	// MiB. Neither the samples nor the records fit into memoryRoom.
	backlogSweeps  = 62_500
	backlogSamples = 16
	backlogText    = 512
	// memoryRoom is how much more writable memory a process may use with the long backlog than without one. 9 to 17
	// MiB were measured: the heap grows by 4 MiB at a time, and has twice the size of the live objects.
	memoryRoom = 24 << 20

	childFill  = childPrefix + "fill"  // appends the long backlog
	childDrain = childPrefix + "drain" // drains what is there while new samples come
	// dataLimit is the limit that childDrain sets itself, in bytes; empty: none.
	dataLimit = "NOI_STORE_DATA_LIMIT"
)

// TestALongBacklogIsDrainedInLittleMemory drains a million samples in a process that gets 24 MiB more than a process
// without a backlog needs. The kernel refuses more memory, and then the process ends. New samples come all the time.
func TestALongBacklogIsDrainedInLittleMemory(t *testing.T) {
	program := withoutRaceDetector(t)
	run := func(what, path string, limit int) (said string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, what, path)
		cmd.Env = append(os.Environ(), "GOMAXPROCS=2", "GOGC=100", "GOMEMLIMIT=off")
		if limit > 0 {
			cmd.Env = append(cmd.Env, dataLimit+"="+strconv.Itoa(limit))
		}
		begin := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%.4000s", what, err, out)
		}
		t.Logf("%s, limit %d MiB: %s in %v", what, limit>>20, strings.TrimSpace(string(out)),
			time.Since(begin).Round(time.Millisecond))
		return string(out)
	}
	var drained, needs int
	_, err := fmt.Sscan(run(childDrain, filepath.Join(t.TempDir(), "noi.db"), 0), &drained, &needs)
	must(t, err)
	path := filepath.Join(t.TempDir(), "noi.db")
	run(childFill, path, 0)
	_, err = fmt.Sscan(run(childDrain, path, needs+memoryRoom), &drained, &needs)
	must(t, err)
	if drained <= backlogSweeps*backlogSamples {
		t.Errorf("%d samples drained, and no new ones", drained)
	}
	must(t, store.Check(path))
	s := openAt(t, path, store.Options{})
	if is := s.Stats().Integrations["aws"]; is.Backlog != 0 || is.Dropped != 0 || is.Sent != uint64(drained) {
		t.Errorf("after %d were accepted: %+v", drained, is)
	}
}

// withoutRaceDetector builds this test binary as for a gateway: the race detector multiplies memory, and the threads
// of cgo count as data.
func withoutRaceDetector(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "store.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-trimpath", "-tags=grpcnotrace,nethttpomithttp2",
		"-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as tools/check.sh builds, so that little is compiled twice
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// bulkySweeps returns a function that makes the sweeps of one run, numbered from n on. One sample of each is a long
// text.
func bulkySweeps(run, n uint64) func() objects.Sweep {
	form := storetest.Sweep(run, n, backlogSamples, "aws")
	return func() objects.Sweep {
		sw := form
		sw.Samples = slices.Clone(form.Samples)
		for i := range sw.Samples {
			sw.Samples[i].N, sw.Samples[i].SampledAt = n, storetest.Start.Add(time.Duration(n)*time.Millisecond)
			n++
		}
		sw.Samples[0].Value = objects.Text(fmt.Sprintf("%0*d", backlogText, n))
		return sw
	}
}

func openBulky(path string) (*store.Store, error) {
	s, err := store.Open(path, store.Options{
		Limits: store.Limits{MaxSize: 1 << 30, CommitEvery: time.Second, KeepTriggers: 100},
		Now:    func() time.Time { return storetest.Start.Add(time.Hour) },
	})
	if err == nil {
		err = s.SetIntegrations(both[:1])
	}
	return s, err
}

// fillBulky is the child that appends the long backlog, thousands of sweeps to a commit.
func fillBulky(path string) error {
	s, err := openBulky(path)
	if err != nil {
		return err
	}
	next := bulkySweeps(s.Run(), 1)
	for range backlogSweeps / 500 { // Append waits while 65,536 samples wait
		var sweeps []objects.Sweep
		for range 500 {
			sweeps = append(sweeps, next())
		}
		if _, err := s.Offer(context.Background(), sweeps...); err != nil {
			return err
		}
	}
	return s.Close()
}

// drainBulky is the child that limits its own memory. It settles the whole backlog, one batch and one new sweep at a
// time, in at least two hundred rounds. It prints the number of samples and its data memory at the end. The runtime
// returns no memory to the kernel, so that figure is the maximum.
func drainBulky(path string) error {
	if text := os.Getenv(dataLimit); text != "" {
		limit, err := strconv.ParseUint(text, 10, 64)
		if err == nil {
			err = syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: limit, Max: limit})
		}
		if err != nil {
			return err
		}
	}
	s, err := openBulky(path)
	if err != nil {
		return err
	}
	taken, offered := uint64(0), s.Stats().Integrations["aws"].Backlog
	next := bulkySweeps(s.Run(), offered+1)
	for round := 0; ; round++ {
		if round < 200 || taken+1000 < offered {
			if _, err := s.Offer(context.Background(), next()); err != nil {
				return err
			}
			offered += backlogSamples
		}
		ds, err := s.Pending("aws", 1000, nil)
		if err != nil {
			return err
		}
		if len(ds) == 0 && round >= 200 {
			break
		}
		for _, d := range ds {
			if taken++; d.Sample.N != taken {
				return fmt.Errorf("number %d came after %d", d.Sample.N, taken-1)
			}
		}
		if err := s.Settle("aws", results(store.Accepted, ds...)); err != nil {
			return err
		}
	}
	if taken != offered {
		return fmt.Errorf("%d taken of %d", taken, offered)
	}
	data := int(memory("VmData") * (1 << 20))
	if err := s.Close(); err != nil {
		return err
	}
	fmt.Println(taken, data)
	return nil
}

// exitCode prints the error and returns the exit code.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
