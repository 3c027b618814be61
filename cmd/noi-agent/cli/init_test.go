package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/configs"
	"noi-agent/objects"
)

// TestInitWithoutTerminalNamesTheMissingFlags: without a terminal, init asks nothing, and prints the missing flags.
func TestInitWithoutTerminalNamesTheMissingFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	code, stdout, stderr := run1("init", "--config", file)
	if code != ExitMisused || stdout != "" || stderr != "noi-agent: without a terminal nothing is asked; missing: --port, --topic (or --cloud none)\n"+
		"hint: noi-agent init --help\n" {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	for args, want := range map[string]string{
		"--port /dev/ttyUSB0 --cloud azure":                                                                           `--cloud: want aws, gcp or none, not "azure"`,
		"--port /dev/ttyUSB0 --topic arn:aws:sqs:x --slave 1:PSPWM":                                                   "--topic: want the ARN of a topic",
		"--port /dev/ttyUSB0 --cloud none --slave 1":                                                                  `--slave: want ID:MODEL, such as 1:PSPWM, not "1"`,
		"--port /dev/ttyUSB0 --cloud none --slave 1:PSPWN":                                                            "--slave: no family and no product code known as \"PSPWN\"",
		"--port /dev/ttyUSB0 --topic projects/test-project/topics/MainSolarData --slave 1:PSPWM --objects adc_vbtrem": "did you mean adc_vbterm?",
		"--port /dev/ttyUSB0 --topic projects/test-project/topics/MainSolarData --slave 1:PSPWM --collect soon":       `--collect: want a time such as 15m, not "soon"`,
	} {
		code, stdout, stderr := run1(append(strings.Fields(args), "init", "--config", file, "--no-test")...)
		if code != ExitMisused || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s exits %d: %s%s; want %s", args, code, stdout, stderr, want)
		}
	}
	code, _, stderr = run1("init", "--config", filepath.Join(filepath.Dir(file), "absent", "c.yaml"), "--port", "/dev/ttyUSB0", "--cloud", "none")
	if code != ExitFailed || !strings.Contains(stderr, "absent: no such file or directory") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestInitProposesForEveryFamily: the proposal for each family is valid, and two equal controllers get different
// names.
func TestInitProposesForEveryFamily(t *testing.T) {
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range catalog.Families() {
		code, stdout, stderr := run1("init", "--dry-run", "--no-test", "--port", "tcp://10.0.0.7", "--topic", "projects/test-project/topics/MainSolarData",
			"--slave", "1:"+f.Slug, "--slave", "2:"+f.Slug, "--intervals", "5m", "--collect", "15m", "--envelope", "batch")
		if code != ExitDone {
			t.Errorf("%s: exit %d: %s", f.Slug, code, stderr)
			continue
		}
		config, faults := configs.Parse([]byte(stdout), catalog)
		if len(faults) > 0 || len(config.Notices()) > 0 {
			t.Errorf("%s: %v %v\n%s", f.Slug, faults, config.Notices(), stdout)
		}
		if in := config.Integrations[0]; in.PublishEvery != 15*time.Minute || in.Envelope != configs.EnvelopeBatch {
			t.Errorf("%s: %+v", f.Slug, in)
		}
	}
}

// TestInitSendsWhatItWasTold compares two whole files with files that a person has checked.
func TestInitSendsWhatItWasTold(t *testing.T) {
	p := func(args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		program := &Program{Stdout: &out, Stderr: &errs, Version: "1.0.10", Now: func() time.Time { return siteNow }, Signals: Signals}
		if code := program.Run(append([]string{"init", "--dry-run", "--no-test"}, args...)); code != ExitDone {
			t.Fatalf("exit %d: %s", code, &errs)
		}
		return out.String() + "--- on the screen\n" + errs.String()
	}
	clitest.Golden(t, "init.txt", []byte(
		p("--port", "/dev/ttyUSB0", "--cloud", "none", "--slave", "1:PSPWM", "--baud", "19200", "--parity", "even", "--stop-bits", "1")+
			"\n=== \n"+
			p("--port", "/dev/ttyUSB0", "--topic", clitest.TopicARN, "--slave", "1:PSPWM:battery-shed", "--slave", "2:TSMPPT", "--when", "change",
				"--objects", "all", "--intervals", "T_*=10m,adc_vbterm=10s", "--profile", "noi", "--state-dir", "/data/noi", "--listen", "127.0.0.1:8800")))
}
