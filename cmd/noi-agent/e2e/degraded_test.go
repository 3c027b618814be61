package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/modbus/modbustest"
	"noi-agent/status/api"
)

// TestADiskThatFailsAgainAndAgainDoesNotEndTheSampling makes every sync of the store fail, like a worn-out card. Two
// starts end with an error. The third start, as by a supervisor, keeps its outbox in memory, reports this, and
// publishes. The next start, on a sound disk, stays in memory until the samples are sent that waited for an
// unreachable cloud. The start after that is on the disk.
func TestADiskThatFailsAgainAndAgainDoesNotEndTheSampling(t *testing.T) {
	t.Parallel()
	modbustest.NeedPeer(t, "strace that may trace", "strace", "strace", "-f", "-o", "/dev/null", "true")
	memory, binary := inMemory(t), buildBinary(t, "..")
	w := newWorld(t, fixedSlave())
	config := w.config(`objects: [adc_vbterm], intervals: {"*": 200ms}`, "all")
	daemon := func(sound bool) (*exec.Cmd, *bytes.Buffer) {
		args := []string{binary, "run", "--config", config}
		if !sound {
			args = append([]string{
				"strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-P", filepath.Join(w.dir, "state", "noi.db"),
				"-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO",
			}, args...)
		}
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		log := &bytes.Buffer{}
		cmd.Stderr, cmd.Env = log, append(os.Environ(), "RUNTIME_DIRECTORY="+memory)
		return cmd, log
	}
	for start := 1; start <= 2; start++ {
		cmd, log := daemon(false)
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != cli.ExitFailed || !strings.Contains(log.String(), "input/output error") {
			t.Fatalf("start %d ended with %v:\n%s", start, err, log)
		}
	}
	cmd, log := daemon(false)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the third start publishes", func() bool { return w.sns.Taken() > 0 && w.pubsub.Taken() > 0 })
	problems := w.problems()
	if len(problems) != 1 || problems[0].Code != "store_in_memory" {
		t.Errorf("problems %+v", problems)
	}
	if err := w.pubsub.SetDown(true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "samples wait in memory", func() bool { return w.status().Integrations[1].Backlog > 2 })
	endOf(t, cmd, log)
	if !strings.Contains(log.String(), "THE DISK FAILS") {
		t.Errorf("the log does not report it:\n%s", log)
	}

	start := func() string {
		time.Sleep(2100 * time.Millisecond) // at least two moments without an agent, otherwise there is no gap
		cmd, log = daemon(true)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the daemon answers", func() bool {
			return w.listens() && bytes.Contains(w.get("/api/v1/status"), []byte(`"commits"`))
		})
		return w.status().Store.Start
	}
	if how := start(); how != "memory" {
		t.Errorf("on a sound disk, with samples that wait in memory: %s", how)
	}
	if err := w.pubsub.SetDown(false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what waited is sent, and then new samples", func() bool { return w.runsOf(2) != nil && w.status().Integrations[1].Backlog == 0 })
	endOf(t, cmd, log)
	var last time.Time // time of the last sample that was delivered from memory
	for _, m := range w.pubsub.Messages() {
		at, err := time.Parse(time.RFC3339, parseBody(t, m.Body).SampledAt)
		if err != nil {
			t.Fatal(err)
		}
		last = at
	}

	if how := start(); how == "memory" {
		t.Errorf("on a sound disk, with nothing that waits: %s, problems %+v", how, w.problems())
	}
	eventually(t, "samples of the run on the disk", func() bool { return w.runsOf(3) != nil })
	var page api.Triggers
	eventually(t, "the gap of the time in memory is in the log, and the one before the disk", func() bool {
		if err := json.Unmarshal(w.get("/api/v1/triggers?gaps=true&limit=500&integration="+pubsubID), &page); err != nil {
			t.Fatal(err)
		}
		return len(page.Triggers) > 1
	})
	if newest := page.Triggers[0].Gap; newest.From.Before(last.Truncate(time.Second)) {
		t.Errorf("delivered from memory until %v; a gap covers that: %+v", last, *newest)
	}
	endOf(t, cmd, log)
	if err := inRow(w.runsOf(1)); err != nil {
		t.Errorf("the samples in memory: %v\n%s", err, log)
	}
}

// inMemory makes a directory in memory.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "noi-agent-test-")
	if err != nil {
		t.Skipf("no directory in memory: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A card that is read-only from the first day has no state directory, and none can be made. This counts as a failing
// disk.
func TestAStateDirectoryOnAReadOnlyDiskDoesNotEndTheSampling(t *testing.T) {
	t.Parallel()
	modbustest.NeedPeer(t, "strace that may trace", "strace", "strace", "-f", "-o", "/dev/null", "true")
	memory, binary, w := inMemory(t), buildBinary(t, ".."), newWorld(t, fixedSlave())
	config := w.config(`objects: [adc_vbterm], intervals: {"*": 200ms}`, "all")
	for start := 1; start <= 3; start++ {
		cmd := exec.CommandContext(t.Context(), "strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-P", filepath.Join(w.dir, "state"),
			"-e", "trace=mkdirat", "-e", "inject=mkdirat:error=EROFS", binary, "run", "--config", config)
		log := &bytes.Buffer{}
		cmd.Stderr, cmd.Env = log, append(os.Environ(), "RUNTIME_DIRECTORY="+memory)
		if start < 3 {
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != cli.ExitFailed || !strings.Contains(log.String(), "make the state directory: mkdir "+w.dir) {
				t.Fatalf("start %d ended with %v:\n%s", start, err, log)
			}
			continue
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the third start publishes", func() bool { return w.sns.Taken() > 0 })
		endOf(t, cmd, log)
		if !strings.Contains(log.String(), "THE DISK FAILS") {
			t.Errorf("the log does not report it:\n%s", log)
		}
	}
}

// runsOf returns the numbers of Pub/Sub's samples by store and run, in their order, when there are samples of so many
// runs.
func (w *world) runsOf(least int) map[string][]uint64 {
	out := map[string][]uint64{}
	for _, m := range w.pubsub.Messages() {
		id := m.Attributes["sample_id"]
		cut := strings.LastIndex(id, "-")
		n, err := strconv.ParseUint(id[cut+1:], 10, 64)
		if err != nil {
			w.t.Fatalf("sample id %q: %v", id, err)
		}
		out[id[:cut]] = append(out[id[:cut]], n)
	}
	if len(out) < least {
		return nil
	}
	return out
}

// inRow checks that the numbers of each run came in order, beginning with 1 and without a gap. Repetitions are allowed.
func inRow(runs map[string][]uint64) error {
	for run, numbers := range runs {
		want := uint64(1)
		for _, n := range numbers {
			if n > want {
				return fmt.Errorf("run %s: %d after %d", run, n, want-1)
			}
			want = max(want, n+1)
		}
	}
	return nil
}

// endOf ends a daemon normally.
func endOf(t *testing.T, cmd *exec.Cmd, log *bytes.Buffer) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with %v:\n%s", err, log)
	}
}
