package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/status/api"
)

const (
	testTopicARN = clitest.TopicARN
	testTopic    = clitest.Topic
	snsID        = clitest.SNSID
	pubsubID     = clitest.PubSubID
)

// lockedBuffer is a buffer for the output of the daemon's goroutines.
type lockedBuffer = clitest.Buffer

// world has the surroundings of a daemon under test: a controller on a pty, and both clouds on loopback.
type world struct {
	t      *testing.T
	dir    string
	slave  *modbustest.Slave
	pty    *modbustest.PTY
	sns    *standin.SNS
	pubsub *standin.PubSub
}

// newWorld starts everything. The pty runs at 115200, so that the line needs little time.
func newWorld(t *testing.T, slave *modbustest.Slave, more ...*modbustest.Slave) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), slave: slave}
	w.pty = modbustest.MustServe(t, 115200, 11, append(more, slave)...)
	var err error
	if w.sns, err = standin.StartSNS(standin.SNSOptions{Topics: []string{testTopicARN}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.sns.Close() })
	if w.pubsub, err = standin.StartPubSub(standin.PubSubOptions{Topics: []string{testTopic}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.pubsub.Close() })
	return w
}

// socket returns the daemon's socket. The name is short, because the path of a socket must be short.
func (w *world) socket() string { return filepath.Join(w.dir, "a.sock") }

// listens reports whether a daemon answers requests. An existing socket does not prove this: it is made earlier.
func (w *world) listens() bool {
	conn, err := net.Dial("unix", w.socket())
	return err == nil && conn.Close() == nil
}

// config writes a configuration. slave are further keys of the slave, objects those of both integrations.
func (w *world) config(slave, objects string) string {
	w.t.Helper()
	text := fmt.Sprintf(`device_id: 5300520006504b5957343920
state_dir: %s/state
log: {level: debug}
lines:
  - name: rs485
    port: %s
    baud: 115200
    timeout: 400ms
    slaves:
      - {id: 1, model: PSPWM, %s}
integrations:
  - {id: %s, name: main-solar, type: aws, objects: %s, topic_arn: "%s", endpoint: "%s"}
  - {id: %s, name: main-pubsub, type: gcp, objects: %s, topic: %s, endpoint: "%s"}
buffer: {commit_every: 50ms}
clock: {source: system}
status: {listen: "", socket: %s}
`, w.dir, w.pty.Path(), slave, snsID, objects, testTopicARN, w.sns.URL(), pubsubID, objects, testTopic, w.pubsub.Addr(), w.socket())
	path := filepath.Join(w.dir, "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// running is a daemon in this process: the same program value that main runs.
type running struct {
	t       *testing.T
	signals chan os.Signal // signals to the daemon
	hangups chan os.Signal
	ready   chan struct{}
	code    chan int
	stderr  *lockedBuffer
}

// start runs `noi-agent run`. change changes the program before it starts.
func (w *world) start(config string, change func(*cli.Program)) *running {
	w.t.Helper()
	r := &running{
		t: w.t, signals: make(chan os.Signal, 4), hangups: make(chan os.Signal, 1), ready: make(chan struct{}), code: make(chan int, 1), stderr: &lockedBuffer{},
	}
	var once sync.Once
	p := &cli.Program{
		Stdout: io.Discard, Stderr: r.stderr, Version: "1.0.10", Now: time.Now,
		Signals: func() (<-chan os.Signal, func()) { return r.signals, func() {} },
		Hangups: func() (<-chan os.Signal, func()) { return r.hangups, func() {} },
		Notify: func(state string) {
			if state == "READY=1" {
				once.Do(func() { close(r.ready) })
			}
		},
	}
	if change != nil {
		change(p)
	}
	go func() { r.code <- p.Run([]string{"run", "--config", config}) }()
	select {
	case <-r.ready:
	case code := <-r.code:
		w.t.Fatalf("the daemon ended with %d before it was ready:\n%s", code, r.stderr)
	}
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the daemon said:\n%s", r.stderr)
		}
	})
	return r
}

// stop ends the daemon with a signal and returns its exit code.
func (r *running) stop() int {
	r.t.Helper()
	r.signals <- os.Interrupt
	return <-r.code
}

// get sends a request to the daemon over its socket.
func (w *world) get(path string) []byte {
	w.t.Helper()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", w.socket())
		},
	}}
	response, err := client.Get("http://localhost" + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return body
}

// statusView has the keys of the status that the tests use.
type statusView struct {
	Lines []struct {
		State, Error string
		Slaves       []struct{ State, Error string }
		Counters     api.Counters
	}
	Integrations []struct {
		ID, State     string
		Backlog, Sent uint64
		LastError     string `json:"last_error"`
	}
	Store struct {
		Start string
	}
	Problems []problemView
}

type problemView struct{ Code, Title, Subject, Detail, Remedy string }

func (w *world) status() statusView {
	w.t.Helper()
	var s statusView
	if err := json.Unmarshal(w.get("/api/v1/status"), &s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// problems are those of the status, except skipped moments: a machine that is busy elsewhere skips some.
func (w *world) problems() []problemView {
	w.t.Helper()
	return slices.DeleteFunc(w.status().Problems, func(p problemView) bool { return p.Code == "line_overrun" })
}

// eventually waits for a condition. It fails after a time that is long enough for any machine. It pauses as long as a
// look takes, because tests run side by side.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(4 * time.Minute)
	for {
		begin := time.Now()
		if condition() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(max(10*time.Millisecond, time.Since(begin)))
	}
}

// body is a message as a consumer reads it.
type body struct {
	PublishedAt string          `json:"published_at"`
	SampledAt   string          `json:"sampled_at"`
	Object      string          `json:"object"`
	Data        json.RawMessage `json:"data"`
}

func parseBody(t *testing.T, raw []byte) body {
	t.Helper()
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return b
}
