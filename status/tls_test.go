package status_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/status/guard"
)

// outside is a gate that other machines can reach, and a client that trusts its certificate.
func outside(t *testing.T) (*gate, *http.Client) {
	t.Helper()
	g := outsideWith(t, func(*status.Options) {})
	return g, g.client
}

// outsideWith is outside with other options.
func outsideWith(t *testing.T, change func(*status.Options)) *gate {
	t.Helper()
	var dir string
	g := newGate(t, func(o *status.Options) {
		change(o)
		o.Listen, o.TLS.Built, o.Hostname = "0.0.0.0:0", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "main-solar-gw"
		dir = o.StateDir
	})
	_, port, err := net.SplitHostPort(g.Addr())
	if err != nil {
		t.Fatal(err)
	}
	g.url = "https://127.0.0.1:" + port
	trusted := x509.NewCertPool()
	certificate, err := os.ReadFile(dir + "/" + guard.CertificateFile)
	if err != nil || !trusted.AppendCertsFromPEM(certificate) {
		t.Fatal(err)
	}
	g.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: trusted, Time: func() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) },
	}}}
	return g
}

func TestOutsideLoopbackThereIsTLSAndReadingNeedsALogin(t *testing.T) {
	g, c := outside(t)
	for _, path := range []string{"/", "/api/v1/status", "/api/v1/objects", "/api/v1/triggers", "/healthz", "/readyz", "/metrics"} {
		a := ask(t, c, http.MethodGet, g.url+path, nil)
		if login := strings.Contains(a.body, `action="/login"`); strings.Contains(a.body, "5300520006504b5957343920") || a.code == http.StatusOK && !login {
			t.Errorf("%s without a login: %d %s", path, a.code, a.body)
		}
	}
	bearer := map[string]string{"Authorization": "Bearer " + g.token}
	if a := ask(t, c, http.MethodGet, g.url+"/api/v1/status", bearer); a.code != http.StatusOK {
		t.Errorf("with the token: %d %s", a.code, a.body)
	}
	json := map[string]string{"Content-Type": "application/json"}
	a := askWith(t, c, http.MethodPost, g.url+"/api/v1/login", `{"secret":"`+g.code(t)+`"}`, json)
	set := a.header.Get("Set-Cookie")
	mustContain(t, set, "__Host-noi-53005200=", "Secure", "HttpOnly", "Path=/", "SameSite=Strict")
	cookie := map[string]string{"Cookie": set[:strings.Index(set, ";")]}
	if a := ask(t, c, http.MethodGet, g.url+"/api/v1/status", cookie); a.code != http.StatusOK {
		t.Errorf("with a session: %d %s", a.code, a.body)
	}
	unix := ask(t, client(g.socket), http.MethodGet, "http://localhost/api/v1/status", nil)
	s := decoded[api.Status](t, []byte(unix.body))
	if s.Endpoint == nil || len(s.Endpoint.Fingerprint) != 95 || !strings.HasPrefix(s.Endpoint.Addresses[0], "https://") {
		t.Errorf("over the socket: %d %+v", unix.code, s.Endpoint)
	}
}

// TestPlainHTTPIsSentToHTTPS: a request in plain HTTP is redirected to https, only for host names of the gateway. It has no other effect.
func TestPlainHTTPIsSentToHTTPS(t *testing.T) {
	g, c := outside(t)
	plain := "http" + strings.TrimPrefix(g.url, "https")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(plain, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	stay := client("")
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, one := range []struct {
		method, path, host string
		code               int
		location, says     string
	}{
		{"GET", "/triggers?object=T_*&state=failed", "", 307, g.url + "/triggers?object=T_*&state=failed", "needs HTTPS. Use https://"},
		{"GET", "/values/rs485/1/T_ind%5BU%5D", "main-solar-gw:" + port, 307, "https://main-solar-gw:" + port + "/values/rs485/1/T_ind%5BU%5D", "https"},
		{"HEAD", "/", "", 307, g.url + "/", ""},
		{"GET", "//other.example/x", "", 307, g.url + "//other.example/x", "https"},
		{"GET", "/", "other.example", 421, "", "`status.hosts`, or use https://"},
		{"GET", "/", "other.example/x.localhost", 421, "", "or use https://"},
		{"POST", "/api/v1/reload", "", 400, "", "Nothing was changed."},
	} {
		a := ask(t, stay, one.method, plain+one.path, map[string]string{"Host": one.host})
		if a.code != one.code || a.header.Get("Location") != one.location || !strings.Contains(a.body, one.says) {
			t.Errorf("%s %s as %q: %d, to %q: %s", one.method, one.path, one.host, a.code, a.header.Get("Location"), a.body)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || strings.Contains(a.body, "5300520006504b5957343920") {
			t.Errorf("%s %s: %v %s", one.method, one.path, a.header, a.body)
		}
	}
	if a := ask(t, stay, http.MethodPost, plain+"/api/v1/login", nil); !strings.Contains(a.header.Get("Content-Type"), "problem+json") {
		t.Errorf("a program (no browser) gets %v", a.header)
	}
	if a := ask(t, c, http.MethodGet, g.url+"/login", nil); a.code != http.StatusOK {
		t.Errorf("the same with TLS: %d", a.code)
	}
}

func TestAConfiguredCertificateIsServedAndItsFaultsNameIt(t *testing.T) {
	dir := t.TempDir()
	own, _, err := guard.EnsureCertificate(dir, []string{"gw7.example.org"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	o := options(quiet())
	o.TLS.Cert, o.TLS.Key = dir+"/"+guard.CertificateFile, dir+"/"+guard.CertificateFile
	s := status.New(o)
	serve(t, s)
	c, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(context.Background(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	shown := c.(*tls.Conn).ConnectionState().PeerCertificates[0]
	if !shown.Equal(own.Leaf) {
		t.Error("another certificate is served")
	}
	o.TLS.Key = dir + "/absent.key"
	if err := listen(t, o); err == nil || !strings.Contains(err.Error(), "status.tls") || !strings.Contains(err.Error(), "absent.key") {
		t.Errorf("%v", err)
	}
}
