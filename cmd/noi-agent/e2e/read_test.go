package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
)

// energySlave is fixedSlave with 80 kWh as half precision in kWhc_r, with 6553.6 Ah at 12.117 V, and without the
// register 0x9000.
func energySlave() *modbustest.Slave {
	s := fixedSlave()
	s.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
		regs, code := fixedRegisters(function, addr, count)
		for i := range regs {
			switch addr + uint16(i) {
			case 0x002A:
				regs[i] = 0x5500
			case 0x9000:
				return nil, modbustest.IllegalAddress
			}
		}
		return regs, code
	}
	return s
}

// mustRead runs `noi-agent read` and returns its output. It fails the test if the command fails.
func mustRead(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := run1(append([]string{"read"}, args...)...)
	if code != cli.ExitDone || stderr != "" {
		t.Fatalf("read %v exits %d: %s%s", args, code, stdout, stderr)
	}
	return stdout
}

var everyKind = []string{"adc_vbterm", "charge_state", "array_fault", "load_fault", "T_rts", "serial_number", "0x0011+2"}

func TestReadPrintsValuesWithWhereTheyComeFrom(t *testing.T) {
	w := newWorld(t, energySlave())
	config := w.config("objects: adc_ia", "adc_ia")
	text := mustRead(t, append(everyKind, "--config", config)...)
	clitest.MustHold(t, text,
		"adc_vbterm\t12.117188\tV\trs485/1\t0x4A0F\t04 0x0012\t20", // 20 is the begin of the year of a time
		"charge_state\tFLOAT\t", "clear", "03 0xE080",
		"T_rts holds no value: ",
		"function 04, 0x0011+2, 20",
		"ADDRESS\tHEX\tU16\tS16\tF16\tASCII\tU32\t",
		"0x0012\t0x4A0F\t18959\t18959\t12.11719\t-",
	)
}

// The answers with and without the daemon are equal.
func TestReadAsksTheDaemonThatOwnsThePort(t *testing.T) {
	w := newWorld(t, energySlave())
	config := w.config("objects: adc_ia", "adc_ia")
	args := append([]string{"--json", "--config", config, "kWhc_r"}, everyKind...)
	alone := readJSON(t, mustRead(t, args...))
	daemon := w.start(config, nil)
	eventually(t, "the line is open", func() bool { return w.status().Lines[0].State == "ok" })
	asked := readJSON(t, mustRead(t, args...))
	if daemon.stop() != cli.ExitDone {
		t.Error("the daemon did not end well")
	}
	if !strings.Contains(daemon.stderr.String(), "agent stopped") || alone == "" || alone != asked {
		t.Errorf("without the daemon:\n%s\nfrom the daemon:\n%s", alone, asked)
	}
}

// readJSON returns the JSON output without its times.
func readJSON(t *testing.T, text string) string {
	t.Helper()
	var r struct{ Objects, Registers []json.RawMessage }
	if err := json.Unmarshal([]byte(strings.ReplaceAll(text, `"value"`, `"_"`)), &r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	lines := strings.Split(text, "\n")
	kept := lines[:0]
	for _, l := range lines {
		if !strings.Contains(l, `"sampled_at"`) {
			kept = append(kept, l)
		}
	}
	if len(kept) != len(lines)-len(r.Objects)-len(r.Registers) {
		t.Errorf("not every value has a time in %s", text)
	}
	return strings.Join(kept, "\n")
}

func TestReadShowsEveryEncodingAndWhichIsPlausible(t *testing.T) {
	w := newWorld(t, energySlave())
	text := mustRead(t, "kWhc_r", "--config", w.config("objects: adc_ia, encodings: {kWhc_r: u16}", "adc_ia"))
	clitest.MustHold(t, text,
		"kWhc_r\t2176\tkWh\trs485/1\t0x5500",
		"the slave's `encodings` have chosen u16 for kWhc_r, which its sources dispute:\n",
		"encodings: {kWhc_r: f16}  80 kWh    plausible, 1.01 of what Ah and V make",
		"encodings: {kWhc_r: u16}  2176 kWh  not plausible, 27.4 of what Ah and V make, chosen",
		"Ahc_r × adc_vbterm / 1000 = 6553.6 Ah × 12.12 V / 1000 = 79.4112 kWh",
	)
	if strings.Contains(text, "not sampled until") {
		t.Errorf("after the choice of an encoding:\n%s", text)
	}
	unchosen := w.config("objects: adc_ia", "adc_ia")
	clitest.MustHold(t, mustRead(t, "kWhc_r", "--config", unchosen), "kWhc_r is not sampled until the slave's `encodings` choose one of these:\n")
	text = mustRead(t, "kWhc_r", "--json", "--config", unchosen)
	var got struct {
		Objects []struct {
			Value      *float64
			Registers  []string
			Expected   struct{ Value float64 }
			Candidates []struct {
				Encoding string
				Value    float64
				Ratio    float64
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	o := got.Objects[0]
	if o.Value != nil || o.Registers[0] != "0x5500" || len(o.Candidates) != 2 || o.Candidates[0].Value != 80 || o.Candidates[1].Ratio < 27 || o.Expected.Value < 79 {
		t.Errorf("%s", text)
	}
}

// A technician with a laptop need not have a configuration.
func TestReadWithAPortNeedsNoConfiguration(t *testing.T) {
	pty := modbustest.MustServe(t, 115200, 11, energySlave())
	const none = "/nonexistent/config.yaml"
	for _, args := range [][]string{
		{"--model", "PSPWM", "--unit", "1"},
		{"--model", "PS-PWM-30M"},
		{}, // the controller identifies itself
	} {
		args = append(args, "adc_vbterm", "--port", pty.Path(), "--baud", "115200", "--timeout", "300ms", "--config", none)
		clitest.MustHold(t, mustRead(t, args...), "12.117188", "0x4A0F")
	}
	tcp := modbustest.ServeTCP(t, energySlave())
	clitest.MustHold(t, mustRead(t, "adc_vbterm", "--port", "tcp://"+tcp, "--config", none), "12.117188")
}

func TestReadDecodesRegistersInEveryWayThatMakesSense(t *testing.T) {
	s := fixedSlave()
	s.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
		image := map[uint16]uint16{0x0100: 0x4148, 0x0101: 0x0000, 0x0102: 0xFFFE, 0x0103: 0x7E00, 0x0104: 0x5053}
		if function == 0x03 {
			image = map[uint16]uint16{0x0100: 0x5350}
		}
		regs := make([]uint16, count)
		for i := range regs {
			regs[i] = image[addr+uint16(i)]
		}
		return regs, 0
	}
	pty := modbustest.MustServe(t, 115200, 11, s)
	port := []string{"--port", pty.Path(), "--baud", "115200", "--json"}
	var got cli.ReadResult
	text := mustRead(t, append([]string{"0x0100-0x0103", "0x0104"}, port...)...)
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	rows := got.Registers[0].Registers
	if p := rows[0].Pair; len(rows) != 4 || *p.F32 != 12.5 || p.U32 != 0x41480000 || p.U32LO != 0x4148 || rows[3].Pair != nil {
		t.Errorf("%s", text)
	}
	if r := rows[2]; r.S16 != -2 || r.U16 != 65534 || r.F16 != nil || r.ASCII != "" || r.Pair.S32 != -98816 || r.Pair.S32LO != 2113994750 {
		t.Errorf("%+v %+v", r, r.Pair)
	}
	if r := rows[3]; r.F16 != nil { // not a number
		t.Errorf("%+v", r)
	}
	if g := got.Registers[1]; g.Registers[0].ASCII != "PS" || g.TextLowFirst != "SP" || g.Function != 4 {
		t.Errorf("%+v", g)
	}
	clitest.MustHold(t, mustRead(t, append([]string{"0x0100", "--function", "03"}, port...)...), `"hex": "0x5350"`, `"function": 3`)
}

func TestReadSaysWhatCouldNotBeReadAndReadsTheRest(t *testing.T) {
	w := newWorld(t, energySlave())
	config := w.config("objects: adc_ia", "adc_ia")
	check := func(whose string) {
		code, stdout, stderr := run1("read", "0x9000", "adc_vbterm", "--config", config)
		if code != cli.ExitFailed || !strings.Contains(stderr, "0x9000") || !strings.Contains(stderr, "illegal data address (02)") {
			t.Errorf("%s: exit %d: %s", whose, code, stderr)
		}
		clitest.MustHold(t, stdout, "12.117188")
		code, stdout, stderr = run1("read", "0x0012", "--unit", "9", "--config", config)
		if code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, "timeout") || !strings.Contains(stderr, "noi-agent scan") {
			t.Errorf("%s: exit %d: %s %s", whose, code, stdout, stderr)
		}
		code, _, stderr = run1("read", "adc_ia", "--unit", "9", "--config", config)
		if code != cli.ExitFailed || !strings.Contains(stderr, "--model") {
			t.Errorf("%s: exit %d: %s", whose, code, stderr)
		}
	}
	check("at the port")
	daemon := w.start(config, nil)
	eventually(t, "the line is open", func() bool { return w.status().Lines[0].State == "ok" })
	check("from the daemon")
	if daemon.stop() != cli.ExitDone {
		t.Error("the daemon did not end well")
	}
}

func TestReadMisusedExitsWithTwoAndSaysTheWayOut(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{}, "name an object or a register"},
		{[]string{"18"}, "four hex digits"},
		{[]string{"0x12"}, "four hex digits"},
		{[]string{"0x0012+"}, "decimal count"},
		{[]string{"0x0012+0"}, "1 to 125"},
		{[]string{"0x0012+126"}, "1 to 125"},
		{[]string{"0x0012-0x0011"}, "ends before it begins"},
		{[]string{"0x0012-0x01FF"}, "1 to 125"},
		{[]string{"0xFFFF+2"}, "0xFFFF"},
		{[]string{"adc_ia", "--unit", "248"}, "1 to 247"},
		{[]string{"adc_ia", "--function", "06"}, "03"},
		{[]string{"adc_ia", "--port", "/dev/ttyS9", "--line", "a"}, "exclude"},
		{[]string{"adc_ia", "--baud", "9600"}, "go with --port"},
		{[]string{"adc_ia", "--port", "/dev/ttyS9", "--baud", "17"}, "--baud"},
		{[]string{"adc_ia", "--port", "/dev/ttyS9", "--parity", "mark"}, "parity"},
	} {
		code, _, stderr := run1(append([]string{"read"}, c.args...)...)
		if code != cli.ExitMisused || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "--help") {
			t.Errorf("read %v exits %d and says %q, want %q", c.args, code, stderr, c.want)
		}
	}
}

func TestReadThatCannotWorkSaysTheWayOut(t *testing.T) {
	const two = `lines:
  - {name: a, port: /dev/ttyUSB987, slaves: [{id: 1, model: PSPWM}, {id: 2, model: PSPWM}]}
  - {name: b, port: /dev/ttyUSB986, slaves: [{id: 1, model: PSPWM}]}
status: {listen: "", socket: /nonexistent/a.sock}
`
	config := clitest.WriteConfig(t, two)
	for _, c := range []struct {
		code int
		args []string
		want []string
	}{
		{cli.ExitFailed, []string{"adc_ia", "--config", "/nonexistent/config.yaml"}, []string{"/nonexistent/config.yaml"}},
		{cli.ExitMisused, []string{"adc_ia", "--config", config}, []string{"2 lines (a, b)", "--line"}},
		{cli.ExitMisused, []string{"adc_ia", "--line", "c", "--config", config}, []string{`no line "c"; there are a, b`}},
		{cli.ExitMisused, []string{"adc_ia", "--line", "a", "--config", config}, []string{"2 slaves (1, 2)", "--unit"}},
		{cli.ExitFailed, []string{"adc_ia", "--line", "b", "--config", config}, []string{"/dev/ttyUSB986", "no such port", "no daemon answers at /nonexistent/a.sock"}},
		{cli.ExitFailed, []string{"adc_ia", "--port", "/dev/ttyUSB987"}, []string{"no such port"}},
		{cli.ExitMisused, []string{"adc_ia", "--config", clitest.WriteConfig(t, "lines: []\n")}, []string{"no line", "--port"}},
	} {
		code, stdout, stderr := run1(append([]string{"read"}, c.args...)...)
		if code != c.code || stdout != "" {
			t.Errorf("read %v exits %d and prints %q", c.args, code, stdout)
		}
		clitest.MustHold(t, stderr, c.want...)
	}
	pty := modbustest.MustServe(t, 115200, 11, energySlave())
	for _, c := range [][3]string{{"adc_ai", "PSPWM", "did you mean adc_ia?"}, {"voltage", "PSPWM", "hint: noi-agent objects --family PSPWM"}, {"adc_ia", "PSX", "PSPWM"}} {
		code, _, stderr := run1("read", c[0], "--port", pty.Path(), "--baud", "115200", "--model", c[1])
		if code != cli.ExitMisused || !strings.Contains(stderr, c[0]) && !strings.Contains(stderr, c[1]) || !strings.Contains(stderr, c[2]) {
			t.Errorf("%v: exit %d: %s", c, code, stderr)
		}
	}
}

// A daemon without a socket cannot be asked, and has the port open.
func TestReadOfATakenPortNamesWhoHasIt(t *testing.T) {
	w := newWorld(t, energySlave())
	text, err := os.ReadFile(w.config("objects: adc_ia", "adc_ia"))
	if err != nil {
		t.Fatal(err)
	}
	config := clitest.WriteConfig(t, strings.Replace(string(text), "socket: "+w.socket(), `socket: ""`, 1))
	daemon := w.start(config, nil)
	eventually(t, "the line is open", func() bool { return strings.Contains(daemon.stderr.String(), "line open") })
	code, _, stderr := run1("read", "adc_ia", "--config", config)
	if code != cli.ExitFailed || !strings.Contains(stderr, "another program has the port open") || !strings.Contains(stderr, "stop") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if daemon.stop() != cli.ExitDone {
		t.Error("the daemon did not end well")
	}
}

// For its own reads the daemon waits for a line that is down, but a `read` command gets an answer at once.
func TestReadFromADaemonWhoseLineIsDownSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, energySlave())
	text, err := os.ReadFile(w.config("objects: adc_ia", "adc_ia"))
	if err != nil {
		t.Fatal(err)
	}
	config := clitest.WriteConfig(t, strings.Replace(string(text), w.pty.Path(), "/dev/ttyUSB987", 1))
	daemon := w.start(config, nil)
	eventually(t, "the line has failed", func() bool { return w.status().Lines[0].Error != "" })
	code, _, stderr := run1("read", "adc_ia", "--config", config)
	if code != cli.ExitFailed {
		t.Errorf("exit %d", code)
	}
	clitest.MustHold(t, stderr, "the daemon cannot work on line rs485", "no such port")
	if daemon.stop() != cli.ExitDone {
		t.Error("the daemon did not end well")
	}
}

// TestReadQuietPrintsOneValue: for scripts, a value and a newline, or nothing and a failure.
func TestReadQuietPrintsOneValue(t *testing.T) {
	w := newWorld(t, energySlave())
	config := w.config("objects: adc_ia", "adc_ia")
	for object, want := range map[string]string{"adc_vbterm": "12.117188\n", "charge_state": "FLOAT\n", "array_fault": "rts_shorted,processor_supply_fault\n"} {
		if got := mustRead(t, "-q", object, "--config", config); got != want {
			t.Errorf("%s is %q, want %q", object, got, want)
		}
	}
	for _, args := range [][]string{{"T_rts"}, {"kWhc_r"}} {
		if code, stdout, stderr := run1(append([]string{"read", "-q", "--config", config}, args...)...); code != cli.ExitFailed || stdout != "" || stderr == "" {
			t.Errorf("%v exits %d: %q %q", args, code, stdout, stderr)
		}
	}
	for _, args := range [][]string{{"adc_ia", "adc_vbterm"}, {"0x0012"}} {
		if code, _, _ := run1(append([]string{"read", "-q", "--config", config}, args...)...); code != cli.ExitMisused {
			t.Errorf("%v exits %d", args, code)
		}
	}
}
