package agent_test

import (
	"path/filepath"
	"testing"
	"time"

	"noi-agent/agent"
)

// A problem of a file that was moved aside begins at the start that moved it, not at a later start.
func TestAStoreIsKeptAsideSinceItWasMoved(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "noi.db"), "no store")
	before := time.Now().Truncate(time.Second)
	a, _ := newAt(t, dir)
	moved := time.Now()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(time.Hour)
	a = newAgent(t, "state_dir: "+dir+"\n", agent.Options{Now: func() time.Time { return now }})
	defer a.Close()
	problems := a.Status().Problems
	if len(problems) != 1 || problems[0].Code != "store_kept_aside" || problems[0].Since.Before(before) || problems[0].Since.After(moved) {
		t.Errorf("%+v, want it since %v to %v", problems, before, moved)
	}
}
