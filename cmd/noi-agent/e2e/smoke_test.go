package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"noi-agent/modbus/modbustest"
)

// TestRealBinariesDoWhatMakeRunDoes runs the built daemon under the built noi-sim with the demo configuration, on
// other ports. Both clouds get each of the demo's objects. Ctrl-C ends all programs cleanly, with a summary.
func TestRealBinariesDoWhatMakeRunDoes(t *testing.T) {
	t.Parallel()
	cmd, lines, errs := startDemo(t, "demo.yaml")
	seen, summary := map[string]map[string]bool{}, ""
	for asked := false; lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "{") {
			summary += lines.Text() + "\n"
			continue
		}
		var m struct {
			Integration string `json:"integration_id"`
			Object      string
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Errorf("%s: %v", lines.Text(), err)
		}
		if seen[m.Integration] == nil {
			seen[m.Integration] = map[string]bool{}
		}
		seen[m.Integration][m.Object] = true
		if !asked && whole(seen) {
			asked = true
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("noi-sim ended with %v:\n%s", err, errs)
	}
	for _, want := range []string{"samples read", "demo-sns", "demo-pubsub", "errors         none"} {
		if !strings.Contains(summary, want) {
			t.Errorf("no %q in the summary:\n%s%s", want, summary, errs)
		}
	}
}

// startDemo runs the built daemon under the built noi-sim with an example configuration, on other ports, in its own
// directory. It has read the first line of the output, with the address of the status page.
func startDemo(t *testing.T, example string, options ...string) (cmd *exec.Cmd, lines *bufio.Scanner, errs *lockedBuffer) {
	t.Helper()
	agent, sim := buildBinary(t, ".."), buildBinary(t, "../../noi-sim")
	demo, err := os.ReadFile(filepath.Join("../../../configs", example))
	if err != nil {
		t.Fatal(err)
	}
	dir, sns, pubsub, page := t.TempDir(), modbustest.FreeAddress(t), modbustest.FreeAddress(t), modbustest.FreeAddress(t)
	text := strings.NewReplacer("127.0.0.1:4100", sns, "127.0.0.1:8085", pubsub, "127.0.0.1:8780", page).Replace(string(demo))
	if err := os.WriteFile(filepath.Join(dir, "demo.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"run", "--sns", sns, "--pubsub", pubsub, "--status", page}, options...)
	cmd = exec.Command(sim, append(args, "--", agent, "run", "--config", "demo.yaml")...)
	cmd.Dir, errs = dir, &lockedBuffer{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines = bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), "http://"+page) {
		t.Errorf("the first line is %q, want the status page's address", lines.Text())
	}
	return cmd, lines, errs
}

// TestRealBinariesTellFamiliesApart runs three controllers on one line, and the agent finds out their models. The
// messages of each have its product code, firmware and family. A forced fault of one of them arrives under its name.
func TestRealBinariesTellFamiliesApart(t *testing.T) {
	t.Parallel()
	cmd, lines, errs := startDemo(t, "demo-many.yaml", "--slaves", "1=PSPWM,2=TSMPPT,5=SSMPPT", "--fault", "2/fault:rts_shorted@0s")
	want := map[string]bool{
		`adc_vbterm PS-PWM-30M v01.04.06 PSPWM`: true, `array_fault [] PS-PWM-30M v01.04.06 PSPWM`: true,
		`adc_vb_f_med TS-MPPT-60 v01.01.25 TSMPPT`: true, `fault ["rts_shorted"] TS-MPPT-60 v01.01.25 TSMPPT`: true,
		`charge_state "FAULT" TS-MPPT-60 v01.01.25 TSMPPT`: true, `Adc_vb_f SS-MPPT-15L v01.01.10 SSMPPT`: true,
	}
	summary := ""
	for left := len(want); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "{") {
			summary += lines.Text() + "\n"
			continue
		}
		delete(want, origin(t, lines.Bytes()))
		if len(want) == 0 && left > 0 {
			left = 0
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("noi-sim ended with %v:\n%s", err, errs)
	}
	for _, part := range []string{"unit 1, PSPWM: ", "unit 2, TSMPPT: ", "unit 5, SSMPPT: ", "errors         none"} {
		if !strings.Contains(summary, part) {
			t.Errorf("no %q in the summary:\n%s%s", part, summary, errs)
		}
	}
}

// origin describes the origin of a message, and its value if this is not a voltage.
func origin(t *testing.T, message []byte) string {
	t.Helper()
	var m struct {
		Object, Slave string
		Data          json.RawMessage
		Firmware      string `json:"cc_firmware"`
		Version       string `json:"fw_version"`
	}
	if err := json.Unmarshal(message, &m); err != nil {
		t.Fatalf("%s: %v", message, err)
	}
	family, _, _ := strings.Cut(m.Version, " ")
	words := []string{m.Object, string(m.Data), m.Slave, m.Firmware, family}
	if m.Data[0] != '[' && m.Data[0] != '"' {
		words = slices.Delete(words, 1, 2)
	}
	return strings.Join(words, " ")
}

// whole reports whether two integrations have each of the demo's six objects.
func whole(seen map[string]map[string]bool) bool {
	n := 0
	for _, got := range seen {
		if len(got) == 6 {
			n++
		}
	}
	return n == 2
}
