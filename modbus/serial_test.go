package modbus_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

func TestRoundTripOverAPseudoTerminal(t *testing.T) {
	for _, s := range []modbus.Settings{
		{},
		{Baud: 19200, StopBits: 1, Parity: "even"},
		{Baud: 115200, Parity: "odd", StopBits: 1},
	} {
		slave := ownAddress(1)
		pty := modbustest.MustServe(t, s.Baud, s.CharBits(), slave)
		s.Port = pty.Path()
		line := modbus.NewLine(modbus.Options{Settings: s})
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		mustRead(t, line, 0, 125)
		id, err := line.Identify(t.Context(), 1)
		if err != nil || id.ProductCode != "PS-PWM-30M" {
			t.Errorf("%+v: identity %+v, %v", s, id, err)
		}
		if err := line.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLineReopensAfterClose(t *testing.T) {
	pty := modbustest.MustServe(t, 0, 0, ownAddress(1))
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: pty.Path()}})
	for range 3 {
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		mustRead(t, line, 0, 8)
		if err := line.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHangupIsAPortFault(t *testing.T) {
	pty := modbustest.MustServe(t, 0, 0, ownAddress(1))
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: pty.Path()}})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	mustRead(t, line, 0, 8)
	if err := pty.Hangup(); err != nil {
		t.Fatal(err)
	}
	if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 8); !errors.Is(err, modbus.ErrPort) {
		t.Errorf("after the hang-up: %v, want ErrPort", err)
	}
	if err := line.Open(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of a line that is gone: %v", err)
	}
}

func TestOpenErrorsHaveHints(t *testing.T) {
	pty := modbustest.MustServe(t, 0, 0)
	held, err := modbus.OpenSerial(modbus.Settings{Port: pty.Path()})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name  string
		s     modbus.Settings
		texts []string
	}{
		{"missing", modbus.Settings{Port: "/dev/ttyNone"}, []string{"open /dev/ttyNone: no such file", "is the adapter plugged in?", "ports here"}},
		{"a file", modbus.Settings{Port: file}, []string{"not a serial port"}},
		{"a device that is no tty", modbus.Settings{Port: "/dev/null"}, []string{"not a serial port"}},
		{"held", modbus.Settings{Port: pty.Path()}, []string{"another program has the port open", "fuser"}},
		{"odd parity setting", modbus.Settings{Port: pty.Path(), Parity: "mark"}, []string{`parity "mark"`}},
		{"stop bits", modbus.Settings{Port: pty.Path(), StopBits: 3}, []string{"3 stop bits"}},
		{"rs485 word", modbus.Settings{Port: pty.Path(), RS485: modbus.RS485{Mode: "on"}}, []string{`rs485 "on" is none of off, kernel, rts`}},
		{"polarity", modbus.Settings{Port: pty.Path(), RS485: modbus.RS485{Polarity: "up"}}, []string{`rs485 polarity "up"`}},
		{"level", modbus.Settings{Port: pty.Path(), DTR: "high"}, []string{`dtr "high" is none of on, off`}},
		{"delay", modbus.Settings{Port: pty.Path(), RS485: modbus.RS485{Mode: "rts", Before: -1}}, []string{"below 0"}},
		{"two masters of RTS", modbus.Settings{Port: pty.Path(), RTS: "on", RS485: modbus.RS485{Mode: "rts"}}, []string{"rts on contradicts rs485 rts"}},
	}
	for _, c := range cases {
		_, err := modbus.OpenSerial(c.s)
		var open *modbus.OpenError
		if !errors.As(err, &open) || open.Port != c.s.Port {
			t.Errorf("%s: %v is no *OpenError of the port", c.name, err)
			continue
		}
		for _, text := range c.texts {
			if text == "ports here" && strings.Contains(err.Error(), "no serial ports found on this system") {
				continue // a machine without serial ports
			}
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q does not say %q", c.name, err, text)
			}
		}
	}
}

// TestHardwareThatAPortLacksIsAnErrorWithAHint: a pseudo-terminal has no RS-485, no modem lines and no latency.
func TestHardwareThatAPortLacksIsAnErrorWithAHint(t *testing.T) {
	pty := modbustest.MustServe(t, 0, 0)
	for _, c := range []struct {
		s    modbus.Settings
		hint string
	}{
		{modbus.Settings{RS485: modbus.RS485{Mode: "kernel"}}, "use rs485: rts"},
		{modbus.Settings{RS485: modbus.RS485{Mode: "rts"}}, "the port must have RTS"},
		{modbus.Settings{DTR: "on"}, "leave dtr and rts out"},
		{modbus.Settings{RTS: "off"}, "leave dtr and rts out"},
		{modbus.Settings{LowLatency: "on"}, "use low_latency: auto"},
	} {
		c.s.Port = pty.Path()
		port, err := modbus.OpenSerial(c.s)
		var open *modbus.OpenError
		if port != nil || !errors.As(err, &open) || !strings.Contains(open.Hint, c.hint) {
			t.Errorf("%+v: %v, want the hint %q", c.s, err, c.hint)
		}
	}
	// None of these errors keeps the port locked: without the setting it opens.
	for _, mode := range []string{"", "auto", "off"} {
		port, err := modbus.OpenSerial(modbus.Settings{Port: pty.Path(), LowLatency: mode, RS485: modbus.RS485{Mode: "off", Polarity: "low"}})
		if err != nil {
			t.Fatalf("low latency %q: %v", mode, err)
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestGonePortIsToldFromItsPath(t *testing.T) {
	first, second := modbustest.MustServe(t, 0, 0), modbustest.MustServe(t, 0, 0)
	dir := t.TempDir()
	path := filepath.Join(dir, "by-id")
	link := func(target string) {
		t.Helper()
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	link(first.Path())
	port, err := modbus.OpenSerial(modbus.Settings{Port: path})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	gone := port.(interface{ Gone() bool }).Gone

	if gone() {
		t.Error("the port counts as gone, and nothing has happened")
	}
	link(second.Path())
	if !gone() {
		t.Error("the path leads to another device")
	}
	link(first.Path())
	if gone() {
		t.Error("the path leads to it again")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link(file)
	if !gone() {
		t.Error("the path leads to a file")
	}
	for _, target := range []string{filepath.Join(dir, "nowhere"), filepath.Join(file, "below")} {
		if link(target); !gone() {
			t.Errorf("the path leads to %s", target)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if !gone() {
		t.Error("there is no path any more")
	}
	// A path that cannot be checked does not count as gone.
	if link(path); gone() {
		t.Error("the path leads in a circle")
	}
}

// TestPortIsExclusive reads the flag that TIOCEXCL sets. Many tests run as root, and root can open the port
// nevertheless.
func TestPortIsExclusive(t *testing.T) {
	pty := modbustest.MustServe(t, 0, 0)
	witness, err := unix.Open(pty.Path(), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(witness)
	exclusive := func() bool {
		t.Helper()
		flag, err := unix.IoctlGetInt(witness, unix.TIOCGEXCL)
		if err != nil {
			t.Fatal(err)
		}
		return flag != 0
	}
	port, err := modbus.OpenSerial(modbus.Settings{Port: pty.Path()})
	if err != nil {
		t.Fatal(err)
	}
	if !exclusive() {
		t.Error("a program that does not use flock can open the port")
	}
	if err := port.Close(); err != nil || exclusive() {
		t.Errorf("closed and still exclusive, %v", err)
	}
	if _, err := modbus.OpenSerial(modbus.Settings{Port: pty.Path(), LowLatency: "on"}); err == nil || exclusive() {
		t.Errorf("not opened and still exclusive, %v", err)
	}
}

// TestLockEndsWithItsHolder: a killed program leaves no lock file, and Close frees the port.
func TestLockEndsWithItsHolder(t *testing.T) {
	pty := modbustest.MustServe(t, 0, 0)
	for range 2 {
		port, err := modbus.OpenSerial(modbus.Settings{Port: pty.Path()})
		if err != nil {
			t.Fatal(err)
		}
		if err := port.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChildrenDoNotInheritThePort(t *testing.T) {
	pty := modbustest.MustServe(t, 0, 0)
	ls := func() string {
		out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
		if err != nil {
			t.Skipf("ls: %v", err)
		}
		return string(out)
	}
	pipes := strings.Count(ls(), "pipe:")
	port, err := modbus.OpenSerial(modbus.Settings{Port: pty.Path()})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	seen := ls()
	if strings.Contains(seen, pty.Path()) || strings.Count(seen, "pipe:") != pipes {
		t.Errorf("a child has our descriptors:\n%s", seen)
	}
}
