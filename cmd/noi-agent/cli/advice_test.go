package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// TestAdvisedCommandsKeepTheirDaemon: the commands in a text get the flags that this command line has. Texts in which
// noi-agent is the service, the user or the group stay unchanged.
func TestAdvisedCommandsKeepTheirDaemon(t *testing.T) {
	_, cli := testProgram(t).root()
	const text = "`sudo -u noi-agent -H noi-agent publish-test x`; noi-agent setup aws x && noi-agent reload"
	if got := cli.advised(text); got != text {
		t.Errorf("with the default configuration: %s", got)
	}
	cli.Config = "my gateway.yaml"
	want := "`sudo -u noi-agent -H noi-agent publish-test --config 'my gateway.yaml' x`; " +
		"noi-agent setup aws --config 'my gateway.yaml' x && noi-agent reload --config 'my gateway.yaml'"
	if got := cli.advised(text); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, text := range []string{
		"sudo systemctl start noi-agent     (log: journalctl -u noi-agent -n 50)", "noi-agent status --help",
		"noi-agent check --config other.yaml", "sudo systemctl restart noi-agent", "the user noi-agent owns it",
	} {
		if got := cli.advised(text); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
	if got := cli.advised("make one with `noi-agent init`, or use --config FILE"); !strings.Contains(got, "init --config 'my gateway.yaml'`, or") {
		t.Error(got)
	}
	cli.Socket = "a.sock"
	if got := cli.advised("noi-agent gaps"); got != "noi-agent gaps --config 'my gateway.yaml' --socket a.sock" {
		t.Error(got)
	}
}

// TestHintsAreForTheConfigurationThatWasGiven: each place that prints a command keeps --config.
func TestHintsAreForTheConfigurationThatWasGiven(t *testing.T) {
	socket := servedSite(t)
	_, stdout, _ := run1("status", "--socket", socket)
	for line := range strings.Lines(stdout) {
		if strings.Contains(line, "noi-agent ga") || strings.Contains(line, "noi-agent reload") {
			if !strings.Contains(line, "--socket "+socket) {
				t.Errorf("not for this daemon: %s", line)
			}
		}
	}
	_, stdout, _ = run1("doctor", "--socket", socket)
	if !strings.Contains(stdout, "try: noi-agent status --socket "+socket+" --verbose") {
		t.Errorf("doctor:\n%s", stdout)
	}
}

func TestANumberStaysWithItsUnit(t *testing.T) {
	if got, want := wrapped("it takes about 12 ms, or 3 s", 16), "it takes about\n12 ms, or 3 s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := wrapped("12 of 13 things", 9), "12 of 13\nthings"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAdvisedCommandsQuoteNames: a file and an integration may have a blank in their names.
func TestAdvisedCommandsQuoteNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "my gateway.yaml")
	code, _, stderr := run1("init", "--config", file, "--port", "/dev/ttyUSB0", "--slave", "1:PSPWM", "--cloud", "none", "--no-test")
	if code != ExitDone || !strings.Contains(stderr, "noi-agent run --config '"+file+"'") {
		t.Errorf("init exits %d: %s", code, stderr)
	}
	var out strings.Builder
	_, cli := testProgram(t).root()
	in := &api.Integration{ID: "a", Name: "main solar", Gaps: make([]api.Gap, wording.NewestGaps+1)}
	(&statusPage{s: &api.Status{}, cli: cli}).printIntegration(&out, in)
	if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), "noi-agent gaps --integration 'main solar'") {
		t.Error(out.String())
	}
}
