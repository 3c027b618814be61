package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
)

// run1 runs one command line. It returns the exit code and the output.
func run1(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	p := &Program{Stdout: &out, Stderr: &errs, Version: "1.0.10", Now: time.Now, Signals: Signals, Hangups: Hangups, Notify: func(string) {}}
	code = p.Run(args)
	return code, out.String(), errs.String()
}

// TestFaultyConfigurationIsRefusedWithLineAndWayOut has one frequent fault of each kind. package configs tests all
// faults.
func TestFaultyConfigurationIsRefusedWithLineAndWayOut(t *testing.T) {
	const line = "lines:\n  - {name: a, port: /dev/ttyUSB0, slaves: [{id: 1, model: %s}]}\n"
	for name, c := range map[string]struct{ text, want string }{
		"unknown model":     {fmt.Sprintf(line, "PS-XYZ"), `:2: lines[0].slaves[0].model: no family and no product code known as "PS-XYZ"`},
		"unknown key":       {"stat_dir: /x\n", ":1: stat_dir: unknown key; did you mean state_dir?"},
		"malformed topic":   {"integrations:\n  - {type: gcp, topic: nope/nope}\n", ":2: integrations[0].topic: want projects/PROJECT/topics/NAME"},
		"region and ARN":    {"integrations:\n  - {type: aws, topic_arn: \"arn:aws:sns:us-east-2:393221637266:M\", region: eu-west-1}\n", ":2: integrations[0].region: "},
		"leading zero":      {"lines:\n  - {name: a, port: /dev/ttyUSB0, baud: 09600}\n", ":2: lines[0].baud: 09600 has a leading zero"},
		"second document":   {"device_id: 5300520006504b5957343920\n---\nx: 1\n", ":"},
		"nothing like YAML": {"\t{", ":"},
	} {
		t.Run(name, func(t *testing.T) {
			path := clitest.WriteConfig(t, c.text)
			for _, command := range []string{"check", "run"} {
				code, stdout, stderr := run1(command, "--config", path)
				if code != ExitFailed || !strings.Contains(stdout+stderr, path+c.want) {
					t.Errorf("%s exits %d and says %q %q; want %q", command, code, stdout, stderr, path+c.want)
				}
			}
		})
	}
}

func TestMisuseExitsWithTwo(t *testing.T) {
	for _, args := range [][]string{{}, {"fly"}, {"run", "--speed"}, {"triggers", "--success", "maybe"}} {
		if code, _, stderr := run1(args...); code != ExitMisused || !strings.Contains(stderr, "--help") {
			t.Errorf("%v exits %d and says %q", args, code, stderr)
		}
	}
	if code, stdout, _ := run1("--help"); code != ExitDone || !strings.Contains(stdout, "Usage: noi-agent") {
		t.Errorf("--help exits %d and prints %q", code, stdout)
	}
}

func TestMissingConfigurationIsNamed(t *testing.T) {
	code, _, stderr := run1("run", "--config", "/nonexistent/config.yaml")
	if code != ExitFailed || !strings.Contains(stderr, "/nonexistent/config.yaml") || !strings.Contains(stderr, "--config") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestObjectsListsFamiliesAndIntervals(t *testing.T) {
	code, stdout, _ := run1("objects")
	for _, want := range []string{"PSPWM: Morningstar ProStar PWM", "0x0012\tadc_vbterm\t", "not sampled until `encodings` chooses f16 or u16"} {
		if code != ExitDone || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s", code, want, stdout)
		}
	}
	code, stdout, _ = run1("objects", "--json", "--family", "PSPWM")
	if code != ExitDone {
		t.Errorf("exit %d", code)
	}
	clitest.Golden(t, "objects-listing.json", []byte(stdout))
	if code, _, stderr := run1("objects", "--family", "PSPWN"); code != ExitMisused || !strings.Contains(stderr, "PSPWM") {
		t.Errorf("an unknown family exits %d and says %q", code, stderr)
	}
}
