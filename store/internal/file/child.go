package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"noi-agent/store/internal/record"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// Exit codes of the child that checks a file. 2 is also how Go ends a process that panics.
const (
	childSound   = 0
	childDamaged = 2
	childCannot  = 3
	childNewer   = 4
)

// maxSaid limits how much of the child's output is kept: the trace of a panic is long.
const maxSaid = 2048

// Verdict is the code of the child process: it runs Verify, prints the fault, and returns the exit code for InChild.
func Verdict(path string, say io.Writer) int {
	err := Verify(path)
	switch {
	case err == nil:
		return childSound
	case Spoiled(err):
		fmt.Fprintln(say, err)
		return childDamaged
	case errors.Is(err, record.ErrVersion):
		fmt.Fprintln(say, err)
		return childNewer
	default:
		fmt.Fprintln(say, err)
		return childCannot
	}
}

// InChild returns a RecoverOptions.Check that runs a command with the file's path as its last argument; the command
// must exit with the code of Verdict. If the child is killed by a signal or by ctx, or exits in another way, the file
// counts as damaged. If the child cannot be started, nothing is known about the file.
func InChild(argv ...string) func(ctx context.Context, path string) error {
	return func(ctx context.Context, path string) error {
		args := append(append([]string{}, argv[1:]...), path)
		cmd := exec.CommandContext(ctx, argv[0], args...)
		said := &capped{left: maxSaid}
		cmd.Stderr = said
		cmd.Env = append(os.Environ(), "GOTRACEBACK=none")
		// The child has its own process group: otherwise a Ctrl-C would kill it, and look like a damaged file. It is
		// killed when this process ends, because the next start would find its lock. Pdeathsig is about the thread.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return judge(cmd.Run(), said.text())
	}
}

// judge turns the end of the child into an error.
func judge(err error, said string) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return fmt.Errorf("run the child that checks the store: %w", err)
	case exit.ExitCode() == childCannot:
		return fmt.Errorf("the child could not check the store: %s", said)
	case exit.ExitCode() == childNewer:
		return fmt.Errorf("%w (%s)", record.ErrVersion, said)
	case exit.ExitCode() == childDamaged && said != "":
		return fmt.Errorf("%w: %s", record.ErrDamaged, said)
	default:
		return fmt.Errorf("%w: the child that checked it: %w %s", record.ErrDamaged, err, said)
	}
}

// capped keeps the beginning of what is written to it.
type capped struct {
	b    bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.b.Write(p[:n])
	c.left -= n
	return len(p), nil
}

// text returns the first line, which has the reason. The other lines of a panic are for programmers.
func (c *capped) text() string {
	line, _, _ := strings.Cut(strings.TrimSpace(c.b.String()), "\n")
	return strings.TrimSpace(line)
}
