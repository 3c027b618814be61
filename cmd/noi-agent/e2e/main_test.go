package e2e

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(cutsEnv); dir != "" {
		os.Exit(replayCuts(dir))
	}
	if path := os.Getenv(ledgerEnv); path != "" {
		os.Exit(ledgerDaemon(path))
	}
	if spec := os.Getenv(wireEnv); spec != "" {
		os.Exit(wireLoop(spec))
	}
	code := m.Run()
	if binaries.dir != "" {
		_ = os.RemoveAll(binaries.dir)
	}
	os.Exit(code)
}
