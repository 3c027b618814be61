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
	// peerLimit bounds every wait for a peer. It only ends a test that is broken: an interpreter on a
	// crowded machine takes seconds to start.
	peerLimit = 60 * time.Second
)

// PeerTB is what peers need of a *testing.T besides.
type PeerTB interface {
	TB
	Skipf(format string, args ...any)
	TempDir() string
	Output() io.Writer
}

// NeedPeer ends the test unless probe, a command that only a usable peer lets succeed, ends with status 0. The
// test is skipped on a desk and fails where CI=true: there nothing may go untested unnoticed. packages are the Debian
// packages that bring the peer; tools/debian-packages.txt has them too.
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

// Peer is a started program that is not ours. What it prints goes to the test's log.
type Peer struct {
	said  *said
	ended chan struct{} // closed when the program and its output have ended
	err   error         // how it ended, once ended is closed
}

// StartPeer starts a program that ends with the test at the latest: by SIGTERM, by SIGKILL after a grace period, and by
// the kernel when this process dies before it can do either, as it does when the time of `go test` is up.
func StartPeer(tb PeerTB, program string, args ...string) *Peer {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	p := &Peer{said: &said{fresh: make(chan struct{})}, ended: make(chan struct{})}
	out := io.MultiWriter(p.said, tb.Output())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = peerGrace
	// Strictly it is sent when the starting thread ends. Go ends a thread only with a goroutine that locked it.
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
		<-p.ended // WaitDelay bounds it
	})
	return p
}

// Await returns when the peer has printed text. It ends the test when the peer ends without.
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

// MustCable joins two serial ports by socat until the test ends, and returns their paths. What is written to the one is
// read from the other, without any pace. Either may be closed and opened again.
func MustCable(tb PeerTB) (here, there string) {
	tb.Helper()
	NeedPeer(tb, "socat", "socat", "socat", "-V")
	dir := tb.TempDir()
	here, there = filepath.Join(dir, "here"), filepath.Join(dir, "there")
	end := func(link string) string { return "pty,raw,echo=0,link=" + link }
	cable := StartPeer(tb, "socat", "-d", "-d", end(here), end(there))
	cable.Await(tb, "starting data transfer") // both links are there by then
	return here, there
}

// said is what a peer has printed.
type said struct {
	mu    sync.Mutex // guards what follows
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

// has reports whether text was said; if not, fresh is closed when more is.
func (s *said) has(text string) (found bool, fresh <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text), s.fresh
}
