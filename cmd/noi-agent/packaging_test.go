package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
)

// What the documents offer as a source of credentials can be reached from the unit, or the drop-in stands beside it.
func TestTheDocumentsNameTheDropInOfATPM(t *testing.T) {
	unit, docs := string(clitest.FileText(t, "../../packaging/noi-agent.service")), string(clitest.FileText(t, "../../docs/clouds.md"))
	if !strings.Contains(unit, "DevicePolicy=closed") || strings.Contains(unit, "\nDeviceAllow=/dev/tpmrm0") {
		t.Fatal("the unit reaches the TPM now: take the drop-in out of docs/clouds.md")
	}
	if !strings.Contains(docs, "a TPM") || !strings.Contains(docs, "\n[Service]\nDeviceAllow=/dev/tpmrm0 rw\nSupplementaryGroups=tss\n") {
		t.Error("docs/clouds.md offers a TPM and does not say how the daemon reaches it")
	}
}

// TestUnitIsValid has systemd itself read the unit. The executable is replaced, since it is not installed here.
func TestUnitIsValid(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("systemd-analyze is missing: apt-get install systemd") // `make test` installs it when it may
	}
	unit, err := os.ReadFile("../../packaging/noi-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(unit), "=/usr/bin/noi-agent ", "=/bin/true ")
	path := filepath.Join(t.TempDir(), "noi-agent.service")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", path).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, path) || strings.Contains(line, "noi-agent.service") {
			t.Errorf("systemd says: %s", line)
		}
	}
	if err != nil {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
