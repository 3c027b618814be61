package main

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(cutsEnv); dir != "" {
		os.Exit(replayCuts(dir))
	}
	code := m.Run()
	if binaries.dir != "" {
		_ = os.RemoveAll(binaries.dir)
	}
	os.Exit(code)
}
