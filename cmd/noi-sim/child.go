package main

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// outputGrace is how long the output of the command may stay open after the command ended. A process that the command
// started can keep the output open; noi-sim does not wait for that process longer.
const outputGrace = 2 * time.Second

// child is the command, in its own process group: only noi-sim gets the SIGINT of a Ctrl-C at the terminal.
type child struct {
	cmd        *exec.Cmd
	ended      chan error // gets the command's end once
	terminated bool       // SIGTERM was sent
	killed     bool       // SIGKILL was sent
}

// startChild runs command with the environment env. What the command prints goes to output.
func startChild(command, env []string, output io.Writer) (*child, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = outputGrace
	if err := cmd.Start(); err != nil {
		hint := ""
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, syscall.ENOENT) {
			hint = "; is it built? make build"
		}
		return nil, fmt.Errorf("start %s: %w%s", command[0], err, hint)
	}
	c := &child{cmd: cmd, ended: make(chan error, 1)}
	go func() { c.ended <- cmd.Wait() }()
	return c, nil
}

// terminate sends SIGTERM to the whole process group, because a wrapper such as `sh -c` does not pass signals on.
func (c *child) terminate() {
	if c.killed {
		return
	}
	c.terminated = true
	c.signal(syscall.SIGTERM)
}

// kill sends SIGKILL to the whole process group.
func (c *child) kill() {
	c.killed = true
	c.signal(syscall.SIGKILL)
}

func (c *child) signal(s syscall.Signal) {
	_ = syscall.Kill(-c.cmd.Process.Pid, s) // an error means that the group has ended
}

// verdict returns nil when the command ended well: with status 0, or by the SIGTERM that it was sent and did not catch.
func (c *child) verdict(end error) error {
	var exit *exec.ExitError
	if end == nil || errors.Is(end, exec.ErrWaitDelay) {
		return nil
	}
	if !errors.As(end, &exit) {
		return fmt.Errorf("wait for %s: %w", c.cmd.Path, end)
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGTERM && c.terminated:
		return nil
	case c.killed:
		return fmt.Errorf("the command was killed (%v)", exit)
	default:
		return fmt.Errorf("the command failed (%v)", exit)
	}
}

// childEnv returns the environment of the command: ours, without the variables for a real account or a proxy, and with
// extra.
func childEnv(ours, extra []string) []string {
	env := slices.DeleteFunc(slices.Clone(ours), func(kv string) bool {
		name, _, _ := strings.Cut(strings.ToUpper(kv), "=")
		return strings.HasPrefix(name, "AWS_") || strings.HasSuffix(name, "_PROXY") ||
			name == "PUBSUB_EMULATOR_HOST" || name == "GOOGLE_APPLICATION_CREDENTIALS"
	})
	// Without EC2 metadata: outside of EC2 the SDK would wait for a host that does not answer.
	env = append(env, "AWS_EC2_METADATA_DISABLED=true", "NO_PROXY=*", "no_proxy=*")
	return append(env, extra...)
}
