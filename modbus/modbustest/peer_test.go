package modbustest_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"noi-agent/modbus/modbustest"
)

// verdict is a test that only records how it was ended.
type verdict struct {
	*testing.T
	skipped, failed string
}

func (v *verdict) Skipf(format string, args ...any)  { v.skipped = fmt.Sprintf(format, args...) }
func (v *verdict) Fatalf(format string, args ...any) { v.failed = fmt.Sprintf(format, args...) }

// fatal is a test whose Fatalf only ends the calling goroutine.
type fatal struct {
	*testing.T
	said string
}

func (f *fatal) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestMissingPeerIsNamedAndSkippedButFatalInCI(t *testing.T) {
	probes := [][]string{
		{"no-such-program-of-ours"},
		{"sh", "-c", "echo a long story; echo No module named modbus >&2; exit 1"},
	}
	for _, ci := range []string{"", "true"} {
		t.Setenv("CI", ci)
		for _, probe := range probes {
			v := &verdict{T: t}
			modbustest.NeedPeer(v, "fieldbus", "libfieldbus-dev gcc", probe...)
			said, other := v.skipped, v.failed
			if ci == "true" {
				said, other = other, said
			}
			if !strings.Contains(said, "fieldbus is missing: apt-get install libfieldbus-dev gcc") || other != "" {
				t.Errorf("CI=%q, %v: skipped %q, failed %q", ci, probe, v.skipped, v.failed)
			}
			if probe[0] == "sh" && !strings.HasSuffix(said, "(No module named modbus)") {
				t.Errorf("%q does not end with the probe's last word", said)
			}
		}
		v := &verdict{T: t}
		modbustest.NeedPeer(v, "a shell", "dash", "sh", "-c", "exit 0")
		if v.skipped+v.failed != "" {
			t.Errorf("CI=%q: a peer that is installed: skipped %q, failed %q", ci, v.skipped, v.failed)
		}
	}
}

func TestPeerThatEndsEarlyFailsTheTest(t *testing.T) {
	told := &fatal{T: t}
	peer := modbustest.StartPeer(t, "sh", "-c", "echo something else; exit 3")
	done := make(chan struct{})
	go func() {
		defer close(done)
		peer.Await(told, "ready")
	}()
	<-done
	if !strings.Contains(told.said, "exit status 3") || !strings.Contains(told.said, `"ready"`) {
		t.Errorf("the message is %q", told.said)
	}
}

// lifeline is a FIFO that a peer holds open. Its reader gets the end of file when no process holds it open any more.
func lifeline(t *testing.T) (path string, reader *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lifeline")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	return path, reader
}

// holder is a shell command that holds the lifeline open, prints "ready" and waits.
func holder(path, before string) []string {
	return []string{"-c", fmt.Sprintf(`%s exec 9>'%s'; echo ready; exec sleep 1000`, before, path)}
}

func wantGone(t *testing.T, reader *os.File) {
	t.Helper()
	if err := reader.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(reader); err != nil {
		t.Errorf("the peer still runs: %v", err)
	}
}

func TestPeerEndsWithItsTest(t *testing.T) {
	for name, before := range map[string]string{"willing": "", "stubborn": "trap '' TERM;"} {
		t.Run(name, func(t *testing.T) {
			path, reader := lifeline(t)
			t.Run("user", func(t *testing.T) {
				modbustest.StartPeer(t, "sh", holder(path, before)...).Await(t, "ready")
			})
			wantGone(t, reader)
		})
	}
}

// lifelineEnv makes TestPeerDiesWithAKilledTest the test that is killed.
const lifelineEnv = "MODBUSTEST_LIFELINE"

func TestPeerDiesWithAKilledTest(t *testing.T) {
	if path := os.Getenv(lifelineEnv); path != "" {
		modbustest.StartPeer(t, "sh", holder(path, "")...).Await(t, "ready")
		t.Fatal(syscall.Kill(os.Getpid(), syscall.SIGKILL)) // the process ends here
	}
	path, reader := lifeline(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	victim := exec.Command(self, "-test.run", "^"+t.Name()+"$")
	victim.Env = append(os.Environ(), lifelineEnv+"="+path)
	if out, err := victim.CombinedOutput(); err == nil ||
		victim.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the killed test ended with %v:\n%s", err, out)
	}
	wantGone(t, reader)
}
