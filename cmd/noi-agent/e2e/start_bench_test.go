package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkStartOfStatus measures the whole time of `noi-agent status` without a daemon. It should be below 60 ms.
func BenchmarkStartOfStatus(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "noi-agent")
	build := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace,nethttpomithttp2", "-ldflags", "-s -w", "-o", binary, "..")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for b.Loop() {
		_ = exec.Command(binary, "status", "--socket", "/nonexistent/agent.sock").Run() // fails, because no daemon runs
	}
}
