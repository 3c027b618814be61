package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestWalkOfASampleIsTrue holds the table of docs/architecture.md against the code: each file has its function, and the
// way is short.
func TestWalkOfASampleIsTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile("(?m)^\\| [^|`]+ \\| `([a-z_/]+\\.go)` \\| `(\\w+)` \\|$").FindAllSubmatch(text, -1)
	if len(steps) < 15 || len(steps) > 22 {
		t.Errorf("the walk has %d files, want 15 to 22", len(steps))
	}
	for _, step := range steps {
		code, err := os.ReadFile(filepath.Join("..", "..", string(step[1])))
		if err != nil {
			t.Error(err)
			continue
		}
		if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + string(step[2]) + `\(`).Match(code) {
			t.Errorf("%s has no function %s", step[1], step[2])
		}
	}
}
