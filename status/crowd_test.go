package status_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
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
		_, _ = fmt.Fprint(c, first) // it may be cut already
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

// A thousand clients that only hold a connection: the honest one is answered, and the server keeps 128 at most.
func TestACrowdDoesNotKeepAnHonestClientOut(t *testing.T) {
	const many, cap = 1000, 128
	for name, first := range map[string]string{
		"silent":        "",
		"a byte a time": "G",
		"idle":          "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := status.New(options(quiet()))
			serve(t, s)
			before := descriptors(t)
			all := crowd(t, s.Addr(), many, first)
			dripping := make(chan struct{})
			defer close(dripping)
			if name == "a byte a time" {
				go drip(all, dripping)
			}
			if a := get(t, "http://"+s.Addr()+"/readyz"); a.code != http.StatusOK {
				t.Errorf("the honest client: %d", a.code)
			}
			// Ours are a thousand; the server's are the rest.
			if kept := descriptors(t) - before - many; kept > cap+1 {
				t.Errorf("the server keeps %d connections", kept)
			}
		})
	}
}

// drip sends the rest of a request, a byte a second on each connection.
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

// What a crowd can do to a server that makes clients wait for their turn: nothing is answered until it goes.
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
		t.Errorf("the status meanwhile: %d", a.code)
	}
	close(release)
	for range 4 {
		if code := <-ended; code != http.StatusOK {
			t.Errorf("one of four: %d", code)
		}
	}
}
