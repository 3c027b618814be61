package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/agent"
	"noi-agent/status/api"
)

// newAt makes an agent without lines and integrations on a state directory.
func newAt(t *testing.T, dir string) (*agent.Agent, api.Status) {
	t.Helper()
	a := newAgent(t, "state_dir: "+dir+"\n", agent.Options{})
	return a, a.Status()
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReplacedStoreIsTold(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "noi.db")
	for i, c := range []struct {
		before      func()
		start, code string
	}{
		{func() {}, "created", ""},
		{func() {}, "clean", ""},
		{func() { _ = os.Remove(file + ".clean") }, "checked", ""},
		{func() { write(t, file, "no store") }, "renewed", "store_recovered"},
		{func() {}, "clean", "store_kept_aside"},
		{func() { _ = os.Remove(file + ".damaged-0001") }, "clean", ""},
	} {
		c.before()
		a, s := newAt(t, dir)
		code := ""
		for _, p := range s.Problems {
			code += p.Code
			if p.Subject != "agent" || !strings.Contains(p.Detail, file+".damaged-0001") {
				t.Errorf("start %d: %+v", i, p)
			}
		}
		if s.Store.Start != c.start || code != c.code {
			t.Errorf("start %d is %q with problem %q, want %q %q", i, s.Store.Start, code, c.start, c.code)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeviceIDOutlivesTheStoreAndItsCopy uses an id that cannot come from a machine id.
func TestDeviceIDOutlivesTheStoreAndItsCopy(t *testing.T) {
	const id = "00112233445566778899aabb"
	dir := t.TempDir()
	file, copied := filepath.Join(dir, "noi.db"), filepath.Join(dir, "device-id")
	write(t, copied, id+"\n")
	for what, change := range map[string]func(){
		"nothing":    func() {},
		"store lost": func() { write(t, file, "no store"); _ = os.Remove(file + ".names") },
		"copy lost":  func() { _ = os.Remove(copied) },
		"copy torn":  func() { write(t, copied, id[:7]) },
	} {
		a, _ := newAt(t, dir) // store and copy exist
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		change()
		a, _ = newAt(t, dir)
		if a.DeviceID() != id {
			t.Errorf("%s: the device id is %s now", what, a.DeviceID())
		}
		if text, err := os.ReadFile(copied); err != nil || string(text) != id+"\n" {
			t.Errorf("%s: the copy has %q, %v", what, text, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
