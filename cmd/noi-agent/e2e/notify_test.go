package e2e

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/modbus/modbustest"

	"github.com/coreos/go-systemd/v22/daemon"
)

// TestSystemdShowsTheStateSentence listens at systemd's socket. The unit's status is the sentence of the worst
// problem, and is sent again only when it changes.
func TestSystemdShowsTheStateSentence(t *testing.T) {
	slave := fixedSlave()
	var silent atomic.Bool
	slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: silent.Load()} }
	w := newWorld(t, slave)
	sent := listenAsSystemd(t, filepath.Join(w.dir, "notify"))
	t.Setenv("WATCHDOG_USEC", "100000")
	t.Setenv("WATCHDOG_PID", "")
	d := w.start(w.config(`objects: [adc_vbterm], intervals: {"*": 200ms}`, "adc_vbterm"), func(p *cli.Program) {
		note := p.Notify
		p.Notify = func(state string) {
			if _, err := daemon.SdNotify(false, state); err != nil {
				t.Errorf("notify %s: %v", state, err)
			}
			note(state)
		}
	})
	says := func(begin, end string) func() bool {
		return func() bool {
			return slices.ContainsFunc(sent(), func(s string) bool { return strings.HasPrefix(s, "STATUS="+begin) && strings.HasSuffix(s, end) })
		}
	}
	t.Cleanup(func() { t.Logf("sent %q", slices.Compact(sent())) })
	eventually(t, "all is well", says("✓ Everything works.", ""))
	silent.Store(true)
	eventually(t, "the controller is silent", says("✗ ", "(rs485/1, slave_silent)"))
	if code := d.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
	eventually(t, "systemd knows of the end", func() bool { return slices.Contains(sent(), "STOPPING=1") })
	all := sent()
	if all[0] != "READY=1" || !slices.Contains(all, "WATCHDOG=1") || all[len(all)-1] != "STOPPING=1" && all[len(all)-1] != "WATCHDOG=1" {
		t.Errorf("sent %q", all)
	}
	sentences := slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(s, "STATUS=") })
	if len(slices.Compact(slices.Clone(sentences))) != len(sentences) {
		t.Errorf("a sentence is sent twice in a row: %q", sentences)
	}
}

// listenAsSystemd receives notifications at the socket in NOTIFY_SOCKET. It returns a function for the notifications until now.
func listenAsSystemd(t *testing.T, path string) (sent func() []string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	var mu sync.Mutex
	var states []string
	go func() {
		for datagram := make([]byte, 4096); ; {
			n, err := conn.Read(datagram)
			if err != nil {
				return // closed
			}
			mu.Lock()
			states = append(states, string(datagram[:n]))
			mu.Unlock()
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(states)
	}
}
