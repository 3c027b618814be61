package cli

import (
	"encoding/json"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/doctor"
)

// TestDoctorFailsOnAFaultAndSaysSoLast tests the command without the checks: exit code, JSON, and the verdict as the
// last line.
func TestDoctorFailsOnAFaultAndSaysSoLast(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "config.yaml")
	code, stdout, stderr := run1("doctor", "--config", missing)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != ExitFailed || stderr != "" || !strings.Contains(lines[len(lines)-1], "Begin with the first: there is no configuration at "+missing) {
		t.Errorf("exit %d, stderr %q:\n%s", code, stderr, stdout)
	}
	code, stdout, _ = run1("doctor", "--json", "--config", missing)
	var r doctor.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != ExitFailed {
		t.Fatalf("exit %d, %v:\n%s", code, err, stdout)
	}
	if f := r.Findings[0]; f.ID != "config" || f.Level != doctor.Fault || r.Faults == 0 || r.Verdict == "" {
		t.Errorf("report %+v", r)
	}
}

// TestTheDaemonIsTheOwnerOfItsSocket: a daemon that a person starts is judged by the permissions of this person. A socket
// of root, or without a known owner, changes nothing.
func TestTheDaemonIsTheOwnerOfItsSocket(t *testing.T) {
	service := doctor.User{Name: "noi-agent", UID: 4242}
	socket := filepath.Join(t.TempDir(), "agent.sock")
	if got := ownerOf(socket, service); got.Name != service.Name {
		t.Errorf("without a socket: %+v", got)
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ownerOf(socket, service); os.Getuid() == 0 && got.Name != service.Name {
		t.Errorf("a socket of root: %+v", got)
	}
	nobody, err := user.Lookup("nobody")
	if err != nil || os.Chown(socket, 65534, -1) != nil {
		t.Skip("only root can give a file to another user")
	}
	if got := ownerOf(socket, service); nobody.Uid == "65534" && (got.Name != "nobody" || got.UID != 65534 || len(got.Groups) == 0) {
		t.Errorf("a socket of nobody: %+v", got)
	}
}
