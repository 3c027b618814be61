package packaging_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// packages is the directory with the results of tools/test-packages.sh: a Debian system, and two versions of the deb.
const packages = "../bin/packages"

// onlyWithPackages skips a test that is too long for `make test`.
func onlyWithPackages(t *testing.T) {
	t.Helper()
	if os.Getenv("NOI_PACKAGES") == "" {
		t.Skip("minutes long: make test-packages") // reason: needs packages, root and a booted system
	}
}

// machine is a Debian system that has booted with systemd as its first process. It has its own namespaces, and
// loopback as its only network.
type machine struct {
	t      *testing.T
	root   string
	nspawn *exec.Cmd
	said   bytes.Buffer
	leader string // process id of its systemd
	ended  chan error
}

func boot(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir(), ended: make(chan error, 1)}
	run(t, nil, "tar", "-xpf", filepath.Join(packages, "debian.tar"), "-C", m.root)
	m.write("/etc/machine-id", "5300520006504b575934392000000000\n")
	m.nspawn = exec.Command("systemd-nspawn", "-q", "-D", m.root, "--register=no", "--keep-unit", "--private-network", "--boot",
		"--console=pipe", "--machine=noi-agent-test")
	m.nspawn.Stdout, m.nspawn.Stderr = &m.said, &m.said
	if err := m.nspawn.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { m.ended <- m.nspawn.Wait() }()
	t.Cleanup(m.halt)
	m.until("the system has booted", func() bool {
		select {
		case err := <-m.ended:
			m.ended <- err
			t.Fatalf("systemd-nspawn ended: %v", err)
		default:
		}
		m.leader = child(m.nspawn.Process.Pid)
		_, err := m.try("systemctl", "is-system-running", "--wait")
		return m.leader != "" && err == nil
	})
	m.sh("ip link set lo up 2>/dev/null || true")
	return m
}

// child returns the id of the first child of a process; "" if it has none.
func child(pid int) string {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	fields := strings.Fields(string(children))
	if err != nil || len(fields) == 0 {
		return ""
	}
	return fields[0]
}

func (m *machine) halt() {
	if m.leader != "" {
		_, _ = m.try("systemctl", "poweroff")
	}
	select {
	case <-m.ended:
	case <-time.After(time.Minute):
		_ = m.nspawn.Process.Kill()
		<-m.ended
	}
	if m.t.Failed() {
		m.t.Logf("output of the console:\n%s", m.said.String())
	}
}

// try runs a command in the machine.
func (m *machine) try(argv ...string) (string, error) {
	out, err := exec.Command("nsenter", append([]string{"-t", m.leader, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", "env", "-i",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"}, argv...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// do runs a command in the machine. The command must succeed.
func (m *machine) do(argv ...string) string {
	m.t.Helper()
	out, err := m.try(argv...)
	if err != nil {
		m.t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return out
}

func (m *machine) sh(script string) string {
	m.t.Helper()
	return m.do("sh", "-c", script)
}

// want checks the one line that a command prints. The exit code of the command does not matter.
func (m *machine) want(want string, argv ...string) {
	m.t.Helper()
	if got, _ := m.try(argv...); got != want {
		m.t.Errorf("%v says %q, want %q", argv, got, want)
	}
}

func (m *machine) write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// until waits for a condition. The limit is much longer than a machine under load needs.
func (m *machine) until(what string, is func() bool) {
	m.t.Helper()
	limit := time.NewTimer(3 * time.Minute)
	defer limit.Stop()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-limit.C:
			journal, _ := m.try("journalctl", "--no-pager", "-n", "40", "-u", "noi-agent")
			m.t.Fatalf("not after three minutes: %s\n%s", what, journal)
		}
	}
}

// deb installs a version of the package, as an unattended upgrade does: without a terminal.
func (m *machine) deb(version string) {
	m.t.Helper()
	found, err := filepath.Glob(filepath.Join(packages, version, "*_amd64.deb"))
	if err != nil || len(found) != 1 {
		m.t.Fatalf("version %s: %v, %v", version, found, err)
	}
	run(m.t, nil, "cp", found[0], m.root+"/root/noi-agent.deb")
	m.do("dpkg", "-i", "/root/noi-agent.deb")
}
