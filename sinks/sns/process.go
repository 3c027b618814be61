package sns

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
)

const (
	// maxPrinted is the most bytes that are read from a credential_process. Credentials have about 2,000.
	maxPrinted = 64 << 10
	// leftOpen is how long the output of a credential_process is read after its end, because child processes may keep
	// it open.
	leftOpen = time.Second
)

// errPrinted is the end of a credential_process that prints without end.
var errPrinted = errors.New("it printed more than 64 KiB")

// process runs the credential_process of a profile. The SDK's own implementation does not end the child processes of
// the command, and keeps the whole output. Here the command leads a process group. The group is killed when the
// command has ended, has printed too much, or has taken too long.
type process struct {
	command string
	life    context.Context // ends with the sink
	end     context.CancelFunc
	running sync.WaitGroup
}

func newProcess(command string) *process {
	p := &process{command: command}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

// close ends running commands, and waits for their end.
func (p *process) close() {
	p.end()
	p.running.Wait()
}

// Retrieve is part of aws.CredentialsProvider.
func (p *process) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if p.life.Err() != nil {
		return aws.Credentials{}, &processcreds.ProviderError{Err: context.Canceled}
	}
	p.running.Add(1)
	defer p.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	r := &processRun{}
	builder := processcreds.NewCommandBuilderFunc(func(ctx context.Context) (*exec.Cmd, error) {
		return r.build(ctx, p.command), nil
	})
	found, err := processcreds.NewProviderCommand(builder).Retrieve(ctx)
	r.kill() // child processes that the command has left
	switch {
	case r.full:
		return found, &processcreds.ProviderError{Err: errPrinted}
	case err != nil && errors.Is(r.ctx.Err(), context.DeadlineExceeded):
		return found, &processcreds.ProviderError{Err: r.ctx.Err()}
	}
	return found, err
}

// processRun is one run of the command. Other goroutines read the fields after the run has ended.
type processRun struct {
	ctx  context.Context // its time limit
	cmd  *exec.Cmd
	left int  // bytes that it may still print
	full bool // it has printed too much
}

func (r *processRun) build(ctx context.Context, command string) *exec.Cmd {
	r.ctx, r.left = ctx, maxPrinted
	r.cmd = exec.CommandContext(ctx, "sh", "-c", command)
	r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = os.Environ(), r, os.Stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.WaitDelay = leftOpen
	r.cmd.Cancel = func() error {
		r.kill()
		return nil
	}
	return r.cmd
}

// kill ends the whole process group, if it was started.
func (r *processRun) kill() {
	if r.cmd != nil && r.cmd.Process != nil {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	}
}

// Write is part of io.Writer: it gets the output of the command. The SDK keeps the bytes that Write accepts.
func (r *processRun) Write(p []byte) (int, error) {
	if r.left -= len(p); r.left < 0 {
		r.full = true
		r.kill()
		return 0, errPrinted
	}
	return len(p), nil
}
