package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus"
)

// onTerminal runs a command line of the test binary on a pseudo-terminal, and returns the screen.
func onTerminal(t *testing.T, width uint16, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Args = append([]string{"noi-agent"}, args...)
	cmd.Env = append(os.Environ(), append([]string{"TERM=xterm", "NO_COLOR=", "CLICOLOR_FORCE="}, env...)...)
	screen, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: width})
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	text, _ := io.ReadAll(screen) // ends with an error at the end of the command
	_ = cmd.Wait()                // some commands fail
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// servedSite is the socket of a daemon of brokenSite.
func servedSite(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "a.sock")
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/status":
			_ = json.NewEncoder(w).Encode(brokenSite()) // fails if the client has gone
		case "/api/v1/objects":
			_ = json.NewEncoder(w).Encode(siteValues())
		default:
			http.NotFound(w, r)
		}
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return socket
}

// TestRealTerminals: colour and width follow the terminal. NO_COLOR and TERM=dumb switch colour off.
func TestRealTerminals(t *testing.T) {
	socket := servedSite(t)
	escape := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	for _, width := range []uint16{40, 80, 200} {
		text := onTerminal(t, width, nil, "status", "--socket", socket)
		if !strings.Contains(text, "\x1b[31m✗ ") {
			t.Errorf("no colour at %d columns:\n%q", width, text)
		}
		for line := range strings.Lines(escape.ReplaceAllString(text, "")) {
			if n := runes(strings.TrimRight(line, "\n")); n > int(width) && !strings.Contains(line, "arn:aws") && !strings.Contains(line, socket) {
				t.Errorf("at %d columns a line has %d: %q", width, n, line)
			}
		}
		help := onTerminal(t, width, nil, "scan", "--help")
		clitest.MustHold(t, help, "Find the devices on a line.\n\n  ", "noi-agent scan /dev/ttyUSB0", "Usage: noi-agent scan [PORT] [flags]")
	}
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		if text := onTerminal(t, 80, []string{env}, "status", "--socket", socket); strings.Contains(text, "\x1b") {
			t.Errorf("%s: %q", env, text)
		}
	}
	if text := onTerminal(t, 80, nil, "status", "--json", "--socket", socket); strings.Contains(text, "\x1b") || !strings.HasPrefix(text, "{") {
		t.Errorf("JSON on a terminal: %.80q", text)
	}
}

// TestTheRemarkOfAnExampleFitsTheTerminal: a remark that does not fit behind its command is above it, and the command can
// be copied.
func TestTheRemarkOfAnExampleFitsTheTerminal(t *testing.T) {
	help := onTerminal(t, 80, nil, "scan", "--help")
	clitest.MustHold(t, help, "\n  # every unit id, at the usual baud rates\n  noi-agent scan /dev/ttyUSB0\n")
	if help = onTerminal(t, 120, nil, "scan", "--help"); !strings.Contains(help, "noi-agent scan /dev/ttyUSB0              # every") {
		t.Errorf("at 120 columns:\n%s", help)
	}
}

// TestSentencesFitTheTerminal: texts of init, the announcement of a scan and errors are wrapped between words.
func TestSentencesFitTheTerminal(t *testing.T) {
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	p := testProgram(t)
	p.Stderr = tty
	long := strings.TrimSpace(strings.Repeat("seven words that a person can read ", 5))
	asker := newAsker(p)
	asker.say("%s", long)
	asker.prompt("Objects, with commas; or all", "adc_vbterm, adc_ia, charge_state, array_fault, load_fault, alarm")
	asker.say("") // the person presses Enter
	scan := &modbus.Scan{Units: make([]byte, 247), Settings: []modbus.Settings{{Port: "/dev/serial/by-id/usb-FTDI_FT232R", Baud: 9600}}}
	newProgress(tty, scan).announce()
	p.complain(errors.New(long), &commandLine{})
	_ = tty.Close()
	text, _ := io.ReadAll(screen) // ends with an error when no other end is open
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\r\n", "\n")) {
		if n := runes(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("a line has %d columns: %q", n, line)
		}
	}
	clitest.MustHold(t, string(text), "noi-agent: seven words", "charge_state, array_fault,", "Ctrl-C ends the scan")
}

// TestFindingsFitTheTerminal: the lines of doctor are wrapped between words. A command stays whole, and behind a pipe
// every line.
func TestFindingsFitTheTerminal(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "config.yaml")
	text := onTerminal(t, 60, nil, "doctor", "--config", missing)
	for line := range strings.Lines(text) {
		long := strings.Contains(line, missing) || strings.Contains(line, "try: ") // a path and a command have no blank to break at
		if n := runes(strings.TrimRight(line, "\n")); n > 60 && !long {
			t.Errorf("a line has %d columns: %q", n, line)
		}
	}
	clitest.MustHold(t, text, "try: sudo noi-agent init --config "+missing+"\n", "\n         ")
	_, piped, _ := run1("doctor", "--config", missing)
	for line := range strings.Lines(piped) {
		if head, _, _ := strings.Cut(line, " "); !strings.Contains(" ok fault warning 1 2 3 4 5 ", " "+head+" ") && strings.TrimSpace(line) != "" &&
			!strings.Contains(line, "why: ") && !strings.Contains(line, "try: ") {
			t.Errorf("behind a pipe a line is wrapped: %q", line)
		}
	}
}

// TestProgressIsOneRowOfTheTerminal: the terminal does not break the line of a scan, so the next step replaces all of it.
func TestProgressIsOneRowOfTheTerminal(t *testing.T) {
	for _, width := range []uint16{40, 80} {
		screen, tty, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: width}); err != nil {
			t.Fatal(err)
		}
		scan := &modbus.Scan{Units: make([]byte, 247), Settings: []modbus.Settings{{Port: "/dev/ttyUSB0", Baud: 115200, DataBits: 8, Parity: "none", StopBits: 2}}}
		newProgress(tty, scan).step(modbus.Step{Settings: scan.Settings[0], Round: 1, Last: 2, Function: 4, Unit: 247, Asked: 246, All: 247, Found: 123})
		_ = tty.Close()
		text, _ := io.ReadAll(screen) // ends with an error when no other end is open
		_ = screen.Close()
		line := strings.TrimSuffix(strings.TrimPrefix(string(text), "\r"), "\x1b[K")
		if n := runes(line); n >= int(width) || !strings.Contains(line, "unit 247") {
			t.Errorf("at %d columns the line has %d: %q", width, n, line)
		}
	}
}

// TestObjectsOfAFamilyAreRowsAtEightyColumns: a terminal of the usual width shows one row for each object, with its whole name.
func TestObjectsOfAFamilyAreRowsAtEightyColumns(t *testing.T) {
	for _, family := range []string{"GENSTAR", "PSPWM", "TSMPPT"} {
		text := onTerminal(t, 80, nil, "objects", family)
		_, rows, _ := strings.Cut(strings.TrimSpace(text), "\nADDRESS ")
		_, piped, _ := run1("objects", family)
		if got, want := strings.Count(rows, "\n"), strings.Count(strings.TrimSpace(piped), "\n")-1; got != want {
			t.Errorf("%s has %d lines, want %d", family, got, want)
		}
		for row := range strings.Lines(rows) {
			if cells := strings.Fields(row); runes(strings.TrimSpace(row)) > 80 || strings.Contains(cells[1], "…") {
				t.Errorf("%s: %q", family, row)
			}
		}
	}
}
