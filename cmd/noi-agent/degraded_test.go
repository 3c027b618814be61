package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"noi-agent/modbus/modbustest"
)

// TestADiskThatFailsAgainAndAgainDoesNotEndTheSampling lets every sync of the store fail, as a worn-out card does. Two starts end with an
// error; the third, as by a supervisor, keeps its outbox in memory, says so, and publishes. On a sound disk the next one is as ever.
func TestADiskThatFailsAgainAndAgainDoesNotEndTheSampling(t *testing.T) {
	modbustest.NeedPeer(t, "strace that may trace", "strace", "strace", "-f", "-o", "/dev/null", "true")
	memory, err := os.MkdirTemp("/dev/shm", "noi-agent-test-")
	if err != nil {
		t.Skipf("no memory to write in: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(memory) })
	binary := buildBinary(t, ".")
	w := newWorld(t, fixedSlave())
	config := w.config("objects: [adc_vbterm]", "all")
	daemon := func(sound bool) (*exec.Cmd, *bytes.Buffer) {
		args := []string{binary, "run", "--config", config}
		if !sound {
			args = append([]string{
				"strace", "-D", "-f", "-o", "/dev/null", "-P", filepath.Join(w.dir, "state", "noi.db"),
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
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(log.String(), "input/output error") {
			t.Fatalf("start %d ended with %v:\n%s", start, err, log)
		}
	}
	cmd, log := daemon(false)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the third start publishes", func() bool { return w.sns.Taken() > 0 && w.pubsub.Taken() > 0 })
	problems := w.status().Problems
	if len(problems) != 1 || problems[0].Code != "store_in_memory" {
		t.Errorf("problems %+v", problems)
	}
	endOf(t, cmd, log)
	if !strings.Contains(log.String(), "THE DISK FAILS") {
		t.Errorf("the log says nothing of it:\n%s", log)
	}

	cmd, log = daemon(true)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon answers", func() bool {
		_, err := os.Stat(w.socket())
		return err == nil && bytes.Contains(w.get("/api/v1/status"), []byte(`"commits"`))
	})
	if len(w.status().Problems) != 0 {
		t.Errorf("on a sound disk: %+v", w.status().Problems)
	}
	endOf(t, cmd, log)
}

// endOf has a daemon end in order.
func endOf(t *testing.T, cmd *exec.Cmd, log *bytes.Buffer) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with %v:\n%s", err, log)
	}
}
