package e2e

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
)

// The planted text begins like a formula, and has an element with a script, quotes and a backslash. A cloud's error
// has everything that a terminal or a log could take for its own: escape sequences, a line end, C1 and bidi controls.
const (
	planted        = `=cmd|'calc'!A0 <img src=x onerror=alert(1)> "x\n\`
	plantedControl = planted + "\x1b]52;c;aGk=\x07\nlevel=ERROR msg=forged\r\u009b31m\u202e"
)

// TestPlantedTextIsInertEverywhere: a controller's product code, the name of an integration and a cloud's error are
// attacks. No page, cell of a CSV, command, line of the log or metric executes or forges anything.
func TestPlantedTextIsInertEverywhere(t *testing.T) {
	t.Parallel()
	slave := fixedSlave()
	slave.Identity = &modbustest.Identity{Vendor: planted, Product: planted, Revision: planted}
	w := newWorld(t, slave)
	w.pubsub.SetFault(standin.Always(standin.Fault{Code: "PermissionDenied", Text: plantedControl}))
	path := clitest.WriteConfig(t, fmt.Sprintf(`device_id: 5300520006504b5957343920
state_dir: %s/state
lines:
  - {name: rs485, port: %s, baud: 115200, slaves: [{id: 1, model: PSPWM, objects: adc_vbterm, intervals: {"*": 1s}}]}
integrations:
  - {id: %s, name: %q, type: gcp, objects: all, topic: %s, endpoint: "%s"}
buffer: {commit_every: 50ms}
triggers: {flush_every: 100ms}
clock: {source: system}
status: {listen: "", socket: %s}
`, w.dir, w.pty.Path(), pubsubID, planted, testTopic, w.pubsub.Addr(), w.socket()))
	d := w.start(path, nil)
	eventually(t, "the cloud has refused, and the controller is known", func() bool {
		s := w.status()
		return len(s.Integrations) == 1 && s.Integrations[0].LastError != "" && strings.Contains(string(w.get("/api/v1/status")), `"slave_code_unknown"`) &&
			strings.Contains(string(w.get("/api/v1/triggers")), "PermissionDenied")
	})
	for _, page := range []string{"/", "/values", "/values/rs485/1/adc_vbterm", "/triggers", "/triggers/1", "/integrations/gcp",
		"/integrations/" + pubsubID + "/setup", "/system", "/system/logs", "/system/doctor", "/login"} {
		if text := string(w.get(page)); strings.Contains(text, "<img src=x") || strings.ContainsAny(text, "\x1b\x07\u009b\u202e") {
			t.Errorf("%s executes the text: %s", page, text)
		}
	}
	inertCSV(t, string(w.get("/api/v1/triggers.csv")))
	inertMetrics(t, string(w.get("/metrics")))
	for _, command := range [][]string{{"status"}, {"status", "--verbose"}, {"triggers"}, {"triggers", "show", "1"}, {"logs"}, {"gaps"}, {"deadletters"}} {
		_, stdout, stderr := run1(append(command, "--config", path)...)
		inertText(t, strings.Join(command, " "), stdout+stderr)
		if command[0] != "gaps" && command[0] != "deadletters" && !strings.Contains(stdout, "calc") {
			t.Errorf("%q does not show the text: %s", command, stdout)
		}
	}
	d.stop()
	inertText(t, "the log", d.stderr.String())
	if log := d.stderr.String(); !strings.Contains(log, "calc") || regexp.MustCompile(`(?m)^level=ERROR msg=forged`).MatchString(log) {
		t.Errorf("the log: %s", log)
	}
}

// inertText checks that a text has nothing that a terminal acts upon.
func inertText(t *testing.T, name, text string) {
	t.Helper()
	acts := func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
	}
	for line := range strings.Lines(text) {
		if strings.ContainsFunc(line, acts) || strings.HasPrefix(line, "level=ERROR msg=forged") {
			t.Errorf("%s: %q", name, line)
		}
	}
}

// inertCSV checks that no cell is a formula.
func inertCSV(t *testing.T, text string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%v: %s", err, text)
	}
	number := regexp.MustCompile(`^[-+]?[0-9.]+$`)
	for _, row := range rows[1:] {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) && !number.MatchString(cell) {
				t.Errorf("column %s is a formula: %q", rows[0][i], cell)
			}
		}
		if slave := row[slices.Index(rows[0], "slave")]; !strings.HasPrefix(slave, "'=cmd|") {
			t.Errorf("the product code is %q", slave)
		}
	}
}

// inertMetrics checks that each line has the text format of Prometheus.
func inertMetrics(t *testing.T, text string) {
	t.Helper()
	line := regexp.MustCompile(`^(# (HELP|TYPE) .*|[a-z_]+(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? \S+)\n$`)
	found := 0
	for one := range strings.Lines(text) {
		if !line.MatchString(one) {
			t.Errorf("no line of metrics: %q", one)
		}
		if strings.Contains(one, `=cmd|'calc'!A0 <img src=x onerror=alert(1)> \"x\\n\\`) {
			found++
		}
	}
	if found == 0 {
		t.Error("no label has the text: the test proves nothing")
	}
}
