package status_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
)

// TestABodyThatArrivesTooSlowlyIsATimeout: a body that does not arrive in time is answered with 408, not with 400, and
// the connection ends. A form whose fields did not arrive is not used as a form without fields.
func TestABodyThatArrivesTooSlowlyIsATimeout(t *testing.T) {
	o := options(quiet())
	o.Socket, o.DeadLetters, o.Integrations = shortDir(t)+"/agent.sock", &lettersWorld{}, &theIntegration{}
	s := status.New(o)
	s.SetHeaderLimit(300 * time.Millisecond)
	serve(t, s)
	for path, kind := range map[string]string{
		"/api/v1/integrations":      "application/json",
		"/api/v1/deadletters/retry": "application/json",
		"/api/v1/login":             "application/json",
		"/login":                    "application/x-www-form-urlencoded",
		"/integrations/aws/new":     "application/x-www-form-urlencoded",
	} {
		a, ends := slowly(t, o.Socket, path, kind)
		if a.code != http.StatusRequestTimeout || !ends {
			t.Errorf("%s: %d, the connection ends: %t: %s", path, a.code, ends, a.body)
			continue
		}
		mustContain(t, a.body, "the body did not arrive in time", "send the request again")
		if kind != "application/json" {
			continue
		}
		e := decoded[api.Error](t, []byte(a.body))
		if a.header.Get("Content-Type") != "application/problem+json" || e.Code() != "too_slow" || e.Detail != "the body did not arrive in time" {
			t.Errorf("%s: %s %+v", path, a.header.Get("Content-Type"), e)
		}
	}
}

// slowly sends the first byte of a body of two over a unix socket, and returns the answer, and
// whether the connection ends after it.
func slowly(t *testing.T, socket, path, kind string) (a answer, ends bool) {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 2\r\n\r\n{", path, kind)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}, resp.Close
}
