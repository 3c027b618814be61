package e2e

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/sinks/sinktest/standin"
)

// initFlags returns a command line of init with the files and the address of the test, and more flags.
func (w *world) initFlags(more ...string) []string {
	return append([]string{"init", "--config", filepath.Join(w.dir, "config.yaml"), "--state-dir", filepath.Join(w.dir, "state"),
		"--socket", w.socket(), "--listen", "127.0.0.1:0", "--units", "1-2"}, more...)
}

// firstMessage runs the daemon with a configuration until a cloud has a message of it.
func (w *world) firstMessage(config string, messages func() []standin.Message) body {
	w.t.Helper()
	daemon := w.start(config, nil)
	eventually(w.t, "the first message", func() bool { return len(messages()) > 0 })
	if code := daemon.stop(); code != cli.ExitDone {
		w.t.Errorf("the daemon exits %d", code)
	}
	return parseBody(w.t, messages()[0].Body)
}

// TestInitByFlags: without a terminal, flags give all answers, and the daemon publishes with the file.
func TestInitByFlags(t *testing.T) {
	w := newWorld(t, simSlave(t, 1))
	config := filepath.Join(w.dir, "config.yaml")
	args := w.initFlags("--port", w.pty.Path(), "--topic", testTopicARN, "--endpoint", w.sns.URL(), "--intervals", "adc_vbterm=10s,5m")
	if code, _, stderr := run1(args...); code != cli.ExitMisused || !strings.Contains(stderr, `--intervals: want a time such as 5m, or OBJECT=TIME, not "5m"`) {
		t.Errorf("exit %d: %s", code, stderr)
	}
	args[len(args)-1] = "adc_vbterm=10s"
	code, stdout, stderr := run1(args...)
	if code != cli.ExitDone || stdout != config+" is written\n" {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	clitest.MustHold(t, stderr, "as answered", "✓ message     accepted, message id", "Next: noi-agent run --config "+config)
	if strings.Contains(stderr, "]: ") {
		t.Errorf("init asked although there is no terminal:\n%s", stderr)
	}
	text := string(clitest.FileText(t, config))
	clitest.MustHold(t, text, "- id: 1   # PS-PWM-30M v01.04.06\n        model: PSPWM\n", "adc_vbterm: 10s\n", "baud: 9600\n")
	if code, stdout, stderr := run1("check", config); code != cli.ExitDone || !strings.Contains(stdout, config+": ok\n") {
		t.Errorf("check exits %d: %s%s", code, stdout, stderr)
	}
	if w.firstMessage(config, w.sns.Messages).SampledAt == "" {
		t.Error("the first message has no time")
	}

	// An existing file is kept. Only with --force init replaces it, and keeps a copy.
	if code, _, stderr := run1(args...); code != cli.ExitFailed || !strings.Contains(stderr, "exists already\nhint: noi-agent init --config "+config+" ") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	code, stdout, _ = run1(append(args, "--force", "--no-test", "--json")...)
	var listing struct{ File, Copy, YAML string }
	if err := json.Unmarshal([]byte(stdout), &listing); err != nil || code != cli.ExitDone {
		t.Fatalf("exit %d, %v: %s", code, err, stdout)
	}
	if kept := string(clitest.FileText(t, listing.Copy)); kept != text || listing.File != config || listing.YAML != string(clitest.FileText(t, config)) {
		t.Errorf("%+v\nkept:\n%s", listing, kept)
	}
}

// conversation is a person at a terminal, on which the command runs.
type conversation struct {
	t       *testing.T
	keys    *os.File // the person's side of the terminal
	shown   lockedBuffer
	read    int // number of bytes that the person has read
	signals chan os.Signal
	code    chan int
}

func converse(t *testing.T, args ...string) *conversation {
	t.Helper()
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{t: t, keys: screen, signals: make(chan os.Signal, 1), code: make(chan int, 1)}
	t.Cleanup(func() {
		_, _ = screen.Close(), tty.Close()
		if t.Failed() {
			t.Logf("the screen shows:\n%s", c.shown.String())
		}
	})
	go func() { _, _ = io.Copy(&c.shown, screen) }() // until the terminal is closed
	p := &cli.Program{Stdin: tty, Stdout: tty, Stderr: tty, Version: "1.0.10", Now: time.Now,
		Signals: func() (<-chan os.Signal, func()) { return c.signals, func() {} }}
	go func() { c.code <- p.Run(args) }()
	return c
}

// answer waits for a text on the screen, and types.
func (c *conversation) answer(wait, keys string) {
	c.t.Helper()
	eventually(c.t, "the screen shows "+wait, func() bool {
		at := strings.Index(c.shown.String()[c.read:], wait)
		if at >= 0 {
			c.read += at + len(wait)
		}
		return at >= 0
	})
	if _, err := c.keys.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

// TestInitAsksAtATerminal: a person answers, corrects a wrong topic and chooses a cheaper way. The daemon publishes
// with the file.
func TestInitAsksAtATerminal(t *testing.T) {
	w := newWorld(t, simSlave(t, 1))
	c := converse(t, w.initFlags("--endpoint", w.pubsub.Addr())...)
	c.answer("Number, path, or tcp://HOST of a gateway", w.pty.Path()+"\n")
	c.answer("1 of 2 units answers", "")
	c.answer("aws (SNS), gcp (Pub/Sub), or none [aws]: ", "azure\n")
	c.answer(`want aws, gcp or none, not "azure"`, "")
	c.answer("or none [aws]: ", "gcp\n")
	c.answer("Topic: ", "projects/test-project/MainSolarData\n")
	c.answer("  want projects/PROJECT/topics/NAME", "")
	c.answer("Topic: ", testTopic+"\n")
	c.answer("Name of the integration [main-solar]: ", "roof\n")
	c.answer("Credentials file (Enter: the default places): ", "\n")
	c.answer("battery terminal voltage ", "")
	c.answer("Objects, with commas; or all [", "adc_vbterm, charge_stat\n")
	c.answer("did you mean charge_state?", "")
	c.answer("load_fault, alarm]: ", "adc_vbterm, charge_state\n")
	c.answer("Log intervals [as shown]: ", "30s\n")
	c.answer("longer intervals, collected", "")
	c.answer("Which way [1]: ", "2\n")
	c.answer("Send a test message now? (y/n) [y]: ", "\n")
	c.answer("✓ message ", "")
	if code := <-c.code; code != cli.ExitDone {
		t.Fatalf("exit %d:\n%s", code, c.shown.String())
	}
	config := filepath.Join(w.dir, "config.yaml")
	clitest.MustHold(t, string(clitest.FileText(t, config)), "name: roof", "when: change")
	// the first message was the test message
	w.firstMessage(config, func() []standin.Message { return w.pubsub.Messages()[1:] })
}

// TestInitLeavesNothingBehind: Ctrl-C at a question or in a scan, the end of the input, and a refusal leave no file.
func TestInitLeavesNothingBehind(t *testing.T) {
	w := newWorld(t, simSlave(t, 1))
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	at := func(wait string, stop func(*conversation)) int {
		c := converse(t, w.initFlags("--port", w.pty.Path(), "--cloud", "aws")...)
		c.answer(wait, "")
		stop(c)
		return <-c.code
	}
	interrupt := func(c *conversation) { c.signals <- os.Interrupt }
	if code := at("Topic: ", interrupt); code != cli.ExitInterrupted {
		t.Errorf("Ctrl-C at a question exits %d", code)
	}
	if code := at("asking 2 units", interrupt); code != cli.ExitInterrupted {
		t.Errorf("Ctrl-C in the scan exits %d", code)
	}
	if code := at("Topic: ", func(c *conversation) { c.answer("", "\x04") }); code != cli.ExitFailed {
		t.Errorf("Ctrl-D exits %d", code)
	}
	c := converse(t, w.initFlags("--port", w.pty.Path(), "--topic", testTopicARN, "--name", "x", "--profile", "", "--objects", "all",
		"--intervals", "5m", "--collect", "15m", "--endpoint", w.sns.URL())...)
	c.answer("Send a test message now?", "\n")
	c.answer("The test failed. Write the configuration all the same?", "n\n")
	if code := <-c.code; code != cli.ExitFailed {
		t.Errorf("a refusal exits %d", code)
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil || len(files) > 0 {
		t.Errorf("files are left: %v, %v", files, err)
	}
}
