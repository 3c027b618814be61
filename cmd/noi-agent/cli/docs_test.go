package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
)

// exampleFamilies is the directory of the example of a user's family.
const exampleFamilies = "../../../docs/families"

// builtIn is a configuration without families of a user.
func builtIn(t *testing.T) string { return clitest.WriteConfig(t, "families_dir: ''\n") }

// TestObjectsDocumentIsTrue is the golden listing of every family.
func TestObjectsDocumentIsTrue(t *testing.T) {
	code, stdout, stderr := run1("objects", "--markdown", "--config", builtIn(t))
	if code != ExitDone {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	clitest.Document(t, "../../..", "objects.md", []byte(stdout))
}

func TestObjectsCommandShowsDoubtAndUsersFamilies(t *testing.T) {
	config := clitest.WriteConfig(t, "families_dir: "+exampleFamilies+"\n")
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"objects", "--family", "GENSTAR"}, []string{"unverified", "not sampled until `encodings` chooses lo_first or hi_first"}},
		{[]string{"objects", "--family", "SURESINE"}, []string{"no product code known: name the model"}},
		{[]string{"objects", "--family", "X200"}, []string{"X200: Example Instruments feeder meter X200", "cos phi", "[sampled only by name]", "[setting: sampled only by name]"}},
		{[]string{"objects", "--family", "TSMPPT", "--json"}, []string{`"read_together": {`, `"encoding": "s16"`, `"unverified": true`}},
		{[]string{"objects", "--family", "TSPWM", "--markdown"}, []string{"`control_state` with `control_mode` 1, `control_state` with `control_mode` 3: 0 START · 1 NORMAL"}},
	} {
		code, stdout, stderr := run1(append(c.args, "--config", config)...)
		for _, want := range c.want {
			if code != ExitDone || !strings.Contains(stdout, want) {
				t.Errorf("%v exits %d (%s), no %q in\n%s", c.args, code, stderr, want, stdout)
			}
		}
	}
	if code, _, stderr := run1("objects", "--markdown", "--json"); code != ExitMisused || !strings.Contains(stderr, "name one") {
		t.Errorf("two formats exit %d: %s", code, stderr)
	}
}

// TestFaultyUsersFamilyIsRefusedWithFileAndLine: run, check and objects print the file and line of a fault in a
// user's family.
func TestFaultyUsersFamilyIsRefusedWithFileAndLine(t *testing.T) {
	dir := t.TempDir()
	text := "family: MINE\nmax_registers: 4\nobjects:\n- {address: 0x0001, name: a, table: input, encoding: f23, interval: 10s}\n"
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config := clitest.WriteConfig(t, "families_dir: "+dir+"\n")
	for _, command := range []string{"run", "check", "objects"} {
		code, _, stderr := run1(command, "--config", config)
		if code != ExitFailed || !strings.Contains(stderr, dir+`/mine.yaml:4: objects[0].encoding: unknown encoding "f23"`) {
			t.Errorf("%s exits %d: %s", command, code, stderr)
		}
	}
}
