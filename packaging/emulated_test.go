package packaging_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPackageProgramsForARM runs the programs for ARM in an emulator: they poll a controller on a pseudo-terminal,
// and both clouds get the samples. The simulator is a program for this machine.
func TestPackageProgramsForARM(t *testing.T) {
	onlyWithPackages(t)
	for arch, emulator := range map[string]struct{ name, cpu string }{
		"armhf": {"qemu-arm-static", "arm1176"}, // ARMv6, as in the first Raspberry Pi
		"arm64": {"qemu-aarch64-static", "cortex-a53"},
	} {
		t.Run(arch, func(t *testing.T) {
			program, err := filepath.Abs(filepath.Join(packages, arch, "noi-agent"))
			if err != nil {
				t.Fatal(err)
			}
			if got := emulated(t, tool(t, emulator.name, "qemu-user-static"), emulator.cpu, program); len(got) != 2 {
				t.Errorf("messages by integration: %v; want some of both integrations", got)
			}
		})
	}
}

// emulated runs the demo until both integrations have messages, and returns the number of messages by integration id.
// The demo has fixed ports, so it runs in its own network namespace.
func emulated(t *testing.T, emulator, cpu, program string) map[string]int {
	t.Helper()
	sources, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--net", "sh", "-c", `ip link set lo up; exec "$@"`, "sh",
		sources+"/bin/noi-sim", "run", "--", emulator, "-cpu", cpu, program, "run", "--config", sources+"/configs/demo.yaml")
	cmd.Dir = t.TempDir()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var message struct {
			Integration string `json:"integration_id"`
		}
		if json.Unmarshal(lines.Bytes(), &message) == nil {
			got[message.Integration]++
		}
		if len(got) == 2 {
			cancel() // as Ctrl-C does for the simulator
		}
	}
	if err := cmd.Wait(); err != nil && ctx.Err() == nil || len(got) < 2 {
		t.Logf("%v: %s", err, said.String())
	}
	return got
}
