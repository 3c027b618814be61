package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sns"
)

// roleEnv makes this test binary another program: noi-sim itself, or a command that publishes.
const roleEnv = "NOI_SIM_TEST_ROLE"

// unitID is the unit id of the controller without --slaves.
const unitID = 1

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "noi-sim":
		main()
	case "publisher":
		os.Exit(publisher())
	}
	goleak.VerifyTestMain(m)
}

// messages returns the messages of the publisher to each cloud. It sends the first one twice, like a retry.
func messages(integration string) []sinks.Message {
	body := func(at, object string) []byte {
		return []byte(`{"published_at":"` + at + `","data":12.117188,"integration_id":"` + integration + `","object":"` + object + `","note":"<&\u00e9 ü>"}`)
	}
	return []sinks.Message{
		{Body: body("2022-06-28T08:20:29.502Z", "adc_vbterm"), Key: "rs485/1/adc_vbterm"},
		{Body: body("2022-06-28T08:20:29.502Z", "adc_ia"), Key: "rs485/1/adc_ia"},
		{Body: body("2022-06-28T08:20:31.000Z", "adc_vbterm"), Key: "rs485/1/adc_vbterm"},
	}
}

type sink interface {
	Publish(context.Context, []sinks.Message) []sinks.Result
	Close() error
}

// publisher sends messages with the real clients, which get the stand-ins and the key from the environment only.
func publisher() int {
	toSNS, err := sns.New(sns.Options{TopicARN: topicARN})
	if err != nil {
		return 3
	}
	toPubSub, err := pubsub.New(pubsub.Options{Topic: topicName})
	if err != nil {
		return 3
	}
	for name, s := range map[string]sink{"sns": toSNS, "pubsub": toPubSub} {
		for left := messages(name); len(left) > 0; {
			results := s.Publish(context.Background(), left)
			for _, r := range results {
				if r.Outcome != sinks.Accepted {
					fmt.Fprintln(os.Stderr, name, r.Error())
					return 4
				}
			}
			left = left[len(results):]
		}
		if s.Close() != nil {
			return 5
		}
	}
	return 0
}

// output collects the output. A test can wait for a text in it.
type output struct {
	mu    sync.Mutex // guards the fields below
	text  bytes.Buffer
	fresh chan struct{} // closed at the next write
}

func newOutput() *output { return &output{fresh: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.fresh)
	o.fresh = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the text has part. The limit only ends a broken test.
func (o *output) await(t *testing.T, part string) {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		o.mu.Lock()
		found, fresh := strings.Contains(o.text.String(), part), o.fresh
		o.mu.Unlock()
		if found {
			return
		}
		select {
		case <-fresh:
		case <-limit:
			t.Fatalf("%q did not come; the output is\n%s", part, o)
		}
	}
}

// trial is one run of noi-sim within the test.
type trial struct {
	t              *testing.T
	dir            string
	stdout, stderr *output
	signals        chan os.Signal
	code           chan int
}

// begin runs `noi-sim run FLAGS -- COMMAND` on free ports.
func begin(t *testing.T, flags []string, command ...string) *trial {
	t.Helper()
	r := &trial{t: t, dir: t.TempDir(), stdout: newOutput(), stderr: newOutput(), signals: make(chan os.Signal, 4), code: make(chan int, 1)}
	args := []string{"run", "--sns", "127.0.0.1:0", "--pubsub", "127.0.0.1:0", "--dir", r.dir, "--status", "127.0.0.1:1"}
	args = append(append(append(args, flags...), "--"), command...)
	go func() { r.code <- run(args, r.stdout, r.stderr, r.signals) }()
	return r
}

func (r *trial) interrupt() { r.signals <- syscall.SIGINT }

// end waits for the exit code.
func (r *trial) end() int {
	r.t.Helper()
	select {
	case code := <-r.code:
		return code
	case <-time.After(2 * time.Minute):
		r.t.Fatalf("noi-sim does not end; stderr:\n%s", r.stderr)
		return -1
	}
}

func (r *trial) wantEnd(code int) {
	r.t.Helper()
	if got := r.end(); got != code {
		r.t.Errorf("exit code %d, want %d; stderr:\n%s", got, code, r.stderr)
	}
}

// endAt interrupts the command of patient once, and then lets it end normally.
func (r *trial) endAt(stop string) {
	r.t.Helper()
	r.interrupt()
	r.stderr.await(r.t, "term")
	if err := os.WriteFile(stop, nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.wantEnd(0)
}

// self returns this test binary's path and sets its role for the children of this test.
func self(t *testing.T, role string) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(roleEnv, role)
	return path
}

// patient is a shell that prints "ready", counts its SIGTERMs in its output, and ends with status when the file stop
// exists.
func patient(stop string, status int) []string {
	return []string{"sh", "-c", fmt.Sprintf(
		`trap 'echo term' TERM; echo ready $$; until [ -e '%s' ]; do sleep 0.02; done; exit %d`, stop, status)}
}

// execSelf returns noi-sim as a command, not yet started.
func execSelf(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(self(t, "noi-sim"), args...)
}

// process starts noi-sim as another process.
func process(t *testing.T, args ...string) (cmd *exec.Cmd, stdout, stderr *output) {
	t.Helper()
	cmd = execSelf(t, args...)
	stdout, stderr = newOutput(), newOutput()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdout, stderr
}
