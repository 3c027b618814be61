package wording

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"noi-agent/status/api"
)

// Each reason of a gap that the program has is shown in words.
func TestEveryReasonOfAGapHasWords(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "..", "objects", "sample.go"))
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`\tGap[A-Z]\w+ += "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 12 {
		t.Fatalf("%d reasons found", len(reasons))
	}
	for _, r := range reasons {
		if words := Gap(r[1]); words == r[1] || !strings.Contains(words, " ("+r[1]+")") {
			t.Errorf("%s: %q", r[1], words)
		}
	}
	for given, want := range map[string]string{"720h0m0s": "720h", "1h30m0s": "1h30m", "20h10m0s": "20h10m", "1m30s": "1m30s", "10s": "10s", "0s": "0s", "": ""} {
		if got := Duration(given); got != want {
			t.Errorf("duration %q: %q", given, got)
		}
	}
	for _, start := range []string{"created", "clean", "checked", "renewed", "memory"} {
		if Start(start) == "" {
			t.Errorf("no words for a store that is %s", start)
		}
	}
}

// TestLossBeganWithItsFirstProblem: also when a later problem explains that one.
func TestLossBeganWithItsFirstProblem(t *testing.T) {
	now := time.Date(2022, 6, 28, 9, 0, 0, 0, time.UTC)
	p := api.LineSilent.Of("rs485", now.Add(-time.Minute), "timeout")
	p.Folded = []api.Folded{{Code: "slave_silent", Since: now.Add(-time.Hour), Effect: api.Lost}, {Code: "x", Since: now.Add(-2 * time.Hour), Effect: api.None}}
	s := &api.Status{Problems: []api.Problem{p}}
	if got := StateOf(s, now).Text; got != "Samples are being lost since 08:00:00." {
		t.Error(got)
	}
}
