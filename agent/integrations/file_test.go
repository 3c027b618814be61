package integrations_test

import (
	"os"
	"strings"
	"testing"

	"noi-agent/agent/integrations"
)

// TestACrashLeavesTheOldSetOrTheNew ends a change after each of its operations, and in the middle of each write. Then
// it starts the agent again.
func TestACrashLeavesTheOldSetOrTheNew(t *testing.T) {
	d := newDesk(t)
	d.create(solar)
	before := d.text()
	d.create(strings.Replace(solar, "solar", "roof", 1))
	after := d.text()
	steps := len(integrations.ReplaceSteps(d.path(), []byte(after)))
	if steps != 6 {
		t.Fatalf("%d operations: this test knows 6, two files of three each", steps)
	}
	seen := map[string]int{}
	crash := func(name string, ended int, torn string) {
		d := newDesk(t)
		d.write(before)
		list := integrations.ReplaceSteps(d.path(), []byte(after))
		for _, s := range list[:ended] {
			if err := s.Do(); err != nil {
				t.Fatalf("%s: %s: %v", name, s.What, err)
			}
		}
		if torn != "" { // the running write is half done
			path := strings.TrimPrefix(list[ended].What, "write ")
			if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := names(d.start().Integrations)
		if want := map[bool]string{false: "fixed solar", true: "fixed solar roof"}[ended > 4]; got != want || d.engine.fault != "" {
			t.Errorf("%s: the agent uses %s, want %s; problem %q", name, got, want, d.engine.fault)
		}
		seen[got]++
		// The next change works after any crash.
		d.create(strings.Replace(solar, "solar", "shed-2", 1))
		if got := names(d.start().Integrations); !strings.HasSuffix(got, " shed-2") {
			t.Errorf("%s: after the next change the agent uses %s", name, got)
		}
	}
	for ended := range steps + 1 {
		crash("after "+strings.Repeat("|", ended), ended, "")
	}
	for _, at := range []int{0, 3} {
		for _, part := range []int{1, len(before) / 2, len(before) - 1} {
			crash("within a write", at, after[:part])
		}
	}
	if len(seen) != 2 {
		t.Errorf("sets %v: all crashes are before, or all after, the change", seen)
	}
}

// TestTheFileOfBeforeIsKept.
func TestTheFileOfBeforeIsKept(t *testing.T) {
	d := newDesk(t)
	d.create(solar)
	first := d.text()
	d.create(strings.Replace(solar, "solar", "roof", 1))
	kept, err := os.ReadFile(d.path() + ".previous")
	if err != nil || string(kept) != first {
		t.Errorf("%v: the kept file is\n%s\nwant\n%s", err, kept, first)
	}
	if info, err := os.Stat(d.path() + ".previous"); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
}
