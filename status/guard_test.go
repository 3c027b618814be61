package status_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"noi-agent/status"
)

// TestABrowserGetsAPageForAnAddressWithoutOne: with the ways to the other pages. A program gets a text, or JSON.
func TestABrowserGetsAPageForAnAddressWithoutOne(t *testing.T) {
	url := start(t, quiet())
	browser := map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
	for _, c := range []struct {
		path   string
		header map[string]string
		kind   string
		want   string
	}{
		{"/nope%3Cb%3E", browser, "text/html", `There is no such page`},
		{"/nope", browser, "text/html", `href="/triggers"`},
		{"/nope", nil, "text/plain", "nothing is at /nope"},
		{"/api/v1/nope", browser, "application/problem+json", "nothing is at /api/v1/nope"},
	} {
		a := ask(t, client(""), http.MethodGet, url+c.path, c.header)
		if a.code != http.StatusNotFound || !strings.HasPrefix(a.header.Get("Content-Type"), c.kind) || strings.Contains(a.body, "<b>") {
			t.Errorf("%s: %d %s", c.path, a.code, a.header.Get("Content-Type"))
		}
		mustContain(t, a.body, c.want)
	}
}

func TestForeignRequestsAreRefused(t *testing.T) {
	o := options(quiet())
	o.Hostname, o.Hosts = "main-solar-gw", []string{"solar.example.org"}
	server := status.New(o)
	serve(t, server)
	url := "http://" + server.Addr()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	type header = map[string]string
	const page, api = "/", "/api/v1/status"
	for _, c := range []struct {
		name, path string
		header     header
		want       int
	}{
		{"localhost", api, header{"Host": "localhost:" + port}, 200},
		{"localhost without port", api, header{"Host": "LocalHost"}, 200},
		{"other loopback address", api, header{"Host": "127.8.9.10:" + port}, 200},
		{"IPv6 loopback", api, header{"Host": "[::1]:" + port}, 200},
		{"IPv6 loopback without port", api, header{"Host": "[::1]"}, 200},
		{"rebound name", api, header{"Host": "evil.example:" + port}, 421},
		{"rebound name on the page", page, header{"Host": "evil.example"}, 421},
		{"rebound name on the health check", "/healthz", header{"Host": "evil.example"}, 421},
		{"name that begins like ours", api, header{"Host": "localhost.evil.example:" + port}, 421},
		{"address that begins like ours", api, header{"Host": "127.0.0.1.evil.example"}, 421},
		{"address of the network", api, header{"Host": "192.168.1.7:" + port}, 200},
		{"any address", api, header{"Host": "0.0.0.0:" + port}, 421},
		{"any address of IPv6", api, header{"Host": "[::]:" + port}, 421},
		{"any address in another form", api, header{"Host": "[::ffff:0.0.0.0]"}, 421},
		{"port of a tunnel", api, header{"Host": "localhost:1"}, 200},
		{"name below localhost", api, header{"Host": "gw7.localhost:1"}, 200},
		{"name of the machine", api, header{"Host": "Main-Solar-GW"}, 200},
		{"name of the machine in the local network", api, header{"Host": "main-solar-gw.local:" + port}, 200},
		{"configured name", api, header{"Host": "solar.example.org."}, 200},
		{"name below a configured one", api, header{"Host": "x.solar.example.org"}, 421},

		{"own origin", api, header{"Origin": url}, 200},
		{"foreign origin", api, header{"Origin": "http://evil.example"}, 403},
		{"origin of another port", api, header{"Origin": "http://127.0.0.1:1"}, 403},
		{"origin of a sandbox", api, header{"Origin": "null"}, 403},

		{"typed address", page, header{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200},
		{"own page", api, header{"Sec-Fetch-Site": "same-origin"}, 200},
		{"foreign page", api, header{"Sec-Fetch-Site": "cross-site"}, 403},
		{"foreign page reads the page", page, header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"page on another port", api, header{"Sec-Fetch-Site": "same-site"}, 403},
		{"unknown mark", api, header{"Sec-Fetch-Site": "new-word"}, 403},
		{"link to the page", page, header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"link to older rows", "/triggers?before=9", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
		{"page in a frame", page, header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		{"link to the API", api, header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
		{"link with a foreign host", page, header{"Host": "evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 421},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := ask(t, client(""), http.MethodGet, url+c.path, c.header)
			if a.code != c.want {
				t.Errorf("%d, want %d: %s", a.code, c.want, a.body)
			}
			if leaked := strings.Contains(a.body, "5300520006504b5957343920"); leaked != (c.want == 200) {
				t.Errorf("the answer names the device: %v", leaked)
			}
		})
	}
}

// raw sends header lines unchanged, and returns the status line.
func raw(t *testing.T, url string, lines ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprint(c, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func TestHostThatNoBrowserSendsIsRefused(t *testing.T) {
	url := start(t, quiet())
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"GET /api/v1/status HTTP/1.1", "Host: 127.0.0.1"}, "200"},
		{[]string{"GET /api/v1/status HTTP/1.0"}, "421"}, // without Host
		{[]string{"GET /api/v1/status HTTP/1.1", "Host:"}, "421"},
		{[]string{"GET /api/v1/status HTTP/1.1", "Host: [::1%lo]"}, "421"},
		{[]string{"GET /api/v1/status HTTP/1.1", "Host: 127.1"}, "421"},
		// the request line counts
		{[]string{"GET http://evil.example/api/v1/status HTTP/1.1", "Host: localhost"}, "421"},
		{[]string{"GET /api/v1/status HTTP/1.1", "Host: localhost", "Host: evil.example"}, "400"},
	} {
		if got := raw(t, url, c.lines...); !strings.Contains(got, " "+c.want+" ") {
			t.Errorf("%q: %s, want %s", c.lines, got, c.want)
		}
	}
}

// A page in a browser whose requests are forwarded to the socket must still be checked as a page.
func TestSocketChecksOriginAndNamesWithADot(t *testing.T) {
	o := options(quiet())
	o.Listen, o.Socket = "", shortDir(t)+"/agent.sock"
	s := status.New(o)
	serve(t, s)
	if s.Addr() != "" {
		t.Errorf("TCP address %q without TCP", s.Addr())
	}
	for _, c := range []struct {
		header map[string]string
		want   int
	}{
		{map[string]string{"Host": "whatever"}, 200},
		{map[string]string{"Host": "evil.example"}, 421},
		{map[string]string{"Host": "localhost:9000", "Origin": "http://localhost:9000"}, 200},
		{map[string]string{"Origin": "http://evil.example"}, 403},
		{map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
	} {
		if a := ask(t, client(o.Socket), http.MethodGet, "http://agent/api/v1/status", c.header); a.code != c.want {
			t.Errorf("%v: %d, want %d", c.header, a.code, c.want)
		}
	}
}

func TestEveryAnswerCarriesTheProtection(t *testing.T) {
	url := start(t, quiet())
	for _, c := range []struct{ method, path, host string }{
		{"GET", "/", ""}, {"GET", "/style.css", ""}, {"GET", "/api/v1/status", ""}, {"GET", "/healthz", ""},
		{"GET", "/nothing", ""}, {"POST", "/", ""}, {"GET", "/", "evil.example"}, {"GET", "/?before=x", ""},
	} {
		h := ask(t, client(""), c.method, url+c.path, map[string]string{"Host": c.host}).header
		mustContain(t, h.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;",
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s %s: %s %q", c.method, c.path, name, got)
			}
		}
		if strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s %s: the policy allows inline code", c.method, c.path)
		}
	}
}

func TestLongHeaderIsRefused(t *testing.T) {
	url := start(t, quiet())
	long := "X-Long: " + strings.Repeat("x", 32<<10)
	if got := raw(t, url, "GET /healthz HTTP/1.1", "Host: localhost", long); !strings.Contains(got, " 431 ") {
		t.Errorf("%s", got)
	}
}
