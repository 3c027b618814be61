package e2e

import (
	"os"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
)

const tristarSays = "the controller says PS-PWM-30M (PSPWM), the configuration says TSPWM"

// wrongModel is a configuration with a TriStar where a ProStar answers.
func wrongModel(w *world, more string) string {
	return replaceIn(w, w.config(more, "adc_vb_f"), "model: PSPWM", "model: TSPWM")
}

func replaceIn(w *world, path, old, with string) string {
	w.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return clitest.WriteConfig(w.t, strings.Replace(string(text), old, with, 1))
}

// The registers have another meaning, so no value is printed, with or without the daemon.
func TestReadRefusesValuesOfAnotherFamily(t *testing.T) {
	w := newWorld(t, fixedSlave())
	config := wrongModel(w, "objects: adc_vb_f")
	read := func(where string) {
		code, stdout, stderr := run1("read", "adc_vb_f", "0x0012", "--config", config)
		if code != cli.ExitFailed || !strings.Contains(stderr, "adc_vb_f: "+tristarSays) || !strings.Contains(stderr, "model_check: ignore") {
			t.Errorf("%s: exit %d: %s", where, code, stderr)
		}
		if strings.Contains(stdout, "adc_vb_f") || !strings.Contains(stdout, "0x4A0F") {
			t.Errorf("%s: want the raw register and no value:\n%s", where, stdout)
		}
	}
	read("alone")
	code, stdout, stderr := run1("read", "adc_vb_f", "--config", config, "--model", "TSPWM")
	if code != cli.ExitDone || !strings.Contains(stderr, "warning: the controller says PS-PWM-30M (PSPWM), --model says TSPWM") || !strings.Contains(stdout, "adc_vb_f") {
		t.Errorf("with --model: exit %d: %s%s", code, stdout, stderr)
	}
	daemon := w.start(config, nil)
	eventually(t, "the daemon knows", func() bool {
		return len(w.problems()) == 1 && w.problems()[0].Code == "slave_wrong_model"
	})
	read("of the daemon")
	_, stdout, _ = run1("status", "--config", config)
	clitest.MustHold(t, stdout, "✗ PS-PWM-30M at rs485/1 is of another family", tristarSays, "✗ wrong model")
	if daemon.stop() != cli.ExitDone || w.sns.Taken() != 0 || w.pubsub.Taken() != 0 {
		t.Errorf("%d and %d messages were published", w.sns.Taken(), w.pubsub.Taken())
	}
	if !strings.Contains(daemon.stderr.String(), tristarSays) {
		t.Error("the log does not report it")
	}
	ignoring := replaceIn(w, config, "model: TSPWM", "model: TSPWM, model_check: ignore")
	if code, _, stderr := run1("read", "adc_vb_f", "--config", ignoring); code != cli.ExitDone {
		t.Errorf("model_check: ignore: exit %d: %s", code, stderr)
	}
}

func TestScanOfALineComparesWithTheConfiguration(t *testing.T) {
	w := newWorld(t, fixedSlave())
	config := wrongModel(w, "objects: adc_vb_f")
	code, stdout, stderr := run1("scan", "--config", config, "--units", "1", "--timeout", "2s")
	if code != cli.ExitDone || !strings.Contains(stdout, "FAULT: unit 1: "+tristarSays) {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}
