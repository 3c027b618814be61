package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkStartOfStatus is how long `noi-agent status` takes from its start to its end, where no daemon runs. It should stay below 60 ms.
func BenchmarkStartOfStatus(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "noi-agent")
	build := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace,nethttpomithttp2", "-ldflags", "-s -w", "-o", binary, "..")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for b.Loop() {
		_ = exec.Command(binary, "status", "--socket", "/nonexistent/agent.sock").Run() // it fails, as no daemon runs
	}
}
