package status_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"noi-agent/status"
)

// listen opens the listeners and closes them again. It returns the error of Listen.
func listen(t *testing.T, o status.Options) error {
	t.Helper()
	s := status.New(o)
	err := s.Listen()
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Serve(ended); err != nil {
		t.Error(err)
	}
	return nil
}

func TestAddressesThatCanBeListenedOn(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "127.0.0.2:0", "localhost:0"} {
		o := options(quiet())
		o.Listen = address
		if err := listen(t, o); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, want := range map[string]string{
		"8780": "such as 127.0.0.1:8780", "127.0.0.1": "such as 127.0.0.1:8780", "::1:8780": "such as 127.0.0.1:8780",
		":0": "want an IP address", "gateway:8780": "want an IP address", "127.0.0.1.nip.io:80": "want an IP address",
		"0.0.0.0:0": "no state directory to keep a certificate in",
	} {
		o := options(quiet())
		o.Listen = address
		err := listen(t, o)
		if err == nil {
			t.Errorf("%s: listens", address)
			continue
		}
		mustContain(t, err.Error(), want)
	}
}

func TestTakenPortSaysTheWayOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	o := options(quiet())
	o.Listen, o.Socket = l.Addr().String(), shortDir(t)+"/agent.sock"
	err = listen(t, o)
	if err == nil {
		t.Fatal("the port was taken")
	}
	mustContain(t, err.Error(), o.Listen, "ss -ltnp", "status.listen")
	mustBeAbsent(t, o.Socket)
}

func TestSocketIsForOwnerAndGroupWhateverTheUmask(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		o := options(quiet())
		o.Listen, o.Socket = "", shortDir(t)+"/agent.sock"
		s := status.New(o)
		old := syscall.Umask(mask)
		err := s.Listen()
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(o.Socket)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode() != fs.ModeSocket|0o660 {
			t.Errorf("umask %#o: mode %v", mask, st.Mode())
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.Serve(ended); err != nil {
			t.Error(err)
		}
		mustBeAbsent(t, o.Socket)
	}
}

func TestSocketOfAKilledAgentIsReplaced(t *testing.T) {
	path := shortDir(t) + "/agent.sock"
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false) // as after a kill
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	o := options(quiet())
	o.Socket = path
	serve(t, status.New(o))
	if a := ask(t, client(path), http.MethodGet, "http://agent/healthz", nil); a.code != http.StatusOK {
		t.Errorf("%d", a.code)
	}
}

func TestSocketOfARunningAgentIsLeftAlone(t *testing.T) {
	o := options(quiet())
	o.Socket = shortDir(t) + "/agent.sock"
	serve(t, status.New(o))

	second := status.New(o)
	err := second.Listen()
	if !errors.Is(err, status.ErrRunning) {
		t.Fatalf("%v", err)
	}
	mustContain(t, err.Error(), o.Socket, "another agent runs", "status.socket")
	if second.Addr() != "" {
		t.Error("the TCP address stays bound after a failure")
	}
	if a := ask(t, client(o.Socket), http.MethodGet, "http://agent/healthz", nil); a.code != http.StatusOK {
		t.Errorf("the first agent answers %d", a.code)
	}
}

func TestSocketThatCannotBeMadeSaysTheWayOut(t *testing.T) {
	dir := shortDir(t)
	file := dir + "/file"
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, parts := range map[string][]string{
		file:                              {"is not a socket", "status.socket"},
		dir + "/absent/agent.sock":        {"RuntimeDirectory", "status.socket"},
		dir + strings.Repeat("/long", 30): {"status.socket"},
	} {
		o := options(quiet())
		o.Socket = path
		err := listen(t, o)
		if err == nil {
			t.Errorf("%s: listens", path)
			continue
		}
		mustContain(t, err.Error(), parts...)
	}
	if got := string(mustRead(t, file)); got != "precious" {
		t.Errorf("the file has the content %q now", got)
	}
}

func TestServeNeedsListen(t *testing.T) {
	if err := status.New(options(quiet())).Serve(t.Context()); err == nil {
		t.Error("Serve works without listeners")
	}
	s := status.New(options(quiet()))
	serve(t, s)
	if s.Listen() == nil {
		t.Error("Listen works twice")
	}
}

func TestServingNothingWaitsForTheEnd(t *testing.T) {
	o := options(quiet())
	o.Listen = ""
	if err := serve(t, status.New(o))(); err != nil {
		t.Error(err)
	}
}

func TestEndLeavesNoGoroutineAndNoSocket(t *testing.T) {
	o := options(quiet())
	o.Socket = shortDir(t) + "/agent.sock"
	s := status.New(o)
	before := goleak.IgnoreCurrent()
	stop := serve(t, s)
	kept, err := net.Dial("unix", o.Socket) // a client that does not close its connection
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	if _, err := kept.Write([]byte("GET /healthz HTTP/1.1\r\nHost: agent\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
	mustBeAbsent(t, o.Socket)
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		_ = c.Close()
		t.Error("the TCP port still answers")
	}
}

func TestRequestInFlightIsAnsweredAtTheEnd(t *testing.T) {
	w := quiet()
	w.hold, w.holding = make(chan struct{}), make(chan struct{}, 1)
	s := status.New(options(w))
	s.SetLimits(64, time.Minute, time.Minute)
	stop := serve(t, s)
	answered := make(chan answer, 1)
	go func() { answered <- get(t, "http://"+s.Addr()+"/api/v1/status") }()
	<-w.holding
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	waitRefused(t, s.Addr()) // the server has begun to end
	close(w.hold)
	if a := <-answered; a.code != http.StatusOK {
		t.Errorf("%d %s", a.code, a.body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The agent closes its store after Serve. A request that takes longer than the grace period must not find the store
// closed.
func TestServeWaitsForTheAgentsAnswerWhenTheGraceIsOver(t *testing.T) {
	w := quiet()
	w.hold, w.holding = make(chan struct{}), make(chan struct{}, 1)
	s := status.New(options(w))
	s.SetLimits(64, time.Minute, time.Millisecond)
	stop := serve(t, s)
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	<-w.holding
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes, want the connection cut", n)
	}
	select {
	case err := <-ended:
		t.Errorf("Serve returned %v during a request to the agent", err)
	default:
	}
	close(w.hold)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSlowReaderDoesNotHoldTheServer(t *testing.T) {
	const length = 2 << 20 // far more than the buffers of a unix socket
	w := quiet()
	w.status.DeviceID = strings.Repeat("x", length)
	o := options(w)
	o.Listen, o.Socket = "", shortDir(t)+"/agent.sock"
	s := status.New(o)
	if !s.Bounded() {
		t.Error("a limit is not set")
	}
	s.SetLimits(1, 2*time.Second, time.Second) // one connection, so no other is served until the slow one is closed
	serve(t, s)
	slow, err := net.Dial("unix", o.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	if _, err := slow.Write([]byte("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for refused := 0; ; refused++ {
		resp, err := client(o.Socket).Get("http://localhost/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if refused == 0 {
				t.Error("the slow reader was never in the way")
			}
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the slow reader blocks the server")
		}
	}
	if n, _ := io.Copy(io.Discard, slow); n >= length {
		t.Errorf("the slow reader got all %d bytes", n)
	}
}

func TestFullTCPLeavesTheSocketFree(t *testing.T) {
	o := options(quiet())
	o.Socket = shortDir(t) + "/agent.sock"
	s := status.New(o)
	s.SetLimits(1, time.Minute, time.Millisecond)
	serve(t, s)
	c, err := net.Dial("tcp", s.Addr()) // sends nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if a := ask(t, client(o.Socket), http.MethodGet, "http://agent/readyz", nil); a.code != http.StatusOK {
		t.Errorf("%d", a.code)
	}
}

func mustBeAbsent(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s still exists: %v", path, err)
	}
}

// waitRefused waits until no program listens on the address any more.
func waitRefused(t *testing.T, address string) {
	t.Helper()
	for {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		_ = c.Close()
		if t.Context().Err() != nil {
			t.Fatal("a program still listens")
		}
	}
}
