package status_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"noi-agent/status"
)

// crowd opens connections that keep a server busy, each with these first bytes.
func crowd(t *testing.T, address string, n int, first string) []net.Conn {
	t.Helper()
	all := make([]net.Conn, 0, n)
	for range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = fmt.Fprint(c, first) // fails if the server has closed the connection
		all = append(all, c)
	}
	return all
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(list)
}

// Three times, a thousand clients hold a connection and do nothing else. The honest client is answered each time, and
// the server keeps at most 128 connections. No time limit of the server ends a connection here. So only the reaper
// makes room, and at once, even on a slow machine.
func TestACrowdDoesNotKeepAnHonestClientOut(t *testing.T) {
	const many, cap, waves = 1000, 128, 3
	for name, first := range map[string]string{
		"silent":        "",
		"a byte a time": "G",
		"idle":          "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := status.New(options(quiet()))
			s.SetConnectionLimits(time.Hour, time.Hour)
			serve(t, s)
			before, dripping := descriptors(t), make(chan struct{})
			var drips sync.WaitGroup
			defer drips.Wait()
			defer close(dripping)
			for wave := range waves {
				all := crowd(t, s.Addr(), many, first)
				if name == "a byte a time" {
					drips.Go(func() { drip(all, dripping) })
				}
				for range 3 {
					if a := get(t, "http://"+s.Addr()+"/readyz"); a.code != http.StatusOK {
						t.Errorf("the honest client: %d", a.code)
					}
				}
				// A thousand descriptors a wave are those of the clients. The others are the server's.
				if kept := descriptors(t) - before - many*(wave+1); kept > cap+1 {
					t.Errorf("wave %d: the server keeps %d connections", wave, kept)
				}
			}
		})
	}
}

// TestThePagesOfTheTriggerLogWaitForTheirTurnToo: a page with a filter reads as many rows as a download, so it must
// wait in the same way.
func TestThePagesOfTheTriggerLogWaitForTheirTurnToo(t *testing.T) {
	w := quiet()
	held, release := make(chan struct{}, 100), make(chan struct{}) // a page reads more than once
	w.onTriggers = func() { held <- struct{}{}; <-release }
	s := status.New(options(w))
	serve(t, s)
	free, ended := sync.OnceFunc(func() { close(release) }), make(chan int, 4)
	defer free()
	for _, path := range []string{"/triggers?success=true", "/triggers", "/api/v1/triggers", "/api/v1/triggers.csv"} {
		go func() { ended <- get(t, "http://"+s.Addr()+path).code }()
	}
	for range 4 {
		select {
		case <-held:
		case code := <-ended:
			t.Fatalf("one of four is answered at once: %d", code)
		}
	}
	for _, path := range []string{"/triggers?success=false", "/api/v1/triggers.jsonl", "/api/v1/bundle"} {
		if a := get(t, "http://"+s.Addr()+path); a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "5" {
			t.Errorf("the fifth, %s: %d %s", path, a.code, a.body)
		}
	}
	for _, path := range []string{"/values", "/api/v1/status", "/healthz"} {
		if a := get(t, "http://"+s.Addr()+path); a.code != http.StatusOK {
			t.Errorf("%s at the same time: %d", path, a.code)
		}
	}
	free()
	for range 4 {
		if code := <-ended; code != http.StatusOK {
			t.Errorf("one of four: %d", code)
		}
	}
}

// drip sends the rest of a request, one byte a second on each connection.
func drip(all []net.Conn, stop chan struct{}) {
	const rest = "ET /healthz HTTP/1.1\r\n"
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for i := range len(rest) {
		for _, c := range all {
			_, _ = c.Write([]byte{rest[i]})
		}
		select {
		case <-stop:
			return
		case <-second.C:
		}
	}
}

// Shows what a crowd does to a server without a reaper: there is no answer until the crowd leaves.
func TestACrowdHoldsAServerWithoutTheReaper(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	turns := &turnstile{Listener: l, free: make(chan struct{}, 128), over: make(chan struct{})}
	s := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = s.Serve(turns) }()
	defer func() { _ = s.Close() }()
	defer close(turns.over)
	crowd(t, l.Addr().String(), 129, "")
	c := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := c.Get("http://" + l.Addr().String()); err == nil {
		_ = resp.Body.Close()
		t.Error("the honest client is answered: the tests of the crowd prove nothing")
	}
}

// turnstile accepts as many connections as its channel has room for.
type turnstile struct {
	net.Listener
	free chan struct{}
	over chan struct{} // closed when the test is
}

func (l *turnstile) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
		return l.Listener.Accept()
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func TestTheFifthThatReadsTheStoreIsAskedToWait(t *testing.T) {
	w := quiet()
	held, release := make(chan struct{}, 4), make(chan struct{})
	w.onTriggers = func() { held <- struct{}{}; <-release }
	s := status.New(options(w))
	serve(t, s)
	url := "http://" + s.Addr() + "/api/v1/triggers"
	ended := make(chan int, 4)
	for range 4 {
		go func() { ended <- get(t, url).code }()
	}
	for range 4 {
		<-held
	}
	a := get(t, url)
	if a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "5" {
		t.Errorf("the fifth: %d %s", a.code, a.body)
	}
	if a := get(t, "http://"+s.Addr()+"/api/v1/status"); a.code != http.StatusOK {
		t.Errorf("the status at the same time: %d", a.code)
	}
	close(release)
	for range 4 {
		if code := <-ended; code != http.StatusOK {
			t.Errorf("one of four: %d", code)
		}
	}
}
