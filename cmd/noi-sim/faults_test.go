package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

// fault runs `noi-sim fault` for the world of a trial.
func (r *trial) fault(words string) (code int, stderr string) {
	r.t.Helper()
	out, errs := newOutput(), newOutput()
	code = run(append(strings.Fields("fault "+words), "--dir", r.dir), out, errs, nil)
	return code, errs.String()
}

// read reads the battery voltage at a baud rate.
func (r *trial) read(baud int) error { return r.readAt(baud, parityNone) }

func (r *trial) readAt(baud int, parity string) error {
	r.t.Helper()
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: filepath.Join(r.dir, linkName), Baud: baud, Parity: parity}})
	if err := line.Open(); err != nil {
		r.t.Fatal(err)
	}
	_, err := line.Read(r.t.Context(), unitID, 0x04, 0x0012, 1)
	return errors.Join(err, line.Close())
}

// TestAWorldWithoutACommandSaysWhatAnAgentNeeds: it prints an environment and a configuration to copy, which are
// valid unchanged. Ctrl-C ends it.
func TestAWorldWithoutACommandSaysWhatAnAgentNeeds(t *testing.T) {
	r := begin(t, []string{"--baud", "19200", "--slaves", "1=PSPWM,2=TSMPPT"})
	r.stderr.await(t, "noi-sim fault --help")
	text := r.stderr.String()
	for _, want := range []string{"export AWS_ACCESS_KEY_ID='STANDINKEY", "export PUBSUB_EMULATOR_HOST='127.0.0.1:", "noi-agent run --config sim.yaml"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	yaml := regexp.MustCompile(`(?s)<<'EOF'\n(.*?)EOF\n`).FindStringSubmatch(text)
	if yaml == nil {
		t.Fatalf("no configuration in\n%s", text)
	}
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	config, faults := configs.Parse([]byte(yaml[1]), catalog)
	if len(faults) > 0 || config.Lines[0].Baud != 19200 || len(config.Lines[0].Slaves) != 2 || len(config.Integrations) != 2 {
		t.Errorf("%v: %s", faults, yaml[1])
	}
	r.interrupt()
	r.wantEnd(0)
	if _, err := os.Stat(filepath.Join(r.dir, socketName)); err == nil {
		t.Error("the control socket still exists")
	}
}

// TestAWrongBaudRateGivesGarbage: the right rate gives a reply, as on a real line.
func TestAWrongBaudRateGivesGarbage(t *testing.T) {
	r := begin(t, []string{"--baud", "115200"})
	r.stderr.await(t, "noi-sim fault --help")
	if err := r.read(57600); !errors.Is(err, modbus.ErrFrame) && !errors.Is(err, modbus.ErrTimeout) {
		t.Errorf("at another rate: %v", err)
	}
	if err := r.read(115200); err != nil {
		t.Errorf("at the line's rate: %v", err)
	}
	r.interrupt()
	r.wantEnd(0)
}

// TestAtAWrongParityNoControllerAnswers: the right parity gives a reply.
func TestAtAWrongParityNoControllerAnswers(t *testing.T) {
	for _, line := range parities() {
		r := begin(t, []string{"--baud", "115200", "--parity", line})
		r.stderr.await(t, "noi-sim fault --help")
		if advised := strings.Contains(r.stderr.String(), "parity: "+line); advised == (line == parityNone) {
			t.Errorf("the configuration for parity %s:\n%s", line, r.stderr)
		}
		for _, port := range parities() {
			switch err := r.readAt(115200, port); {
			case port == line && err != nil, port != line && !errors.Is(err, modbus.ErrTimeout):
				t.Errorf("parity %s on a line with %s: %v", port, line, err)
			}
		}
		r.interrupt()
		r.wantEnd(0)
	}
}

// TestTwoControllersWithOneUnitIDGiveGarbage: another unit on the line is read. The configuration to copy has the unit
// id once.
func TestTwoControllersWithOneUnitIDGiveGarbage(t *testing.T) {
	r := begin(t, []string{"--baud", "115200", "--slaves", "1=PSPWM,2=PSPWM,2=PSPWM"})
	r.stderr.await(t, "noi-sim fault --help")
	if n := strings.Count(r.stderr.String(), "{id: 2, "); n != 1 {
		t.Errorf("unit 2 is %d times in\n%s", n, r.stderr)
	}
	if err := r.read(115200); err != nil {
		t.Errorf("unit 1: %v", err)
	}
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: filepath.Join(r.dir, linkName), Baud: 115200}})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := line.Read(t.Context(), 2, 0x04, 0x0012, 1); !errors.Is(err, modbus.ErrFrame) {
		t.Errorf("unit 2: %v", err)
	}
	if err := line.Close(); err != nil {
		t.Error(err)
	}
	r.interrupt()
	r.wantEnd(0)
}

func TestFaultsOfTheLineComeAndGo(t *testing.T) {
	r := begin(t, []string{"--baud", "115200"})
	r.stderr.await(t, "noi-sim fault --help")
	for _, c := range []struct {
		words string
		want  error
	}{{"line silent", modbus.ErrTimeout}, {"line garbage --unit 1", modbus.ErrFrame}, {"line slow", nil}, {"line ok", nil}} {
		if code, stderr := r.fault(c.words); code != 0 {
			t.Fatalf("%s exits %d: %s", c.words, code, stderr)
		}
		err := r.read(115200)
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) && !errors.Is(err, modbus.ErrTimeout) {
			t.Errorf("%s: %v", c.words, err)
		}
	}
	for _, words := range []string{"line melt", "line ok --unit 9", "cloud rain ok", "cloud sns wet"} {
		if code, stderr := r.fault(words); code != 2 || stderr == "" {
			t.Errorf("%s exits %d: %s", words, code, stderr)
		}
	}
	r.interrupt()
	r.wantEnd(0)
}

func TestACloudStopsAndComesBack(t *testing.T) {
	r := begin(t, nil)
	r.stderr.await(t, "noi-sim fault --help")
	url := regexp.MustCompile(`AWS_ENDPOINT_URL_SNS='([^']*)'`).FindStringSubmatch(r.stderr.String())[1]
	reached := func() bool {
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		return answer.Body.Close() == nil
	}
	for _, c := range []struct {
		words string
		up    bool
	}{{"cloud sns stop", false}, {"cloud pubsub stop", false}, {"cloud all ok", true}, {"cloud all refuse", true}} {
		if code, stderr := r.fault(c.words); code != 0 {
			t.Fatalf("%s exits %d: %s", c.words, code, stderr)
		}
		if reached() != c.up {
			t.Errorf("%s: reached %t", c.words, !c.up)
		}
	}
	r.interrupt()
	r.wantEnd(0)
}

func TestEachFaultOfACloudIsThatFault(t *testing.T) {
	f := newFaults()
	for word, want := range map[string][2]string{faultRefuse: {"AuthorizationError", "PermissionDenied"}, faultReject: {"InvalidParameter", "InvalidArgument"}} {
		f.sns, f.pubsub = word, word
		if sns, pubsub := f.ofSNS(), f.ofPubSub(); sns.Code != want[0] || pubsub.Code != want[1] {
			t.Errorf("%s: %+v %+v", word, sns, pubsub)
		}
	}
	if f.sns, f.pubsub = faultOK, faultOK; f.ofSNS() != nil || f.ofPubSub() != nil {
		t.Error("a fault without a cause")
	}
}
