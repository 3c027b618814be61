package cli

import (
	"encoding/json"
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
