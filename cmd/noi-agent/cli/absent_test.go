package cli

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/status/api"
)

// asking returns the commands that send requests to the daemon.
func asking() []string {
	return []string{
		"status", "status --check", "triggers", "triggers show 7", "gaps", "reload", "deadletters", "deadletters retry --all", "deadletters drop --all --yes",
		"replay --integration x --from 1h", "export", "integrations", "integrations show x", "integrations add aws", "integrations edit x --name y",
		"integrations pause x", "integrations remove x --yes", "integrations test x",
	}
}

// TestAbsentSilentAndForeignDaemonsAreToldApart: each of these commands reports the cause within 5 s, with the one
// command that helps.
func TestAbsentSilentAndForeignDaemonsAreToldApart(t *testing.T) {
	// like a stopped daemon: the kernel accepts connections, and no process answers
	hung := filepath.Join(t.TempDir(), "hung.sock")
	l, err := net.Listen("unix", hung)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	dead := filepath.Join(t.TempDir(), "dead.sock") // the socket of a killed daemon
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close()
	for _, c := range []struct{ socket, code, want, hint string }{
		{"/nonexistent/agent.sock", codeAbsent, "cannot reach the agent at /nonexistent/agent.sock: it is not running\n", "hint: sudo systemctl start noi-agent "},
		{dead, codeAbsent, "it is not running\n", "hint: sudo systemctl start noi-agent "},
		{hung, codeSilent, "it runs, but does not answer\n", "hint: sudo systemctl restart noi-agent "},
	} {
		commands := asking()
		if c.socket == hung {
			commands = []string{"export", "read adc_vbterm"} // each waits for its limit
		}
		for _, command := range commands {
			begun := time.Now()
			config := clitest.WriteConfig(t, "lines:\n  - {name: a, port: /dev/ttyUSB987, slaves: [{id: 1, model: PSPWM}]}\nstatus: {socket: "+c.socket+"}\n")
			args := append(strings.Fields(command), "--config", config)
			if c.socket != hung {
				args = append(strings.Fields(command), "--socket", c.socket)
			}
			code, stdout, stderr := run1(args...)
			if took := time.Since(begun); took > 5*time.Second+askLimit/4 && c.socket == hung {
				t.Logf("%s took %v", command, took) // not a failure: the machine may be busy
			}
			if code != ExitFailed || stdout != "" || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, c.hint) {
				t.Errorf("%s at %s exits %d: %s%s", command, c.socket, code, stdout, stderr)
			}
		}
		_, _, stderr := run1("status", "--json", "--socket", c.socket)
		var pr api.Error
		if err := json.Unmarshal([]byte(stderr), &pr); err != nil || pr.Type != "urn:noi-agent:problem:"+c.code || pr.Hint == "" || pr.Title == "The command failed" {
			t.Errorf("%v: %s", err, stderr)
		}
	}
	if askLimit > 5*time.Second {
		t.Errorf("a silent daemon is reported after %v", askLimit)
	}
}

// TestADaemonOfAnotherConfigurationIsNotTheService: the hint starts the daemon with this configuration.
func TestADaemonOfAnotherConfigurationIsNotTheService(t *testing.T) {
	config := clitest.WriteConfig(t, "status: {socket: /nonexistent/agent.sock}\n")
	_, _, stderr := run1("gaps", "--config", config)
	if want := "it is not running\nhint: noi-agent run --config " + config + "\n"; !strings.HasSuffix(stderr, want) {
		t.Errorf("%s, want %s", stderr, want)
	}
}

// TestTheServiceStartsByTheScriptOfItsSystem: a system without systemd has a script.
func TestTheServiceStartsByTheScriptOfItsSystem(t *testing.T) {
	root := t.TempDir()
	if got := serviceHint(root, "start"); !strings.HasPrefix(got, "sudo systemctl start noi-agent ") {
		t.Error(got)
	}
	if err := os.MkdirAll(filepath.Join(root, "etc/init.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/init.d/noi-agent"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := serviceHint(root, "restart"); got != "/etc/init.d/noi-agent restart" {
		t.Error(got)
	}
}

// TestForbiddenSocketNamesTheGroup makes the error itself, because root is never refused.
func TestForbiddenSocketNamesTheGroup(t *testing.T) {
	t.Setenv("USER", "mia o'hara")
	for _, err := range []error{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}, fs.ErrPermission} {
		f := (&noDaemonError{"/run/noi-agent/agent.sock", err}).fault()
		if f.code != codeForbidden || f.Error() != "cannot reach the agent at /run/noi-agent/agent.sock: permission denied" ||
			f.hint != `sudo usermod -aG noi-agent 'mia o'\''hara', then log in again` {
			t.Errorf("%v: %q", f, f.hint)
		}
	}
}

// TestAgentOfAnotherVersionIsNamed: if the running agent does not know a request, or answers in another form, the error says that it has
// another version.
func TestAgentOfAnotherVersionIsNamed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "a.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/status" {
			_, _ = fmt.Fprint(w, `{"version":"0.0.9","integrations":[{"id":"`+clitest.SNSID+`"}],"lines":[]}`)
			return
		}
		http.NotFound(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	code, _, stderr := run1("deadletters", "--socket", socket)
	if code != ExitFailed || !strings.Contains(stderr, "the running agent is version 0.0.9, this command is 1.0.10") || !strings.Contains(stderr, "hint: sudo systemctl restart noi-agent") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	_, stdout, _ := run1("status", "--socket", socket)
	clitest.MustHold(t, stdout, "The running daemon is version 0.0.9, this command is 1.0.10", "hint: sudo systemctl restart noi-agent")
}

// TestFullDiskIsAFailure: if the output cannot be written, the command fails.
func TestFullDiskIsAFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full: ", err)
	}
	defer full.Close()
	for _, command := range []string{"check", "objects", "plan", "version", "objects adc_vbterm", "setup aws", "completion bash", "help"} {
		var stderr clitest.Buffer
		p := &Program{Stdout: full, Stderr: &stderr, Version: "1.0.10", Now: time.Now, Signals: Signals}
		code := p.Run(append(strings.Fields(command), "--config", clitest.WriteConfig(t, "lines: []\n")))
		if code != ExitFailed || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("%s exits %d: %s", command, code, stderr.String())
		}
	}
}

func TestOneObjectIsExplained(t *testing.T) {
	config := clitest.WriteConfig(t, "integrations:\n  - {name: main-solar, type: aws, objects: 'adc_*'}\n  - {name: other, type: gcp, objects: T_batt}\n")
	code, stdout, stderr := run1("objects", "adc_vbterm", "--config", config)
	if code != ExitDone {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	clitest.MustHold(t, stdout, "adc_vbterm    ", "attery", "PSPWM, Morningstar ProStar PWM", "unit          V", "register      0x0012, 1 register, function 04", "encoding      f16",
		"log interval  ", "confidence    ", "integrations that list it: main-solar\n")
	code, stdout, _ = run1("objects", "charge_state", "--family", "PSPWM", "--json", "--config", config)
	var e explanation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil || code != ExitDone || len(e.Families) != 1 || e.Families[0].Names == nil || e.Integrations == nil {
		t.Errorf("%v, exit %d: %s", err, code, stdout)
	}
	if _, stdout, _ = run1("objects", "pspwm"); !strings.HasPrefix(stdout, "PSPWM: ") {
		t.Errorf("a family's name gives %.100q", stdout)
	}
	if code, _, stderr = run1("objects", "adc_vbtrem"); code != ExitMisused || !strings.Contains(stderr, "did you mean adc_vbterm?") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
