package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"noi-agent/cmd/noi-agent/cli"
)

// fullHost returns an address on loopback where connection attempts are dropped: no program accepts, and the queue is
// full.
func fullHost(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil {
		err = unix.Listen(fd, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(client) })
		if err := unix.Connect(client, name); err != nil && err != unix.EINPROGRESS {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
}

// TestHangupsLeaveRoomForTheEnd: many waiting SIGHUPs do not cause the loss of a SIGTERM.
func TestHangupsLeaveRoomForTheEnd(t *testing.T) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // for good: a signal that arrives late would end the tests
	ends, release := cli.Signals()
	defer release()
	reloads, releaseReloads := cli.Hangups()
	defer releaseReloads()
	send := func(s syscall.Signal) {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		send(syscall.SIGHUP)
		eventually(t, "the signal is there", func() bool { return len(reloads) == 1 })
	}
	send(syscall.SIGTERM)
	eventually(t, "the end is there", func() bool { return len(ends) == 1 })
	if s := <-ends; s != syscall.SIGTERM {
		t.Errorf("the signal for the end is %v", s)
	}
}

// TestEndIsNotLostBehindReloads: the daemon ends while a reload waits for a connection and other reloads wait for
// this one.
func TestEndIsNotLostBehindReloads(t *testing.T) {
	t.Parallel()
	host, dir := fullHost(t), t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	write := func(timeout string) {
		text := fmt.Sprintf(`state_dir: %s/state
lines: [{name: far, port: "tcp://%s", timeout: %s, slaves: [{id: 1, model: PSPWM}]}]
status: {listen: "", socket: ""}
`, dir, host, timeout)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1s")
	log := &lockedBuffer{}
	daemon := exec.Command(buildBinary(t, ".."), "run", "--config", config)
	daemon.Stderr = log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	t.Cleanup(func() { _ = daemon.Process.Kill() })
	eventually(t, "the agent runs", func() bool { return strings.Contains(log.String(), "agent started") })
	send := func(s os.Signal) {
		if err := daemon.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		write(fmt.Sprintf("%ds", 2+i)) // the line changes, so that the reload must wait for its connection
		send(syscall.SIGHUP)
		eventually(t, "the signal is taken, or waits", func() bool { return i > 0 || strings.Contains(log.String(), "signal=hangup") })
	}
	send(syscall.SIGTERM)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the daemon ended with %v:\n%s", err, log)
		}
	case <-time.After(2 * time.Minute):
		t.Errorf("the daemon still runs two minutes after SIGTERM:\n%s", log)
	}
}

// TestRefusedReloadIsSeen: the command fails with the line of the fault, the status has a problem, and commands that
// ask the daemon work.
func TestRefusedReloadIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	config := w.config(`intervals: {"*": 1h}`, "adc_vbterm")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	daemon := w.start(config, nil)
	eventually(t, "the first sample is there", func() bool { return w.sns.Taken() == 1 && w.pubsub.Taken() == 1 && w.listens() })
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	codes := func() (all string) {
		for _, p := range w.status().Problems {
			if p.Subject == "agent" {
				all += p.Code + " "
			}
		}
		return all
	}
	const fault = "config.yaml:7: lines[0].baud"
	for name, broken := range map[string]string{
		"a wrong value": strings.Replace(string(text), "baud: 115200", "baud: fast", 1),
		"no YAML":       "\t" + string(text),
	} {
		write(broken)
		code, _, stderr := run1("reload", "--config", config, "--socket", w.socket())
		if code != cli.ExitFailed || name == "a wrong value" && !strings.Contains(stderr, fault) {
			t.Errorf("%s: reload ends with %d and says %s", name, code, stderr)
		}
		if got := codes(); got != "config_refused " {
			t.Errorf("%s: problems %q", name, got)
		}
		for _, command := range []string{"status", "triggers", "triggers --integration main-solar", "deadletters list", "export"} {
			arguments := append(strings.Fields(command), "--config", config, "--socket", w.socket())
			if code, _, stderr := run1(arguments...); code != cli.ExitDone {
				t.Errorf("%s: %s ends with %d: %s", name, command, code, stderr)
			}
		}
	}
	write(strings.Replace(string(text), "baud: 115200", "baud: fast", 1))
	if code, stdout, stderr := run1("status", "--config", config); code != cli.ExitDone || !strings.Contains(stdout, "The configuration file is not valid; the previous one is in use") {
		t.Errorf("status with a faulty file ends with %d: %s%s", code, stdout, stderr)
	}
	write(strings.Replace(string(text), "5300520006504b5957343920", "5300520006504b5957343921", 1))
	const needsRestart = "the configuration is active, except a part of it\n  changed in the file: device_id\n" +
		"  Run: `sudo systemctl restart noi-agent`. Or undo the change, then: `sudo systemctl reload noi-agent`.\n"
	if code, stdout, stderr := run1("reload", "--config", config); code != cli.ExitDone || stdout != needsRestart {
		t.Errorf("reload ends with %d: %s%s", code, stdout, stderr)
	}
	if got := codes(); got != "restart_needed " {
		t.Errorf("problems %q after a change that needs a restart", got)
	}
	write(string(text))
	if code, stdout, _ := run1("reload", "--config", config); code != cli.ExitDone || stdout != "the configuration is active\n" {
		t.Errorf("reload ends with %d and says %q", code, stdout)
	}
	if got := codes(); got != "" {
		t.Errorf("problems %q when file and daemon agree", got)
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

// TestPublishTestHurriesTheDaemon: after an accepted test message, publish-test asks the daemon to try again. A
// missing daemon is no failure.
func TestPublishTestHurriesTheDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	config := w.config(`intervals: {"*": 1h}`, "adc_vbterm")
	const word = "the daemon tries this integration again at once"
	if code, stdout, stderr := run1("publish-test", "main-solar", "--config", config); code != cli.ExitDone || strings.Contains(stdout, word) {
		t.Errorf("without a daemon: %d %s%s", code, stdout, stderr)
	}
	daemon := w.start(config, nil)
	eventually(t, "the daemon listens", w.listens)
	if code, stdout, stderr := run1("publish-test", "main-solar", "--config", config); code != cli.ExitDone || !strings.Contains(stdout, word) {
		t.Errorf("with a daemon: %d %s%s", code, stdout, stderr)
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}
