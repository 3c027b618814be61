package packaging_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// tool returns the path of a program. `make test` tries to install it. If it is missing, the test is skipped; in CI
// the test fails.
func tool(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skipf("%s is missing: apt-get install %s", name, debianPackage)
	}
	return ""
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// settings returns the values of a key of the unit, in order.
func settings(t *testing.T, key string) (values []string) {
	t.Helper()
	for line := range strings.Lines(text(t, "noi-agent.service")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			values = append(values, value)
		}
	}
	return values
}

// TestUnitIsValid checks the unit with systemd's own tool. The executable is replaced, because it is not installed
// here.
func TestUnitIsValid(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	unit := strings.ReplaceAll(text(t, "noi-agent.service"), "=/usr/bin/noi-agent ", "=/bin/true ")
	path := filepath.Join(t.TempDir(), "noi-agent.service")
	if err := os.WriteFile(path, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "noi-agent.service") {
			t.Errorf("systemd says: %s", line)
		}
	}
	if err != nil {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestUnitIsHardened checks that the exposure of the unit, as systemd computes it, is at most 1.4 of 10. The network and
// the serial ports cause the rest.
func TestUnitIsHardened(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	out, err := exec.Command(analyze, "security", "--offline=yes", "--no-pager", "--threshold=14", "noi-agent.service").CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// TestUnitLetsEverySerialDriverIn checks that the unit allows the devices of each serial driver that gateways use.
// The unit names a driver as in /proc/devices, which systemd compares as a pattern. Or it has the number of the
// driver, which works before the module is loaded.
func TestUnitLetsEverySerialDriverIn(t *testing.T) {
	names, numbers := []string{}, map[string]bool{}
	for _, allowed := range settings(t, "DeviceAllow") {
		name, rights, _ := strings.Cut(strings.TrimPrefix(allowed, "char-"), " ")
		if rights != "rw" {
			t.Errorf("DeviceAllow=%s: want rw", allowed)
		}
		names, numbers[name] = append(names, name), true
	}
	for _, driver := range strings.Fields(`ttyS ttyUSB ttyACM ttyAMA ttyXRUSB ttyO ttySC ttyMSM ttyHS ttyGS ttyLP ttyRPMSG ttyTHS ttySTM
		ttyPS ttyUL ttySAC ttyMUE ttyNS ttymxc`) {
		allowed := false
		for _, pattern := range names {
			if match, _ := filepath.Match(pattern, driver); match {
				allowed = true
			}
		}
		if !allowed {
			t.Errorf("the unit does not allow the devices of the driver %s", driver)
		}
	}
	for number, driver := range map[string]string{"188": "ttyUSB", "166": "ttyACM"} { // Documentation/admin-guide/devices.txt of Linux
		if !numbers[number] {
			t.Errorf("the unit does not allow %s (%s), whose module may load later", number, driver)
		}
	}
}

func TestUnitStartsOnlyWithAConfiguration(t *testing.T) {
	conditions, start := settings(t, "ConditionPathExists"), settings(t, "ExecStart")
	if len(conditions) != 1 || len(start) != 1 || !strings.HasSuffix(start[0], " --config "+conditions[0]) {
		t.Errorf("the unit starts %q with the condition %q", start, conditions)
	}
}

// Each source of credentials in the documents must be reachable from the unit, or the documents must have the drop-in
// for it.
func TestTheDocumentsNameTheDropInOfATPM(t *testing.T) {
	unit, docs := text(t, "noi-agent.service"), text(t, "../docs/clouds.md")
	if !strings.Contains(unit, "DevicePolicy=closed") || strings.Contains(unit, "\nDeviceAllow=/dev/tpmrm0") {
		t.Fatal("the unit can use the TPM now: remove the drop-in from docs/clouds.md")
	}
	if !strings.Contains(docs, "a TPM") || !strings.Contains(docs, "\n[Service]\nDeviceAllow=/dev/tpmrm0 rw\nSupplementaryGroups=tss\n") {
		t.Error("docs/clouds.md names a TPM, but not the drop-in that the daemon needs for it")
	}
}

// environment returns the variables of a service definition, by name: of the unit, of OpenRC and of procd.
func environment(t *testing.T, path string) map[string]string {
	t.Helper()
	variables := map[string]string{}
	for line := range strings.Lines(text(t, path)) {
		_, list, _ := strings.Cut(line, "Environment=")
		for _, before := range []string{"export ", "procd_set_param env "} {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), before); ok {
				list = rest
			}
		}
		for _, word := range strings.Fields(list) {
			if name, value, ok := strings.Cut(word, "="); ok {
				variables[name] = value
			}
		}
	}
	return variables
}

// mebibytes reads "64MiB" of Go and "256M" of systemd, which are both powers of two.
func mebibytes(t *testing.T, size string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(strings.TrimRight(size, "MiB"), 64)
	if err != nil {
		t.Fatalf("size %q: %v", size, err)
	}
	return n
}

// TestUnitFitsTheFootprint compares the limits with the measured need of the daemon (tools/footprint.txt). The soft
// limit of Go must be twice the need. The hard limit must be twice the soft limit plus the pages of the program.
func TestUnitFitsTheFootprint(t *testing.T) {
	_, rest, ok := strings.Cut(text(t, "../tools/footprint.txt"), "anonymous part of it, MiB: ")
	needs, _, _ := strings.Cut(rest, "\n")
	unit := environment(t, "noi-agent.service")
	soft, hard := mebibytes(t, unit["GOMEMLIMIT"]), settings(t, "MemoryMax")
	if !ok || soft < 2*mebibytes(t, needs) || len(hard) != 1 || mebibytes(t, hard[0]) < 2*soft {
		t.Errorf("the daemon needs %q MiB, GOMEMLIMIT is %v MiB, MemoryMax %v", needs, soft, hard)
	}
	if policy := settings(t, "OOMPolicy"); len(policy) != 1 || policy[0] != "continue" || unit["GOMAXPROCS"] != "2" {
		t.Errorf("OOMPolicy=%v, GOMAXPROCS=%s", policy, unit["GOMAXPROCS"])
	}
	for _, path := range []string{"alpine/noi-agent.init", "openwrt/noi-agent.init"} {
		if got := environment(t, path); !maps.Equal(got, unit) {
			t.Errorf("%s sets %v, the unit %v", path, got, unit)
		}
	}
}

// TestCredentialsAreTriedAsDocumented compares the drop-in of the booted system with the table in docs/install.md.
func TestCredentialsAreTriedAsDocumented(t *testing.T) {
	docs, seen := text(t, "../docs/install.md"), 0
	for line := range strings.Lines(credentials) {
		if line = strings.TrimSpace(line); line == "[Service]" {
			continue
		}
		seen++
		if !strings.Contains(docs, "`"+line+"`") {
			t.Errorf("docs/install.md does not have the line %s, which the test of the package uses", line)
		}
	}
	if seen < 5 {
		t.Errorf("only %d lines are tested; a profile, a key, and a certificate with its key need more lines", seen)
	}
}
