package e2e

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/sinks/sinktest/standin"
)

// keeping returns a configuration that keeps accepted samples. Every object is sampled once, at the start.
func (w *world) keeping() string {
	w.t.Helper()
	path := w.config(`objects: [adc_vbterm, charge_state, array_fault, Ahc_r], intervals: {"*": 24h}`, "all")
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("commit_every: 50ms"), []byte("commit_every: 50ms, retain_after_ack: 24h"), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

const keptSamples = 4

// startKeeping starts a daemon and waits until both clouds have its samples.
func (w *world) startKeeping(config string) *running {
	w.t.Helper()
	daemon := w.start(config, nil)
	eventually(w.t, "both clouds have the samples and the outbox knows it", func() bool {
		s := w.status()
		return s.Integrations[0].Sent == keptSamples && s.Integrations[1].Sent == keptSamples
	})
	return daemon
}

// comparableOf returns the keys of a sample that a message and an export both have, as one text.
func comparableOf(t *testing.T, raw []byte, id string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if own, ok := m["sample_id"]; ok {
		id = own.(string)
	}
	for _, key := range []string{"published_at", "integration_id", "sample_id", "unit", "seq"} {
		delete(m, key)
	}
	return id + " " + fmt.Sprint(m)
}

// received returns the messages of Pub/Sub, which have sample ids, in the order of these ids.
func (w *world) received() (out []string) {
	for _, m := range w.pubsub.Messages() {
		out = append(out, comparableOf(w.t, m.Body, m.Attributes["sample_id"]))
	}
	slices.Sort(out)
	return out
}

// mustExport runs `noi-agent export` and returns its output and its error output.
func mustExport(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := run1(append([]string{"export"}, args...)...)
	if code != cli.ExitDone {
		t.Fatalf("export %v exits %d: %s", args, code, stderr)
	}
	return stdout, stderr
}

// exportedLines returns the samples of a jsonl export in the form of received.
func exportedLines(t *testing.T, text string) (out []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		out = append(out, comparableOf(t, []byte(line), ""))
	}
	slices.Sort(out)
	return out
}

func TestExportIsWhatTheCloudsReceivedWithAndWithoutADaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	config := w.keeping()
	daemon := w.startKeeping(config)
	asked, how := mustExport(t, "--config", config)
	want := w.received()
	if got := exportedLines(t, asked); !slices.Equal(got, want) || len(got) != keptSamples {
		t.Errorf("exported\n%s\nreceived\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	clitest.MustHold(t, how, "from the daemon at "+w.socket())
	table, _ := mustExport(t, "--format", "csv", "--config", config)
	checkTable(t, table)
	const nothing = "no samples to 2022-06-28T00:00:00Z; accepted samples are kept for 24 h"
	none, hint := mustExport(t, "--to", "2022-06-28", "--config", config)
	if none != "" || !strings.Contains(hint, nothing) {
		t.Errorf("an export of another time: %q, %s", none, hint)
	}
	if daemon.stop() != cli.ExitDone {
		t.Error("the daemon did not end well")
	}
	alone, how := mustExport(t, "--from", "1h", "--json", "--config", config)
	clitest.MustHold(t, how, "no daemon answers: exporting from ", "noi.db")
	if alone != asked {
		t.Errorf("without the daemon:\n%s\nfrom the daemon:\n%s", alone, asked)
	}
}

func checkTable(t *testing.T, text string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != keptSamples+1 {
		t.Fatalf("%d rows, %v:\n%s", len(rows), err, text)
	}
	if got := strings.Join(rows[0], ","); got != "sampled_at,device_id,unit,slave,cc_firmware,fw_version,object,data,sample_id,seq" {
		t.Errorf("columns %s", got)
	}
	data := map[string]string{}
	for _, row := range rows[1:] {
		data[row[6]] = row[7]
		if row[1] != "5300520006504b5957343920" || row[2] != "rs485/1" || row[3] != "PS-PWM-30M" || row[9] != "1" {
			t.Errorf("row %v", row)
		}
	}
	if data["adc_vbterm"] != "12.117188" || data["charge_state"] == "" || len(data) != keptSamples {
		t.Errorf("data %v", data)
	}
}

func TestReplayReachesTheOneCloudMarked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	config := w.keeping()
	daemon := w.startKeeping(config)
	code, stdout, stderr := run1("replay", "--integration", snsID, "--from", "1h", "--config", config)
	if code != cli.ExitDone || stdout != "4 samples sent again to "+snsID+", 0 rejected\n" || stderr != "" {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	checkAgain(t, w.sns.Messages())
	if n := len(w.pubsub.Messages()); n != keptSamples {
		t.Errorf("Pub/Sub, which the command did not name, has %d messages", n)
	}
	code, stdout, stderr = run1("replay", "--integration", "main-pubsub", "--yes", "--json", "--config", config)
	var end struct {
		State string
		Sent  int
	}
	if err := json.Unmarshal([]byte(stdout), &end); err != nil || code != cli.ExitDone || end.State != "done" || end.Sent != keptSamples {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	checkAgain(t, w.pubsub.Messages())
	clitest.MustHold(t, string(w.get("/api/v1/status")), `"sent":4,"failed":0,"dead_letters":0,"dropped":0,"replayed":4`)
	if rows := string(w.get("/api/v1/triggers?limit=500")); strings.Count(rows, `"replayed":true`) != 2*keptSamples {
		t.Errorf("rows: %s", rows)
	}
	if daemon.stop() != cli.ExitDone {
		t.Error("the daemon did not end well")
	}
}

// checkAgain checks that a cloud has every sample twice, the second time with the attribute replayed.
func checkAgain(t *testing.T, messages []standin.Message) {
	t.Helper()
	if len(messages) != 2*keptSamples {
		t.Fatalf("%d messages, want %d", len(messages), 2*keptSamples)
	}
	for i, first := range messages[:keptSamples] {
		again := messages[keptSamples+i]
		if comparableOf(t, again.Body, again.Attributes["sample_id"]) != comparableOf(t, first.Body, first.Attributes["sample_id"]) {
			t.Errorf("%s was sent again as %s", first.Body, again.Body)
		}
		if first.Attributes["replayed"] != "" || again.Attributes["replayed"] != "true" || len(again.Attributes) != len(first.Attributes)+1 {
			t.Errorf("attributes %v, at first %v", again.Attributes, first.Attributes)
		}
	}
}

func TestReplayAndExportSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	config := w.keeping()
	daemon := w.startKeeping(config)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"export", "--from", "yesterday"}, cli.ExitMisused, "--from: want a time as 2022-"},
		{[]string{"export", "--to=-1h"}, cli.ExitMisused, "--to: want a time"},
		{[]string{"export", "--from", "1h", "--to", "2h"}, cli.ExitMisused, "is not before"},
		{[]string{"export", "--format", "xml"}, cli.ExitMisused, "jsonl"},
		{[]string{"replay"}, cli.ExitMisused, "--integration"},
		{[]string{"replay", "--integration", snsID, "--from", "soon"}, cli.ExitMisused, "--from: want"},
		{[]string{"replay", "--integration", snsID, "--from", "1h", "--to", "1h"}, cli.ExitMisused, "is not before"},
		{[]string{"replay", "--integration", "nobody"}, cli.ExitMisused, `no integration "nobody"; there are: `},
		{[]string{"replay", "--integration", snsID}, cli.ExitMisused, "hint: add --yes"},
		{[]string{"replay", "--integration", snsID, "--to", "2022-06-28", "--yes"}, cli.ExitFailed, "holds nothing to 2022-06-28T00:00:00Z that " + snsID + " has accepted"},
	} {
		code, _, stderr := run1(append(c.args, "--config", config)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%v exits %d: %s; want %d and %q", c.args, code, stderr, c.code, c.want)
		}
	}
	args := []string{"replay", "--integration", snsID, "--yes", "--config", config}
	w.checkCutShort(daemon, args)
	if code, _, stderr := run1(args...); code != cli.ExitFailed || !strings.Contains(stderr, "it is not running") {
		t.Errorf("without a daemon: exit %d: %s", code, stderr)
	}
}

func TestReplayWithoutRetentionSaysSo(t *testing.T) {
	w := newWorld(t, fixedSlave())
	config := w.config("objects: adc_vbterm", "all")
	daemon := w.start(config, nil)
	if code, _, stderr := run1("replay", "--integration", snsID, "--yes", "--config", config); code != cli.ExitFailed || !strings.Contains(stderr, "accepted samples are not kept: set buffer.retain_after_ack") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if daemon.stop() != cli.ExitDone {
		t.Error("the daemon did not end well")
	}
}

// checkCutShort makes a replay fail, and ends the daemon during a replay.
func (w *world) checkCutShort(daemon *running, args []string) {
	w.t.Helper()
	w.sns.SetFault(standin.Always(standin.SNSDenied(testTopicARN)))
	type end struct {
		code           int
		stdout, stderr string
	}
	ended := make(chan end, 1)
	go func() {
		code, stdout, stderr := run1(args...)
		ended <- end{code, stdout, stderr}
	}()
	eventually(w.t, "the replay is tried", func() bool { return w.status().Integrations[0].State == "waiting" })
	if daemon.stop() != cli.ExitDone {
		w.t.Error("the daemon did not end well")
	}
	if e := <-ended; e.code != cli.ExitFailed || !strings.Contains(e.stderr, "cut short") || !strings.Contains(e.stderr, "; 0 samples were sent again") || e.stdout != "" {
		w.t.Errorf("when the daemon ends: exit %d: %s%s", e.code, e.stdout, e.stderr)
	}
}

// If a daemon stops during an export, the incomplete output must not look complete.
func TestExportThatBreaksOffFails(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "a.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan http.HandlerFunc, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			(<-answers)(w, r)
		}
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	config := clitest.WriteConfig(t, fmt.Sprintf("state_dir: %s\nstatus: {listen: '', socket: %s}\n", dir, socket))
	for want, answer := range map[string]http.HandlerFunc{
		"is not complete": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "{}\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"may not be complete": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}\n") },
	} {
		answers <- answer
		code, stdout, stderr := run1("export", "--config", config)
		if code != cli.ExitFailed || stdout != "{}\n" || !strings.Contains(stderr, want) {
			t.Errorf("exit %d: %s%s, want %q", code, stdout, stderr, want)
		}
	}
}

func TestExportWithoutDaemonAndStoreSaysBoth(t *testing.T) {
	dir := t.TempDir()
	config := clitest.WriteConfig(t, fmt.Sprintf("state_dir: %s\nstatus: {listen: '', socket: %s}\n", dir, filepath.Join(dir, "a.sock")))
	code, _, stderr := run1("export", "--config", config)
	if code != cli.ExitFailed {
		t.Errorf("exit %d", code)
	}
	clitest.MustHold(t, stderr, "noi.db: no such file", "it is not running")
}
