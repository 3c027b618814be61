package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
)

// byID makes a link, like those in /dev/serial/by-id, to the world's pty, and a configuration with this link.
func (w *world) byID(intervals string) (link, config string) {
	w.t.Helper()
	link = filepath.Join(w.dir, "usb-FTDI_FT232R-if00-port0")
	w.plug(link, w.pty)
	text, err := os.ReadFile(w.config(intervals, "adc_vbterm"))
	if err != nil {
		w.t.Fatal(err)
	}
	return link, clitest.WriteConfig(w.t, strings.ReplaceAll(string(text), w.pty.Path(), link))
}

// plug points the link at a pty, as udev does when an adapter appears.
func (w *world) plug(link string, pty *modbustest.PTY) {
	w.t.Helper()
	next := link + ".new"
	if err := os.Symlink(pty.Path(), next); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(next, link); err != nil {
		w.t.Fatal(err)
	}
}

// TestAdapterComesBackUnderAnotherName: the adapter is unplugged and plugged in again. It gets another device, with
// the same name in by-id.
func TestAdapterComesBackUnderAnotherName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	link, config := w.byID(`intervals: {"*": 50ms}`)
	daemon := w.start(config, nil)
	eventually(t, "samples flow", func() bool { return w.sns.Taken() > 2 })
	// The new device is made first, so that it cannot get the old one's number.
	second := modbustest.MustServe(t, 115200, 11, fixedSlave())
	if err := w.pty.Hangup(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the status says so", func() bool {
		s := w.status()
		return s.Lines[0].State == "failed" && len(s.Problems) == 1 && s.Problems[0].Code == "line_port_missing"
	})
	before := w.sns.Taken()
	w.plug(link, second)
	eventually(t, "samples flow again", func() bool { return w.sns.Taken() > before+2 && w.status().Lines[0].State == "ok" })
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

// TestDescriptorOfAnAdapterThatHasGoneIsGivenUp: the old device stays open and does not answer, while its name leads
// to the new one.
func TestDescriptorOfAnAdapterThatHasGoneIsGivenUp(t *testing.T) {
	t.Parallel()
	mute := fixedSlave()
	var silent atomic.Bool
	mute.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: silent.Load()} }
	w := newWorld(t, mute)
	link, config := w.byID(`intervals: {"*": 50ms}`)
	daemon := w.start(config, nil)
	eventually(t, "samples flow", func() bool { return w.sns.Taken() > 2 })
	second := fixedSlave()
	w.plug(link, modbustest.MustServe(t, 115200, 11, second))
	if n := second.Requests(); n != 0 {
		t.Errorf("%d requests to the new device while the old one answered", n)
	}
	silent.Store(true)
	eventually(t, "the new device is asked", func() bool { return second.Requests() > 3 })
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

// TestReloadBySignal: after SIGHUP the daemon uses a changed file, and does not use a file with an error.
func TestReloadBySignal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	config := w.config(`intervals: {"*": 1h}`, "adc_vbterm")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	daemon := w.start(config, nil)
	eventually(t, "the first sample is there", func() bool { return w.sns.Taken() == 1 && w.pubsub.Taken() == 1 })
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		daemon.hangups <- syscall.SIGHUP
	}
	write(strings.Replace(string(text), "baud: 115200", "baud: fast", 1))
	eventually(t, "the fault is in the log", func() bool {
		return strings.Contains(daemon.stderr.String(), "the configuration stays as it was") && strings.Contains(daemon.stderr.String(), "config.yaml:7: lines[0].baud")
	})
	write(strings.Replace(string(text), "1h", "50ms", 1))
	eventually(t, "samples flow at the new interval", func() bool { return w.sns.Taken() > 5 && w.pubsub.Taken() > 5 })
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

// TestReloadBySignalChangesLogAndStore changes settings that needed a restart in an early version. The line and the
// integrations are not restarted.
func TestReloadBySignalChangesLogAndStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	config := w.config(`intervals: {"*": 20ms}`, "adc_vbterm")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	daemon := w.start(config, nil)
	eventually(t, "samples flow", func() bool { return w.sns.Taken() > 20 && w.pubsub.Taken() > 20 })
	changed := strings.NewReplacer(
		"log: {level: debug}", "log: {level: info, format: json}",
		"buffer: {commit_every: 50ms}", "buffer: {commit_every: 20ms, retain_after_ack: 24h, max_size: 64MiB}\ntriggers: {keep: 7, flush_every: 100ms}",
		"5300520006504b5957343920", "5300520006504b5957343921",
	).Replace(string(text))
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon.hangups <- syscall.SIGHUP
	eventually(t, "the log speaks JSON", func() bool {
		return strings.Contains(daemon.stderr.String(), `"msg":"configuration reloaded","lines":1,"new_lines":0`)
	})
	log := daemon.stderr.String()
	if !strings.Contains(log, `"msg":"this change needs a restart","key":"device_id"}`) || strings.Count(log, "needs a restart") != 1 {
		t.Errorf("keys that need a restart:\n%s", log)
	}
	if !strings.Contains(log, "level=DEBUG") || strings.Contains(log, `"level":"DEBUG"`) {
		t.Errorf("levels before and after:\n%s", log)
	}
	var status struct {
		Store struct{ Settings map[string]any }
	}
	if err := json.Unmarshal(w.get("/api/v1/status"), &status); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"max_size": 64.0 * (1 << 20), "max_age": "720h0m0s", "when_full": "drop_oldest", "commit_every": "20ms", "retain_after_ack": "24h0m0s", "keep": 7.0, "flush_every": "100ms",
	} {
		if got := status.Store.Settings[key]; got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	eventually(t, "accepted samples are kept, and the log is cut", func() bool {
		var page struct{ Triggers []json.RawMessage }
		if err := json.Unmarshal(w.get("/api/v1/triggers?limit=500"), &page); err != nil {
			t.Fatal(err)
		}
		return len(page.Triggers) <= 2*(7+64) && bytes.Count(w.get("/api/v1/export"), []byte("\n")) > 5
	})
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}
