package main

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(cutsEnv); dir != "" {
		os.Exit(replayCuts(dir))
	}
	os.Exit(m.Run())
}
