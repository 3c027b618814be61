package modbus_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
	}
	for _, c := range cases {
		_, err := modbus.OpenSerial(c.s)
		var open *modbus.OpenError
		if !errors.As(err, &open) || open.Port != c.s.Port {
			t.Errorf("%s: %v is no *OpenError of the port", c.name, err)
			continue
		}
		for _, text := range c.texts {
			if text == "ports here" && strings.Contains(err.Error(), "no serial ports here") {
				continue // a machine without any
			}
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q does not say %q", c.name, err, text)
			}
		}
	}
}

// TestLockEndsWithItsHolder: no lock file is left behind by a killed program, and Close frees the port.
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
