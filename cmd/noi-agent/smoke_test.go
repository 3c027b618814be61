package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// freePort returns a loopback address that nobody listens on now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestRealBinariesDoWhatMakeRunDoes runs the built daemon under the built noi-sim with the demo configuration, on other
// ports: both clouds get each of the demo's objects, Ctrl-C ends all cleanly with a summary.
func TestRealBinariesDoWhatMakeRunDoes(t *testing.T) {
	agent, sim := buildBinary(t, "."), buildBinary(t, "../noi-sim")
	demo, err := os.ReadFile("../../configs/demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir, sns, pubsub, page := t.TempDir(), freePort(t), freePort(t), freePort(t)
	text := strings.NewReplacer("127.0.0.1:4100", sns, "127.0.0.1:8085", pubsub, "127.0.0.1:8780", page).Replace(string(demo))
	if err := os.WriteFile(filepath.Join(dir, "demo.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sim, "run", "--sns", sns, "--pubsub", pubsub, "--status", page, "--", agent, "run", "--config", "demo.yaml")
	cmd.Dir = dir
	errs := &lockedBuffer{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen, summary := map[string]map[string]bool{}, ""
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), "http://"+page) {
		t.Errorf("the first line is %q, want the status page's address", lines.Text())
	}
	for asked := false; lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "{") {
			summary += lines.Text() + "\n"
			continue
		}
		var m struct {
			Integration string `json:"integration_id"`
			Object      string
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Errorf("%s: %v", lines.Text(), err)
		}
		if seen[m.Integration] == nil {
			seen[m.Integration] = map[string]bool{}
		}
		seen[m.Integration][m.Object] = true
		if !asked && whole(seen) {
			asked = true
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("noi-sim ended with %v:\n%s", err, errs)
	}
	for _, want := range []string{"samples read", "demo-sns", "demo-pubsub", "errors         none"} {
		if !strings.Contains(summary, want) {
			t.Errorf("no %q in the summary:\n%s%s", want, summary, errs)
		}
	}
}

// whole reports whether two integrations have each of the demo's six objects.
func whole(seen map[string]map[string]bool) bool {
	n := 0
	for _, got := range seen {
		if len(got) == 6 {
			n++
		}
	}
	return n == 2
}
