package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"noi-agent/modbus/modbustest"
)

// held is a state in which a part of the agent is stuck. strace stops a thread of the running daemon before a system
// call on a file and never continues it, or makes the call fail.
type held struct {
	name   string
	file   func(*world) string
	inject string
	call   int  // number of the system call
	fails  bool // the call fails; otherwise a thread is stopped before it
}

// heldStates are a read of the port that does not return, a commit that does not end, and a full disk.
func heldStates() []held {
	port := func(w *world) string { return w.pty.Path() }
	store := func(w *world) string { return filepath.Join(w.dir, "state", "noi.db") }
	const forever = "delay_enter=3600000000" // an hour, in microseconds
	return []held{
		{name: "a stuck line", file: port, inject: "read:" + forever, call: syscall.SYS_READ},
		{name: "a held store", file: store, inject: "fdatasync:" + forever, call: syscall.SYS_FDATASYNC},
		{name: "a full disk", file: store, inject: "pwrite64:error=ENOSPC", call: syscall.SYS_PWRITE64, fails: true},
	}
}

// While a part of the agent is stuck, the endpoint answers: pages, health checks, metrics, the API and its events.
func TestTheEndpointAnswersWhileAPartOfTheAgentIsHeld(t *testing.T) {
	t.Parallel()
	modbustest.NeedPeer(t, "strace that may trace", "strace", "strace", "-f", "-o", "/dev/null", "true")
	binary := buildBinary(t, "..")
	for _, h := range heldStates() {
		t.Run(h.name, func(t *testing.T) {
			w := newWorld(t, fixedSlave())
			daemon := exec.Command(binary, "run", "--config", w.config(`objects: [adc_vbterm], intervals: {"*": 100ms}`, "all"))
			log := &lockedBuffer{}
			daemon.Stderr = log
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
			eventually(t, "messages arrive", func() bool { return w.sns.Taken() > 0 && w.pubsub.Taken() > 0 })
			if err := w.pubsub.SetDown(true); err != nil { // so that samples must be stored
				t.Fatal(err)
			}
			lasts := h.hold(t, w, daemon.Process.Pid)
			for _, path := range heldPaths() {
				t.Logf("%s: %s", path, w.answers(path))
			}
			w.streams()
			lasts()
		})
	}
}

// hold begins the state and waits for it. lasts fails the test if the state has ended.
func (h *held) hold(t *testing.T, w *world, pid int) (lasts func()) {
	t.Helper()
	trace := filepath.Join(w.dir, "trace")
	tracer := exec.Command("strace", "-f", "-o", trace, "-p", strconv.Itoa(pid), "-P", h.file(w), "-e", "inject="+h.inject)
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tracer.Process.Kill(); _ = tracer.Wait() })
	failed := 0
	is := func() bool {
		if !h.fails {
			return standsBefore(pid, h.call)
		}
		text, _ := os.ReadFile(trace)
		return strings.Count(string(text), "(INJECTED)") > failed
	}
	eventually(t, h.name, is)
	return func() {
		t.Helper()
		text, _ := os.ReadFile(trace)
		failed = strings.Count(string(text), "(INJECTED)")
		if !h.fails && !is() {
			t.Error("the state ended before the last request: the test proves nothing")
		}
		eventually(t, h.name+" still", is)
	}
}

// standsBefore reports whether a thread of a process is stopped by its tracer at a system call.
func standsBefore(pid, call int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	return slices.ContainsFunc(threads, func(thread string) bool {
		stat, _ := os.ReadFile(filepath.Join(thread, "stat"))
		at, _ := os.ReadFile(filepath.Join(thread, "syscall"))
		return strings.Contains(string(stat), ") t ") && strings.HasPrefix(string(at), strconv.Itoa(call)+" ")
	})
}

// heldPaths has the addresses that a person, a supervisor and a monitoring system request.
func heldPaths() []string {
	return []string{"/", "/healthz", "/readyz", "/metrics", "/api/v1/status", "/api/v1/objects", "/api/v1/triggers",
		"/api/v1/integrations", "/api/v1/lines/faults", "/api/v1/logs", "/values", "/triggers", "/integrations/aws", "/system"}
}

// answers requests a path until the whole answer has come.
func (w *world) answers(path string) (status string) {
	w.t.Helper()
	response, err := w.client().Get("http://localhost" + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || len(body) == 0 {
		w.t.Errorf("%s: %d bytes, %v", path, len(body), err)
	}
	return response.Status
}

// streams opens the events and reads until a status event has come.
func (w *world) streams() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", "http://localhost/api/v1/events", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := w.client().Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if lines.Text() == "event: status" {
			return
		}
	}
	w.t.Error("the stream ended without a status")
}

// client is a client of the daemon's socket. It waits longer than any machine needs: an answer that a stuck part
// blocks never comes.
func (w *world) client() *http.Client {
	return &http.Client{Timeout: 90 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", w.socket())
		},
	}}
}
