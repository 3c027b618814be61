package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
)

// run1 runs one command line. It returns the exit code and the output.
func run1(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	p := &cli.Program{Stdout: &out, Stderr: &errs, Version: "1.0.10", Now: time.Now, Signals: cli.Signals, Hangups: cli.Hangups, Notify: func(string) {}}
	code = p.Run(args)
	return code, out.String(), errs.String()
}

// TestDaemonStartsWhateverIsDownAndSaysWhatIsWrong: the daemon has a missing port, a dead slave, an unknown model and
// clouds without credentials. It runs, and the status names each fault with a remedy.
func TestDaemonStartsWhateverIsDownAndSaysWhatIsWrong(t *testing.T) {
	dead := &modbustest.Slave{Unit: 7}
	strange := fixedSlave()
	strange.Unit, strange.Identity = 2, &modbustest.Identity{Vendor: "Nobody", Product: "XY-1", Revision: "v1"}
	w := newWorld(t, fixedSlave())
	other := modbustest.MustServe(t, 115200, 11, dead, strange)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	path := clitest.WriteConfig(t, fmt.Sprintf(`state_dir: %s/state
lines:
  - {name: gone, port: /dev/ttyUSB987, slaves: [{id: 1, model: PSPWM}]}
  - {name: good, port: %s, baud: 115200, slaves: [{id: 1, model: auto, intervals: {"*": 100ms}}]}
  - {name: odd, port: %s, baud: 115200, timeout: 50ms, slaves: [{id: 9, model: PSPWM}, {id: 2, model: auto}]}
integrations:
  - {id: %s, type: aws, objects: adc_vbterm, topic_arn: "%s", endpoint: "%s"}
  - {id: %s, type: gcp, objects: adc_vbterm, topic: %s}
buffer: {commit_every: 50ms}
status: {listen: "", socket: %s}
`, w.dir, w.pty.Path(), other.Path(), snsID, testTopicARN, w.sns.URL(), pubsubID, testTopic, w.socket()))
	daemon := w.start(path, nil)
	want := map[string]string{
		"line_port_missing gone":                 "no such port",
		"slave_silent odd/9":                     "timeout",
		"slave_model_unknown odd/2":              `"XY-1"`,
		"integration_no_credentials " + snsID:    "MissingCredentials",
		"integration_no_credentials " + pubsubID: "MissingCredentials",
	}
	eventually(t, "every problem is in the status", func() bool { return len(unseen(w.status(), want)) == 0 })
	for _, p := range w.status().Problems {
		if p.Remedy == "" || p.Detail == "" {
			t.Errorf("no remedy in %+v", p)
		}
	}
	if s := w.status(); s.Lines[1].State != "ok" || s.Lines[1].Slaves[0].State != "ok" {
		t.Errorf("the line without a fault is %+v", s.Lines[1])
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

// unseen returns the codes of want that are not among the problems.
func unseen(s statusView, want map[string]string) []string {
	var out []string
	for problem, detail := range want {
		found := false
		for _, p := range s.Problems {
			found = found || p.Code+" "+p.Subject == problem && strings.Contains(p.Detail, detail)
		}
		if !found {
			out = append(out, problem)
		}
	}
	return out
}

func TestTakenStatusPortDoesNotStopTheDaemon(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	w := newWorld(t, fixedSlave())
	config := w.config(`intervals: {"*": 1h}`, "adc_vbterm")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `listen: ""`, `listen: "`+taken.Addr().String()+`"`, 1)
	daemon := w.start(clitest.WriteConfig(t, changed), nil)
	eventually(t, "both clouds have the sample", func() bool { return w.sns.Taken() == 1 && w.pubsub.Taken() == 1 })
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
	if log := daemon.stderr.String(); !strings.Contains(log, "the status endpoint cannot listen") || !strings.Contains(log, taken.Addr().String()) {
		t.Errorf("the log does not name the taken port:\n%s", log)
	}
}

// TestASocketThatCannotBeLeavesThePage: the directory of the socket does not exist, as without systemd. The page
// works nevertheless.
func TestASocketThatCannotBeLeavesThePage(t *testing.T) {
	w := newWorld(t, fixedSlave())
	config := w.config(`intervals: {"*": 1h}`, "adc_vbterm")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(`listen: ""`, `listen: "127.0.0.1:0"`, w.socket(), w.dir+"/nope/a.sock").Replace(string(text))
	daemon := w.start(clitest.WriteConfig(t, changed), nil)
	page := regexp.MustCompile(`msg=ready page=(http://127.0.0.1:\d+) `)
	eventually(t, "the page is there", func() bool { return page.MatchString(daemon.stderr.String()) })
	answer, err := http.Get(page.FindStringSubmatch(daemon.stderr.String())[1] + "/")
	if err != nil || answer.Body.Close() != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("the page: %v %v", answer, err)
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
	if log := daemon.stderr.String(); strings.Count(log, "nope/a.sock: bind: no such file or directory: make its directory") != 1 {
		t.Errorf("the log must have this exactly once:\n%s", log)
	}
}

// Gateways may share a FIFO topic: the message group begins with the device id.
func TestFIFOGroupNamesTheDevice(t *testing.T) {
	const fifo = testTopicARN + ".fifo"
	w := newWorld(t, fixedSlave())
	cloud, err := standin.StartSNS(standin.SNSOptions{Topics: []string{fifo}})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	text, err := os.ReadFile(w.config(`intervals: {"*": 1h}`, "adc_vbterm"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(testTopicARN, fifo, w.sns.URL(), cloud.URL()).Replace(string(text))
	daemon := w.start(clitest.WriteConfig(t, changed), nil)
	eventually(t, "the topic has the sample", func() bool { return cloud.Taken() == 1 })
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
	if m := cloud.Messages()[0]; !strings.HasPrefix(m.Group, "5300520006504b5957343920") || !strings.HasPrefix(m.Dedup, "5300520006504b5957343920-") {
		t.Errorf("group %q, deduplication id %q", m.Group, m.Dedup)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	daemon := w.start(w.config(`intervals: {"*": 50ms}`, "adc_vbterm"), nil)
	eventually(t, "samples flow", func() bool { return w.sns.Taken() > 2 })
	w.sns.SetFault(standin.Always(standin.Fault{Hang: true}))
	eventually(t, "a publish hangs", func() bool { return w.status().Integrations[0].Backlog > 2 })
	daemon.signals <- os.Interrupt
	eventually(t, "the shutdown has begun", func() bool { return strings.Contains(daemon.stderr.String(), "no more polling") })
	daemon.signals <- os.Interrupt
	if code := <-daemon.code; code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(daemon.stderr.String(), "stopping at once") {
		t.Errorf("the second signal is not in the log:\n%s", daemon.stderr)
	}
}

func TestStatusAndTriggersAskTheDaemon(t *testing.T) {
	w := newWorld(t, fixedSlave())
	config := w.config(`intervals: {"*": 1h}`, "[adc_vbterm, charge_state]")
	daemon := w.start(config, nil)
	eventually(t, "both clouds have both samples, settled", func() bool {
		s := w.status()
		return s.Integrations[0].Sent == 2 && s.Integrations[1].Sent == 2
	})
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"status"}, []string{"! 2 things need attention. No data is being lost.", "PS-PWM-30M reports", "rs485/1", "main-pubsub", "✓ delivered", "12.12 V"}},
		{[]string{"status", "--verbose"}, []string{"code: controller_alarm", "2 sent, 0 rejected", "start: created (newly created)", "active settings: buffer: max_size"}},
		{[]string{"status", "--json"}, []string{`"device_id":"5300520006504b5957343920"`}},
		{[]string{"triggers", "--limit", "1"}, []string{"SUCCESS\tCOMPLETED AT\tPUBLISHED DATA\tINTEGRATION DATA\tTOPIC/ARN\tID\n✓ true\t"}},
		{[]string{"triggers", "--integration", snsID, "--json"}, []string{`"data": 12.117188`, `"messageId"`}},
		{[]string{"triggers", "--integration", "main-solar", "--object", "adc_*"}, []string{"adc_vbterm 12.117188", testTopicARN}},
		{[]string{"triggers", "--object", "charge_state", "--since", "1h"}, []string{"charge_state "}},
		{[]string{"triggers", "--success", "false"}, []string{""}},
		{[]string{"triggers", "--failed", "--json"}, []string{`"triggers": []`}},
		{[]string{"gaps", "--json"}, []string{`"gaps": []`}},
		{[]string{"status", "--check", "--quiet"}, []string{""}},
		{[]string{"check"}, []string{": ok"}},
	} {
		code, stdout, stderr := run1(append(c.args, "--config", config)...)
		for _, want := range c.want {
			if code != cli.ExitDone || !strings.Contains(stdout, want) {
				t.Errorf("%v exits %d, no %q in %s%s", c.args, code, want, stdout, stderr)
			}
		}
	}
	code, _, stderr := run1("triggers", "--integration", "main-moon", "--config", config)
	if want := `no integration "main-moon"; there are: ` + snsID + " main-solar"; code != cli.ExitMisused || !strings.Contains(stderr, want) {
		t.Errorf("triggers of a missing integration exits %d and says %q", code, stderr)
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
	if code, _, stderr := run1("status", "--config", config); code != cli.ExitFailed || !strings.Contains(stderr, "it is not running") {
		t.Errorf("without a daemon status exits %d and says %q", code, stderr)
	}
}

// TestASecondAgentOfOneStoreIsRefusedInOneSentence: the second agent has another socket, so only the store can refuse it.
func TestASecondAgentOfOneStoreIsRefusedInOneSentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	config := w.config("objects: adc_ia", "adc_ia")
	daemon := w.start(config, nil)
	eventually(t, "the first runs", w.listens)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	second := clitest.WriteConfig(t, strings.ReplaceAll(string(text), w.socket(), w.dir+"/b.sock"))
	code, stdout, stderr := run1("run", "--config", second)
	if code != cli.ExitFailed || stdout != "" || strings.Count(stderr, "open ") != 1 {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	clitest.MustHold(t, stderr, "open store "+w.dir+"/state/noi.db: another agent uses it: stop it, or give this one a state_dir of its own")
	if daemon.stop() != cli.ExitDone {
		t.Error("the first did not end well")
	}
}
