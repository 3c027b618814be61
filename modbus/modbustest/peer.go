package modbustest

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// peerGrace is how long a peer may take to end after SIGTERM. Then it is killed.
	peerGrace = 2 * time.Second
	// peerLimit limits every wait for a peer. It only ends a broken test: on a busy machine an interpreter needs
	// seconds to start.
	peerLimit = 60 * time.Second
)

// PeerTB is the part of *testing.T that peers need in addition to TB.
type PeerTB interface {
	TB
	Skipf(format string, args ...any)
	TempDir() string
	Output() io.Writer
}

// NeedPeer ends the test unless the command probe ends with status 0, which it does only if the peer is usable. The
// test is skipped on a developer's machine. With CI=true it fails, so that no test is left out without notice.
// packages are the Debian packages of the peer; tools/debian-packages.txt has them too.
func NeedPeer(tb PeerTB, name, packages string, probe ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), peerLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, probe[0], probe[1:]...).CombinedOutput()
	if err == nil {
		return
	}
	end := tb.Skipf
	if os.Getenv("CI") == "true" {
		end = tb.Fatalf
	}
	cause := lastLine(out)
	if cause == "" {
		cause = err.Error()
	}
	end("%s is missing: apt-get install %s (%s)", name, packages, cause)
}

func lastLine(text []byte) string {
	text = bytes.TrimSpace(text)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

// Peer is a started program of another project. Its output goes to the test's log.
type Peer struct {
	said  *said
	ended chan struct{} // closed when the program and its output have ended
	err   error         // how it ended, once ended is closed
}

// StartPeer starts a program that ends with the test at the latest. It ends by SIGTERM, and after a grace period by
// SIGKILL. The kernel kills it if this process ends before, as at the time limit of `go test`.
func StartPeer(tb PeerTB, program string, args ...string) *Peer {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	p := &Peer{said: &said{fresh: make(chan struct{})}, ended: make(chan struct{})}
	out := io.MultiWriter(p.said, tb.Output())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = peerGrace
	// The kernel sends the signal when the starting thread ends. Go ends a thread only with a goroutine that locked
	// it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		stop()
		tb.Fatalf("start %s: %v", program, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	tb.Cleanup(func() {
		stop()
		<-p.ended // WaitDelay limits this wait
	})
	return p
}

// Await returns when the peer has printed text. It ends the test if the peer ends before.
func (p *Peer) Await(tb TB, text string) {
	tb.Helper()
	limit := time.NewTimer(peerLimit)
	defer limit.Stop()
	for {
		found, fresh := p.said.has(text)
		if found {
			return
		}
		select {
		case <-fresh:
		case <-p.ended:
			if found, _ := p.said.has(text); !found {
				tb.Fatalf("the peer ended (%v) and never said %q", p.err, text)
			}
		case <-limit.C:
			tb.Fatalf("the peer does not say %q", text)
		}
	}
}

// MustCable connects two serial ports with socat until the test ends, and returns their paths. Bytes written to one
// can be read from the other at once. Either may be closed and opened again.
func MustCable(tb PeerTB) (here, there string) {
	tb.Helper()
	NeedPeer(tb, "socat", "socat", "socat", "-V")
	dir := tb.TempDir()
	here, there = filepath.Join(dir, "here"), filepath.Join(dir, "there")
	end := func(link string) string { return "pty,raw,echo=0,link=" + link }
	cable := StartPeer(tb, "socat", "-d", "-d", end(here), end(there))
	cable.Await(tb, "starting data transfer") // by then both paths exist
	return here, there
}

// said has the output of a peer.
type said struct {
	mu    sync.Mutex // guards the fields below
	text  bytes.Buffer
	fresh chan struct{} // closed at the next write
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.fresh)
	s.fresh = make(chan struct{})
	return s.text.Write(p)
}

// has reports whether text is in the output. If not, fresh is closed at the next output.
func (s *said) has(text string) (found bool, fresh <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text), s.fresh
}
