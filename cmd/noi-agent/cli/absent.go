package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"noi-agent/internal/shell"
)

// The codes of the reasons why a daemon gives no answer. The hint of each has one command that helps.
const (
	codeAbsent    = "agent_absent"
	codeForbidden = "agent_forbidden"
	codeSilent    = "agent_silent"
	codeForeign   = "agent_foreign"
)

// askLimit is the time limit of a request to the daemon, which answers from memory within milliseconds.
const askLimit = 4 * time.Second

// completionLimit is the time limit of a completion, because a person waits for it.
const completionLimit = time.Second

// noDaemonError means that the daemon gives no answer on the socket.
type noDaemonError struct {
	socket string
	err    error
}

func (e *noDaemonError) Error() string { return e.fault().Error() }

func (e *noDaemonError) Unwrap() error { return e.err }

// absent reports whether no daemon runs, so that its port and its store are free.
func (e *noDaemonError) absent() bool { return e.fault().code == codeAbsent }

// As implements the interface of errors.As for *fault.
func (e *noDaemonError) As(target any) bool {
	f, ok := target.(**fault)
	if ok {
		*f = e.fault()
	}
	return ok
}

// fault returns the error with its code and hint: the daemon does not run, this user has no permission to use the
// socket, or the daemon does not answer.
func (e *noDaemonError) fault() *fault {
	because := func(code, reason, hint string) *fault {
		return &fault{err: fmt.Errorf("cannot reach the agent at %s: %s", e.socket, reason), code: code, hint: hint,
			exit: ExitFailed}
	}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(e.err, fs.ErrPermission):
		return because(codeForbidden, "permission denied", forbiddenHint(e.socket))
	case errors.Is(e.err, fs.ErrNotExist), errors.Is(e.err, syscall.ECONNREFUSED):
		return because(codeAbsent, "it is not running", serviceHint("/", "start"))
	case errors.Is(e.err, context.Canceled):
		return because("interrupted", "stopped by a signal", "")
	case errors.As(e.err, &timeout) && timeout.Timeout():
		return because(codeSilent, "it runs, but does not answer", serviceHint("/", "restart"))
	default:
		return because(codeSilent, e.err.Error(), "sudo systemctl status noi-agent")
	}
}

// foreign returns an error if the daemon has refused a request because it is of another version. Otherwise it returns
// nil.
func (cli *commandLine) foreign(ctx context.Context, refused *refusedError) error {
	if refused.code != http.StatusNotFound && refused.code != http.StatusMethodNotAllowed &&
		refused.code != http.StatusBadRequest {
		return nil
	}
	s, err := cli.daemonStatus(ctx)
	if err != nil || s.Version == cli.version {
		return nil
	}
	return &fault{
		err:  fmt.Errorf("the running agent is version %s, this command is %s: %w", s.Version, cli.version, refused),
		code: codeForeign, hint: "sudo systemctl restart noi-agent", exit: ExitFailed,
	}
}

// serviceHint returns the command that starts or restarts the service. Alpine and OpenWrt have no systemd, but a
// script. root is the root of the file system.
func serviceHint(root, action string) string {
	if _, err := os.Stat(filepath.Join(root, initScript)); err == nil {
		return initScript + " " + action
	}
	return "sudo systemctl " + action + " noi-agent     (log: journalctl -u noi-agent -n 50)"
}

// initScript is a file of the packages for Alpine and OpenWrt.
const initScript = "/etc/init.d/noi-agent"

// forbiddenHint returns the command that gives this user the permission to use the socket.
func forbiddenHint(string) string {
	user := os.Getenv("USER")
	if user == "" {
		return "sudo usermod -aG noi-agent \"$USER\", then log in again"
	}
	return "sudo usermod -aG noi-agent " + shell.Quote(user) + ", then log in again"
}
