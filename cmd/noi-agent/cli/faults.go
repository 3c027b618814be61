package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"noi-agent/status/api"
)

// Exit codes.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitMisused     = 2
	ExitInterrupted = 130 // Ctrl-C, as a shell counts it: 128 and SIGINT
)

// fault is an error with its exit code and a hint.
type fault struct {
	err  error
	code string // for programs: the last part of the problem's type; "" for "failed" and "misused"
	hint string // a command to paste, or a question; "": none
	exit int
}

func (f *fault) Error() string { return f.err.Error() }

func (f *fault) Unwrap() error { return f.err }

// misused returns the fault for a wrong command line.
func misused(err error, hint string) *fault {
	return &fault{err: err, code: "misused", hint: hint, exit: ExitMisused}
}

// failed returns the fault for a failure. hint may be "".
func failed(err error, hint string) *fault {
	return &fault{err: err, code: "failed", hint: hint, exit: ExitFailed}
}

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// errSilent is a failure about which the command has already printed everything.
var errSilent = errors.New("failed")

// exitCode is such a failure with its own exit code.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// conclude prints the error of a command, if there is one, and returns the exit code.
func (p *Program) conclude(err error, cli *commandLine) int {
	var own exitCode
	var f *fault
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &own):
		return int(own)
	}
	if !errors.Is(err, errSilent) {
		p.complain(err, cli)
	}
	if errors.As(err, &f) {
		return f.exit
	}
	return ExitFailed
}

// complain prints an error: for people as a text with the hint on its own line, for programs as problem+json (RFC
// 9457).
func (p *Program) complain(err error, cli *commandLine) {
	f := &fault{err: err, code: "failed"}
	errors.As(err, &f)
	text, hint := cli.advised(strings.TrimSpace(err.Error())), cli.hintOf(f)
	if cli.JSON {
		_ = p.printProblem(api.Error{Type: api.ErrorPrefix + f.code, Title: problemTitle(err, f.code),
			Status: statusOf(err), Detail: text, Hint: hint})
		return
	}
	sentence(p.Stderr, "noi-agent: %s", text)
	if hint != "" {
		fmt.Fprintf(p.Stderr, "hint: %s\n", hint)
	}
}

func (p *Program) printProblem(e api.Error) error {
	enc := json.NewEncoder(p.Stderr)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// problemTitle returns the title of an error, which all errors with the same code have. A refusal has the daemon's
// title.
func problemTitle(err error, code string) string {
	var refused *refusedError
	if errors.As(err, &refused) {
		return refused.says.Title
	}
	switch code {
	case "misused":
		return "The command line is wrong"
	case codeAbsent:
		return "The agent is not running"
	case codeForbidden:
		return "No permission to ask the agent"
	case codeSilent:
		return "The agent does not answer"
	case codeForeign:
		return "The agent is of another version"
	default:
		return "The command failed"
	}
}

// statusOf returns the HTTP status of a refusal by the daemon; 0 for other errors.
func statusOf(err error) int {
	var refused *refusedError
	if errors.As(err, &refused) {
		return refused.code
	}
	return 0
}
