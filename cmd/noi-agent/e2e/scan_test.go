package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
	"noi-agent/objects"
	"noi-agent/sim"
)

// strangeSlave reports a product code that no family has, and a vendor with control characters, which must not reach a terminal.
func strangeSlave(unit byte) *modbustest.Slave {
	return &modbustest.Slave{Unit: unit, Identity: &modbustest.Identity{Vendor: "Nobody\x1b[2J", Product: "XY-1", Revision: "v1"}}
}

// simSlave is a simulated ProStar.
func simSlave(t *testing.T, unit byte) *modbustest.Slave {
	t.Helper()
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	family, _ := catalog.Family("PSPWM")
	c, err := sim.New(sim.Options{Family: family, Unit: unit, Start: sim.MidMorning})
	if err != nil {
		t.Fatal(err)
	}
	return c.Slave()
}

// fast are flags that keep a scan short.
var fast = []string{"--units", "1-6", "--timeout", "250ms"}

func scanArgs(port string, more ...string) []string {
	return append(append([]string{"scan", "--port", port}, fast...), more...)
}

func TestScanPrintsWhoAnswersAndTheirConfiguration(t *testing.T) {
	mppt := &modbustest.Slave{Unit: 3, Read: modbustest.OwnAddress, Identity: &modbustest.Identity{Product: "PS-MPPT-40M", Revision: "v02"}}
	line := modbustest.MustServe(t, 9600, 11, simSlave(t, 1), mppt, strangeSlave(5))
	code, stdout, stderr := run1(scanArgs(line.Path())...)
	if code != cli.ExitDone {
		t.Errorf("exit %d: %s", code, stderr)
	}
	clitest.MustHold(t, stdout,
		line.Path()+" at 9600 8N2: 3 of 6 units answer\n",
		"1\tPSPWM\tPS-PWM-30M\tv01.04.06\tMorningstar Corp.\tregisters\n",
		"3\tPSMPPT\tPS-MPPT-40M\tv02\t-\tregisters\n",
		"5\t-\tXY-1\tv1\tNobody[2J\tillegal function (01)\n",
		"baud: 9600\n", "- {id: 1, model: PSPWM}   # PS-PWM-30M v01.04.06\n", "- {id: 3, model: PSMPPT}", "- {id: 5, model: auto}   # no family for XY-1 v1: set its model\n",
	)
	clitest.MustHold(t, stderr, "asking 6 units on "+line.Path()+" at 9600 8N2: up to 2 s", "13 more rounds", "Ctrl-C")
	_, config, _ := strings.Cut(stdout, "# for the configuration\n")
	if code, checked, stderr := run1("check", "--config", clitest.WriteConfig(t, config)); code != cli.ExitDone {
		t.Errorf("the printed configuration is not valid: %s%s\n%s", checked, stderr, config)
	}
}

// atSpeed makes a slave answer only while the pty is set to a baud rate. A pty sends at any rate, but keeps its
// setting.
func atSpeed(line *modbustest.PTY, speed uint32, s *modbustest.Slave) *modbustest.Slave {
	s.Script = func(modbustest.Request) modbustest.Fault {
		tty, err := os.OpenFile(line.Path(), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			return modbustest.Fault{Silent: true}
		}
		defer tty.Close()
		termios, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
		return modbustest.Fault{Silent: err != nil || termios.Cflag&unix.CBAUD != speed}
	}
	return s
}

func TestScanGoesThroughBaudRatesUntilSomebodyAnswers(t *testing.T) {
	line, err := modbustest.OpenPTY(38400, 11)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- line.Serve(context.Background(), atSpeed(line, unix.B38400, simSlave(t, 2)), atSpeed(line, unix.B38400, strangeSlave(3)))
	}()
	code, stdout, stderr := run1(scanArgs(line.Path(), "--json")...)
	var got cli.ScanListing
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != cli.ExitDone {
		t.Fatalf("exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	if got.Settings != "38400 8N2" || !got.Complete || len(got.Found) != 2 || got.Found[0].Family != "PSPWM" || got.Found[1].ProductCode != "XY-1" {
		t.Errorf("%s", stdout)
	}
	clitest.MustHold(t, got.YAML, "baud: 38400\n", "{id: 2, model: PSPWM}")
	clitest.MustHold(t, stderr, "round 3 of 14: at 38400 8N2 function 04\n")
	if strings.Contains(stderr, "57600 8N2") {
		t.Errorf("the scan continued after a unit had answered: %s", stderr)
	}
	if err := line.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestScanTriesEachFramingOfABaudRate(t *testing.T) {
	line := modbustest.MustServe(t, 0, 11)
	args := []string{"scan", "--port", line.Path(), "--units", "1", "--timeout", "1ms", "--function", "04"}
	code, stdout, stderr := run1(append(args, "--baud", "9600,19200", "--parity", "none,even", "--stop-bits", "2,1")...)
	if code != cli.ExitFailed || stdout != "" {
		t.Errorf("exit %d: %s", code, stdout)
	}
	at := 0
	for _, want := range []string{"9600 8N2", "9600 8N1", "9600 8E2", "9600 8E1", "19200 8N2", "19200 8N1", "19200 8E2", "19200 8E1"} {
		i := strings.Index(stderr[at:], want)
		if i < 0 {
			t.Fatalf("no %s, or at the wrong place, in\n%s", want, stderr)
		}
		at += i
	}
	clitest.MustHold(t, stderr, "no device answers", "A and B")
}

func TestScanOfALineTakesItsPortAndSettings(t *testing.T) {
	line := modbustest.MustServe(t, 115200, 11, simSlave(t, 1))
	config := clitest.WriteConfig(t, "lines:\n  - {name: shed, port: "+line.Path()+", baud: 115200, stop_bits: 1, timeout: 250ms, slaves: [{id: 1}]}\nstatus: {listen: \"\", socket: \"\"}\n")
	for _, args := range [][]string{{}, {"--line", "shed"}} {
		code, stdout, stderr := run1(append([]string{"scan", "--units", "1,2", "--config", config}, args...)...)
		if code != cli.ExitDone {
			t.Errorf("exit %d: %s", code, stderr)
		}
		clitest.MustHold(t, stdout, "at 115200 8N1: 1 of 2 units answers", "name: shed\n", "stop_bits: 1\n")
	}
}

func TestScanOverTheNetwork(t *testing.T) {
	var alike []*modbustest.Slave
	for unit := range byte(40) {
		alike = append(alike, simSlave(t, unit+1))
	}
	device := modbustest.ServeTCP(t, alike...)
	for units, want := range map[string][]string{
		"1-6":  {"6 of 6 units answer", "{id: 6, model: PSPWM}"},
		"1-40": {"40 of 40 units answer", "the other 39 give the same answer", "{id: 1, model: PSPWM}"},
	} {
		code, stdout, stderr := run1("scan", "--port", "tcp://"+device, "--units", units)
		if code != cli.ExitDone || strings.Contains(stdout, "baud") || strings.Contains(stdout, "id: 7,") {
			t.Errorf("exit %d: %s%s", code, stdout, stderr)
		}
		clitest.MustHold(t, stdout, want...)
	}
}

// While the agent has the port open, it sends the requests of a scan between its own reads.
func TestScanOfALineThatTheDaemonHasGoesThroughIt(t *testing.T) {
	slave, stranger := fixedSlave(), strangeSlave(3)
	w := newWorld(t, slave, stranger)
	config := w.config("objects: adc_ia, intervals: {\"*\": 1h}", "adc_ia")
	daemon := w.start(config, nil)
	eventually(t, "the sample is sent", func() bool { return w.status().Integrations[0].Sent == 1 })
	for _, where := range [][]string{{}, {"--line", "rs485"}} {
		code, stdout, stderr := run1(append([]string{"scan", "--config", config, "--units", "1-3"}, where...)...)
		if code != cli.ExitDone {
			t.Fatalf("%v: exit %d: %s%s", where, code, stdout, stderr)
		}
		clitest.MustHold(t, stdout, ": 2 of 3 units answer\n", "1\tPSPWM\tPS-PWM-30M\t", "3\t-\tXY-1\tv1\tNobody[2J\tillegal function (01)\n",
			"name: rs485\n", "- {id: 1, model: PSPWM}")
		clitest.MustHold(t, stderr, "asking 3 units on "+w.pty.Path(), "through the running agent, between its own reads")
	}
	before := slave.Requests()
	for _, more := range [][]string{{"--baud", "19200"}, {"--timeout", "1s"}, {"--line", "rs485", "--parity", "even"}} {
		code, stdout, stderr := run1(append([]string{"scan", "--config", config}, more...)...)
		if code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, "systemctl stop noi-agent") || strings.Contains(stderr, "asking") {
			t.Errorf("%v: exit %d: %s%s", more, code, stdout, stderr)
		}
	}
	code, stdout, stderr := run1("scan", "--config", config, "--port", w.pty.Path())
	hint := "hint: noi-agent scan --config " + config + " --line rs485 "
	if code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, hint) || strings.Contains(stderr, "asking") {
		t.Errorf("a scan of its port: exit %d: %s%s", code, stdout, stderr)
	}
	if n := slave.Requests() - before; n > 0 {
		t.Errorf("%d requests were sent", n)
	}
	if daemon.stop() != cli.ExitDone {
		t.Error("the daemon did not end well")
	}
}

func TestScanEndedByASignalPrintsWhatItFound(t *testing.T) {
	second := strangeSlave(2)
	line := modbustest.MustServe(t, 115200, 11, simSlave(t, 1), second)
	ended := make(chan os.Signal, 1)
	var stdout bytes.Buffer
	stderr := &lockedBuffer{}
	p := &cli.Program{
		Stdout: &stdout, Stderr: stderr, Now: time.Now,
		Signals: func() (<-chan os.Signal, func()) { return ended, func() {} },
	}
	code := make(chan int, 1)
	go func() { code <- p.Run([]string{"scan", "--port", line.Path(), "--baud", "115200", "--json"}) }()
	eventually(t, "unit 1 is identified, and the next unit is asked", func() bool { return second.Requests() > 0 })
	ended <- os.Interrupt
	if c := <-code; c != cli.ExitInterrupted {
		t.Errorf("exit %d", c)
	}
	clitest.MustHold(t, stdout.String(), `"complete": false`, `"product_code": "PS-PWM-30M"`)
	// on a busy machine there may be more requests by then
	cut := regexp.MustCompile(`the scan was cut short after (1 unit|[2-9] units|1?\d\d units), by a signal"`)
	if !cut.MatchString(stderr.String()) {
		t.Errorf("stderr is %s", stderr.String())
	}
}

func TestScanShowsABarOnATerminal(t *testing.T) {
	line := modbustest.MustServe(t, 115200, 11, simSlave(t, 2))
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(screen) // EIO when the other side is closed
		shown <- string(b)
	}()
	p := &cli.Program{Stdout: io.Discard, Stderr: tty, Now: time.Now, Signals: cli.Signals}
	if code := p.Run(scanArgs(line.Path(), "--baud", "115200")); code != cli.ExitDone {
		t.Errorf("exit %d", code)
	}
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	text := <-shown
	clitest.MustHold(t, text, "\r[....................] unit 1 at 115200 8N2 function 04, 0 found,", "\r[##########..........] unit 4 ", "1 found", "\r\x1b[K")
	if err := screen.Close(); err != nil {
		t.Error(err)
	}
}

func TestScanTellsGarbageFromSilence(t *testing.T) {
	twins := simSlave(t, 2)
	twins.Script = func(modbustest.Request) modbustest.Fault {
		return modbustest.Fault{Mangle: func(frame []byte) []byte { return append(frame[:2], 0x55, 0xAA, 0x55) }}
	}
	line := modbustest.MustServe(t, 115200, 11, twins)
	code, stdout, stderr := run1(scanArgs(line.Path(), "--baud", "115200", "--function", "04")...)
	if code != cli.ExitFailed {
		t.Errorf("exit %d", code)
	}
	clitest.MustHold(t, stdout, "bytes that are no valid frame came after the requests to these units: 2 at 115200 8N2\n")
	clitest.MustHold(t, stderr, "--parity none,even", "same unit id")

	// Both functions find the same garbage, which is one row. Where another unit answers, the settings are right.
	_, stdout, _ = run1(scanArgs(line.Path(), "--baud", "115200")...)
	clitest.MustHold(t, stdout, "bytes that are no valid frame came after the requests to these units: 2 at 115200 8N2\n")
	both := modbustest.MustServe(t, 115200, 11, twins, simSlave(t, 1))
	code, stdout, stderr = run1(scanArgs(both.Path(), "--baud", "115200")...)
	if code != cli.ExitDone {
		t.Errorf("exit %d: %s", code, stderr)
	}
	clitest.MustHold(t, stdout, "Other units answer, so the settings of the line are right. Perhaps two devices have the same unit id")
}

func TestScanMisusedExitsWithTwo(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--port", "/dev/ttyS9", "--line", "a"}, "exclude"},
		{[]string{"--port", "tcp://192.0.2.1", "--baud", "9600"}, "mean nothing on the network"},
		{[]string{"--port", "/dev/ttyS9", "--baud", "17"}, "--baud"},
		{[]string{"--port", "/dev/ttyS9", "--baud", "fast"}, "--baud"},
		{[]string{"--port", "/dev/ttyS9", "--parity", "mark"}, "parity"},
		{[]string{"--port", "/dev/ttyS9", "--stop-bits", "3"}, "--stop-bits"},
		{[]string{"--port", "/dev/ttyS9", "--units", "0-5"}, "1 to 247"},
		{[]string{"--port", "/dev/ttyS9", "--units", "5-1"}, "1 to 247"},
		{[]string{"--port", "/dev/ttyS9", "--units", "1,,2"}, "1 to 247"},
		{[]string{"--port", "/dev/ttyS9", "--function", "06"}, "function"},
		{[]string{"--port", "/dev/ttyS9", "--timeout", "-1s"}, "--timeout"},
	} {
		code, _, stderr := run1(append([]string{"scan"}, c.args...)...)
		if code != cli.ExitMisused || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "--help") {
			t.Errorf("scan %v exits %d and says %q, want %q", c.args, code, stderr, c.want)
		}
	}
	code, _, stderr := run1("scan", "--port", "/dev/ttyUSB987")
	if code != cli.ExitFailed || !strings.Contains(stderr, "no such port") || strings.Contains(stderr, "asking") {
		t.Errorf("a port that is not there: exit %d, %s", code, stderr)
	}
}
