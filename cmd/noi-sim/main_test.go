package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"noi-agent/modbus"
	"noi-agent/sim"
)

func TestOneInterruptIsOneSIGTERM(t *testing.T) {
	stop := filepath.Join(t.TempDir(), "stop")
	r := begin(t, nil, patient(stop, 0)...)
	r.stderr.await(t, "ready")
	r.endAt(stop)
	if n := strings.Count(r.stderr.String(), "term\n"); n != 1 {
		t.Errorf("the command got %d SIGTERM, want 1:\n%s", n, r.stderr)
	}
	for _, part := range []string{"status page: http://127.0.0.1:1/\n", "samples read   unknown", "errors         none"} {
		if !strings.Contains(r.stdout.String(), part) {
			t.Errorf("stdout lacks %q:\n%s", part, r.stdout)
		}
	}
}

func TestASecondInterruptKillsTheWholeGroup(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	r := begin(t, nil, "sh", "-c", fmt.Sprintf(
		`trap 'echo term' TERM; (trap '' TERM; exec 9>'%s'; while :; do sleep 1; done) & echo ready; while :; do wait; done`, pipe))
	reader, err := os.Open(pipe) // waits for the inner shell to hold its other end
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	r.stderr.await(t, "ready")
	r.interrupt()
	r.stderr.await(t, "term")
	r.interrupt()
	r.wantEnd(1)
	if !strings.Contains(r.stdout.String(), "the command was killed") {
		t.Errorf("the summary does not report the kill:\n%s", r.stdout)
	}
	if err := reader.SetReadDeadline(time.Now().Add(90 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(reader); err != nil {
		t.Errorf("the inner shell still runs (%v)", err)
	}
}

func TestACommandWithoutHandlerEndsCleanly(t *testing.T) {
	r := begin(t, nil, "sh", "-c", `echo ready; exec sleep 1000`)
	r.stderr.await(t, "ready")
	r.interrupt()
	r.wantEnd(0)
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		name    string
		command []string
		code    int
		says    string
	}{
		{"done by itself", []string{"sh", "-c", "exit 0"}, 0, "the command ended"},
		{"failed", []string{"sh", "-c", "exit 3"}, 1, "the command failed (exit status 3)"},
		{"killed by itself", []string{"sh", "-c", "kill -9 $$"}, 1, "signal: killed"},
		{"terminated by itself", []string{"sh", "-c", "kill $$"}, 1, "signal: terminated"},
		{"not there", []string{"./no-such-agent"}, 1, "make build"},
		{"options of its own", []string{"sh", "-c", "exit $#", "--baud", "--help"}, 1, "exit status 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, nil, c.command...)
			r.wantEnd(c.code)
			if !strings.Contains(r.stderr.String(), c.says) {
				t.Errorf("stderr lacks %q:\n%s", c.says, r.stderr)
			}
			if _, err := os.Lstat(filepath.Join(r.dir, linkName)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the link still exists (%v)", err)
			}
		})
	}
}

func TestMisuse(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
	}{
		{"", 2}, {"walk", 2}, {"fault", 2}, {"fault cloud sns melt", 2}, {"fault line", 2}, {"fault line silent --dir /nonexistent", 2}, {"run --baud 0 -- true", 2}, {"run --baud fast -- true", 2},
		{"run --speed 0 -- true", 2}, {"run --speed NaN -- true", 2}, {"run --speed 1e9 -- true", 2}, {"run --faults x -- true", 2},
		{"--help", 0}, {"run --help", 0},
	} {
		stdout, stderr := newOutput(), newOutput()
		if code := run(strings.Fields(c.args), stdout, stderr, nil); code != c.code {
			t.Errorf("%q: exit code %d, want %d\n%s", c.args, code, c.code, stderr)
		}
		said := stderr
		if c.code == 0 {
			said = stdout
		}
		if said.String() == "" {
			t.Errorf("%q: not a word", c.args)
		}
	}
}

// A simple server replaces the agent's status endpoint.
func TestTheSummaryAsksTheAgentBeforeItStops(t *testing.T) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/status" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"store":{"committed":300,"spared":12},"integrations":[{"id":"x","name":"demo-sns","sent":300,"failed":2},{"id":"FFjU28MMaL3W9B9hhhhH","sent":1}]}`)
	}))
	defer agent.Close()
	r := begin(t, []string{"--status", agent.Listener.Addr().String()}, "sh", "-c", "echo ready; exec sleep 1000")
	r.stderr.await(t, "ready")
	r.interrupt()
	r.wantEnd(0)
	for _, part := range []string{"status page: " + agent.URL + "/\n", "samples read   312", "demo-sns: 300 sent, 2 failed", "FFjU28MMaL3W9B9hhhhH: 1 sent"} {
		if !strings.Contains(r.stdout.String(), part) {
			t.Errorf("stdout lacks %q:\n%s", part, r.stdout)
		}
	}
}

// An agent that hangs must not delay the end after Ctrl-C longer than askTimeout. A second Ctrl-C ends it at once.
func TestAHangingAgentDoesNotHoldUpTheEnd(t *testing.T) {
	asked := make(chan struct{}, 1)
	agent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer agent.Close()
	r := begin(t, []string{"--status", agent.Listener.Addr().String()}, "sh", "-c", `trap '' TERM; echo ready; while :; do sleep 1; done`)
	r.stderr.await(t, "ready")
	r.interrupt()
	<-asked
	r.interrupt()
	r.wantEnd(1)
}

func TestMessagesArePrintedExactlyAsReceived(t *testing.T) {
	r := begin(t, nil, self(t, "publisher"))
	r.wantEnd(0)
	lines := strings.Split(r.stdout.String(), "\n")
	if len(lines) < 8 || lines[0] != "status page: http://127.0.0.1:1/" || lines[7] != "summary" {
		t.Fatalf("stdout is\n%s\nstderr is\n%s", r.stdout, r.stderr)
	}
	for _, name := range []string{"sns", "pubsub"} {
		var got, want []string
		for _, line := range lines[1:7] {
			if strings.Contains(line, `"`+name+`"`) {
				got = append(got, line)
			}
		}
		for _, m := range messages(name) {
			want = append(want, string(m.Body))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s printed\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for _, part := range []string{"SNS            3 received, 2 distinct, 0 refused", "Pub/Sub        3 received, 2 distinct, 0 refused", "both clouds    6 received"} {
		if !strings.Contains(r.stdout.String(), part) {
			t.Errorf("the summary lacks %q:\n%s", part, r.stdout)
		}
	}
}

func TestTheCommandSeesNoRealCloud(t *testing.T) {
	for _, kv := range []string{"AWS_PROFILE=home", "AWS_SESSION_TOKEN=x", "AWS_CA_BUNDLE=/x", "HTTP_PROXY=http://x", "https_proxy=http://x", "ALL_PROXY=x",
		"GOOGLE_APPLICATION_CREDENTIALS=/x", "NOI_SIM_KEPT=kept"} {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
	r := begin(t, nil, "sh", "-c", `env; echo "group $(cut -d' ' -f5 /proc/$$/stat) of $$"`)
	r.wantEnd(0)
	env := map[string]string{}
	for line := range strings.Lines(r.stderr.String()) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[k] = v
		var group, pid int
		if _, err := fmt.Sscanf(line, "group %d of %d", &group, &pid); err == nil && (group != pid || group == syscall.Getpgrp()) {
			t.Errorf("the command runs in group %d and is %d", group, pid)
		}
	}
	for _, gone := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "GOOGLE_APPLICATION_CREDENTIALS"} {
		if v, ok := env[gone]; ok {
			t.Errorf("%s=%s reached the command", gone, v)
		}
	}
	if env["AWS_EC2_METADATA_DISABLED"] != "true" || env["NO_PROXY"] != "*" || env["NOI_SIM_KEPT"] != "kept" {
		t.Errorf("the environment is\n%s", r.stderr)
	}
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_SNS", "PUBSUB_EMULATOR_HOST"} {
		if env[key] == "" {
			t.Errorf("%s is not set", key)
		}
	}
}

func TestTheControllerAnswersAtTheLink(t *testing.T) {
	stop := filepath.Join(t.TempDir(), "stop")
	r := begin(t, []string{"--baud", "115200"}, patient(stop, 0)...)
	r.stderr.await(t, "ready")
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: filepath.Join(r.dir, linkName), Baud: 115200}})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	id, err := line.Identify(t.Context(), unitID)
	if err != nil || id.Vendor != sim.Vendor || id.ProductCode != "PS-PWM-30M" || id.Revision != "v01.04.06" {
		t.Errorf("identified as %+v, %v", id, err)
	}
	reply, err := line.Read(t.Context(), unitID, 0x04, 0x0011, 2) // adc_ia, adc_vbterm
	if err != nil || reply.Registers[0] == 0 || reply.Registers[1] < 0x4A00 || reply.Registers[1] > 0x4B00 {
		t.Errorf("at mid-morning the array current and battery voltage are %04X (%v); want above 0, and 12 to 14 V", reply.Registers, err)
	}
	var exception *modbus.Exception
	if _, err := line.Read(t.Context(), unitID, 0x04, 0x1000, 1); !errors.As(err, &exception) || exception.Code != 2 {
		t.Errorf("an unknown register gave %v, want exception 02", err)
	}
	if err := line.Close(); err != nil {
		t.Error(err)
	}
	r.endAt(stop)
	if !strings.Contains(r.stdout.String(), "answered, 1 of them refused") {
		t.Errorf("the summary does not count the exception:\n%s", r.stdout)
	}
}

func TestAStaleLinkIsReplacedAndAFileIsNot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "run")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, linkName)
	if err := os.Symlink("/dev/pts/no-longer", path); err != nil {
		t.Fatal(err)
	}
	r := begin(t, []string{"--dir", dir}, "sh", "-c", "ls -l '"+path+"'; test -c '"+path+"'")
	r.wantEnd(0)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = begin(t, []string{"--dir", dir}, "true")
	r.wantEnd(1)
	if kept, err := os.ReadFile(path); err != nil || string(kept) != "precious" || !strings.Contains(r.stderr.String(), "is not a link") {
		t.Errorf("the file holds %q (%v); stderr:\n%s", kept, err, r.stderr)
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	for _, flag := range []string{"--sns", "--pubsub"} {
		r := begin(t, []string{flag, l.Addr().String()}, "sh", "-c", "echo ran")
		r.wantEnd(1)
		said := r.stderr.String()
		if !strings.Contains(said, l.Addr().String()+" is taken") || !strings.Contains(said, ":"+port+"'") || strings.Contains(said, "ran") {
			t.Errorf("%s: stderr is\n%s", flag, said)
		}
		if _, err := os.Lstat(filepath.Join(r.dir, linkName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: there is a link (%v)", flag, err)
		}
	}
}

// brokenScreen accepts the first lines and then no more, like a pipe whose reader has gone.
type brokenScreen struct{ left int }

func (s *brokenScreen) Write(p []byte) (int, error) {
	if s.left--; s.left < 0 {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

func TestAScreenThatGoesAwayEndsTheWorld(t *testing.T) {
	stderr, dir := newOutput(), t.TempDir()
	code := run([]string{"run", "--sns", "127.0.0.1:0", "--pubsub", "127.0.0.1:0", "--dir", dir, "--status", "127.0.0.1:1", "--",
		"sh", "-c", "trap 'echo term; exit 0' TERM; while :; do sleep 1; done"}, &brokenScreen{}, stderr, nil)
	if code != 1 || !strings.Contains(stderr.String(), "print the messages") {
		t.Errorf("exit code %d; stderr:\n%s", code, stderr)
	}
}

// A real process gets signals. After its end it has left no process and no file.
func TestSignalsToTheProcess(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			dir := t.TempDir()
			cmd, stdout, stderr := process(t, "run", "--sns", "127.0.0.1:0", "--pubsub", "127.0.0.1:0", "--dir", dir, "--status", "127.0.0.1:1", "--",
				"sh", "-c", "trap 'echo term; exit 0' TERM; echo ready; while :; do sleep 1; done")
			stderr.await(t, "ready")
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("noi-sim ended with %v; stderr:\n%s", err, stderr)
			}
			if n := strings.Count(stderr.String(), "term\n"); n != 1 || !strings.Contains(stdout.String(), "summary") {
				t.Errorf("%d SIGTERM; stdout:\n%s", n, stdout)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("files are left: %v (%v)", left, err)
			}
		})
	}
}

// A reader that closes the pipe early (`noi-sim … | head`) must not leave the command running.
func TestABrokenPipeStopsTheCommand(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	cmd := execSelf(t, "run", "--sns", "127.0.0.1:0", "--pubsub", "127.0.0.1:0", "--dir", t.TempDir(), "--status", "127.0.0.1:1", "--",
		"sh", "-c", "trap 'echo term; exit 0' TERM; while :; do sleep 1; done")
	stderr := newOutput()
	cmd.Stdout, cmd.Stderr = writer, stderr
	err = cmd.Run()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("noi-sim ended with %v; stderr:\n%s", err, stderr)
	}
}

// Simulated time runs at --speed: after a moment the clock of a fast world shows another hour of operation.
func TestSpeedMovesTheSun(t *testing.T) {
	r := begin(t, []string{"--speed", "10000", "--baud", "115200"}, "sh", "-c", "echo ready; exec sleep 1000")
	r.stderr.await(t, "ready")
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: filepath.Join(r.dir, linkName), Baud: 115200}})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	hours := func() uint16 {
		reply, err := line.Read(t.Context(), unitID, 0x04, 0x0036, 2)
		if err != nil {
			t.Fatal(err)
		}
		return reply.Registers[1]
	}
	for began, limit := hours(), time.Now().Add(30*time.Second); hours() == began; {
		if time.Now().After(limit) {
			t.Fatal("the hourmeter does not change")
		}
	}
	if err := line.Close(); err != nil {
		t.Error(err)
	}
	r.interrupt()
	r.wantEnd(0)
}

// TestHelpFitsTheTerminal: no line of a help is longer than 80 characters.
func TestHelpFitsTheTerminal(t *testing.T) {
	for _, command := range []string{"", "run", "fault", "fault cloud", "fault line"} {
		var out bytes.Buffer
		if code := run(append(strings.Fields(command), "--help"), &out, io.Discard, nil); code != exitDone {
			t.Fatalf("%s --help exits %d", command, code)
		}
		for line := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("%s: %q", command, line)
			}
		}
	}
}
