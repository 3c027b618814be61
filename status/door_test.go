package status_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/status/guard"
)

// gate is a served endpoint with all ways to log in.
type gate struct {
	*status.Server
	url, socket, token string
	control            *controlWorld
	client             *http.Client // client on another machine; nil: other machines cannot reach the endpoint
}

// controlWorld records the requests of an operator.
type controlWorld struct {
	Control
	tried []string
}

func (c *controlWorld) Reload(context.Context) error { return nil }

func (c *controlWorld) TryNow(id string) error {
	c.tried = append(c.tried, id)
	return nil
}

// Control is not used in these tests.
type Control = status.Control

func newGate(t *testing.T, change func(*status.Options)) *gate {
	t.Helper()
	o := options(quiet())
	g := &gate{control: &controlWorld{}, socket: shortDir(t) + "/agent.sock"}
	o.StateDir, o.DeviceID, o.Socket, o.Control = t.TempDir(), "5300520006504b5957343920", g.socket, g.control
	if change != nil {
		change(&o)
	}
	g.Server = status.New(o)
	serve(t, g.Server)
	g.url = "http://" + g.Addr()
	token, err := guard.ReadToken(o.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	g.token = token
	return g
}

const tryBody = `{"integration":"x"}`

// send posts JSON over TCP with additional headers.
func (g *gate) send(t *testing.T, path, body string, header map[string]string) answer {
	t.Helper()
	h := map[string]string{"Content-Type": "application/json"}
	for k, v := range header {
		h[k] = v
	}
	return askWith(t, client(""), http.MethodPost, g.url+path, body, h)
}

// code returns a one-time code, as noi-agent login gets it.
func (g *gate) code(t *testing.T) string {
	t.Helper()
	a := post(t, client(g.socket), "http://localhost/api/v1/login-code", "")
	c := decoded[api.LoginCode](t, []byte(a.body))
	if a.code != http.StatusOK || c.Code == "" || c.ExpiresS != 300 {
		t.Fatalf("%d %s", a.code, a.body)
	}
	return c.Code
}

func TestAChangeOverTCPNeedsTheTokenOrASession(t *testing.T) {
	g := newGate(t, nil)
	bearer := func(token string) map[string]string { return map[string]string{"Authorization": "Bearer " + token} }
	a := g.send(t, "/api/v1/try", tryBody, nil)
	if a.code != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("without anything: %d %s", a.code, a.body)
	}
	for name, h := range map[string]map[string]string{
		"wrong token": bearer(g.token[1:]), "another scheme": {"Authorization": "Basic " + g.token},
		"made up session": {"Cookie": "noi-53005200=" + strings.Repeat("A", 43)},
	} {
		if a := g.send(t, "/api/v1/try", tryBody, h); a.code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
	}
	if len(g.control.tried) != 0 {
		t.Fatal("something was changed")
	}
	if a := g.send(t, "/api/v1/try", tryBody, bearer(g.token)); a.code != http.StatusOK {
		t.Errorf("with the token: %d %s", a.code, a.body)
	}
	cookie := g.logIn(t, g.code(t))
	if a := g.send(t, "/api/v1/try", tryBody, map[string]string{"Cookie": cookie}); a.code != http.StatusOK {
		t.Errorf("with a session: %d %s", a.code, a.body)
	}
	foreign := map[string]string{"Cookie": cookie, "Origin": "http://127.0.0.1:1"}
	if a := g.send(t, "/api/v1/try", tryBody, foreign); a.code != http.StatusForbidden {
		t.Errorf("with a session, for a page of another port: %d %s", a.code, a.body)
	}
	if a := post(t, client(g.socket), "http://localhost/api/v1/try", tryBody); a.code != http.StatusOK {
		t.Errorf("over the socket: %d %s", a.code, a.body)
	}
	if n := len(g.control.tried); n != 3 {
		t.Errorf("%d of 3 changes were done", n)
	}
}

// logIn returns the cookie of a new session, as a browser sends it.
func (g *gate) logIn(t *testing.T, secret string) string {
	t.Helper()
	a := g.send(t, "/api/v1/login", `{"secret":"`+secret+`"}`, nil)
	set := a.header.Get("Set-Cookie")
	if a.code != http.StatusOK || a.body != "{\"may_change\":true,\"by\":\"session\"}\n" {
		t.Fatalf("%d %s", a.code, a.body)
	}
	mustContain(t, set, "noi-53005200=", "Path=/", "HttpOnly", "SameSite=Strict")
	if strings.Contains(set, "Secure") || strings.Contains(set, "__Host-") {
		t.Errorf("a browser drops %q without TLS", set)
	}
	return set[:strings.Index(set, ";")]
}

func TestTheDescriptionOfTheAPIIsServed(t *testing.T) {
	g := newGate(t, nil)
	a := get(t, g.url+"/api/v1/openapi.yaml")
	if a.code != http.StatusOK || a.header.Get("Content-Type") != "application/yaml" || a.body != api.OpenAPI() {
		t.Errorf("%d %s", a.code, a.header.Get("Content-Type"))
	}
	if a := post(t, client(g.socket), "http://localhost/api/v1/reload", ""); a.code != http.StatusOK {
		t.Errorf("%d %s", a.code, a.body)
	}
}

func TestSessionSaysWhoMayChangeThings(t *testing.T) {
	g := newGate(t, nil)
	cookie := g.logIn(t, g.token)
	session := func(h map[string]string) string {
		return ask(t, client(""), http.MethodGet, g.url+"/api/v1/session", h).body
	}
	for by, h := range map[string]map[string]string{
		"none": nil, "token": {"Authorization": "Bearer " + g.token}, "session": {"Cookie": cookie},
	} {
		mustContain(t, session(h), `"by":"`+by+`"`)
	}
	mustContain(t, ask(t, client(g.socket), http.MethodGet, "http://localhost/api/v1/session", nil).body, `"by":"socket"`)
	a := g.send(t, "/api/v1/logout", "", map[string]string{"Cookie": cookie})
	mustContain(t, a.header.Get("Set-Cookie"), "noi-53005200=;", "Max-Age=0")
	mustContain(t, session(map[string]string{"Cookie": cookie}), `"may_change":false,"by":"none"`)
}

func TestWrongTriesOverHTTPWait(t *testing.T) {
	var now time.Duration
	g := newGate(t, func(o *status.Options) { o.Elapsed = func() time.Duration { return now } })
	for range 5 {
		if a := g.send(t, "/api/v1/login", `{"secret":"AAAA-AAAA"}`, nil); a.code != http.StatusUnauthorized {
			t.Fatalf("%d %s", a.code, a.body)
		}
	}
	code := g.code(t)
	a := g.send(t, "/api/v1/login", `{"secret":"`+code+`"}`, nil)
	if a.code != http.StatusTooManyRequests || a.header.Get("Retry-After") != "60" {
		t.Errorf("%d, Retry-After %q", a.code, a.header.Get("Retry-After"))
	}
	mustContain(t, a.body, "Too many wrong tries. Try again in 60 s.", `"retry_after_s":60`)
	g.logIn(t, g.token)
	now = time.Minute
	g.logIn(t, code)
}

func TestCodeAndRotationAreForTheSocket(t *testing.T) {
	g := newGate(t, nil)
	bearer := map[string]string{"Authorization": "Bearer " + g.token}
	for _, path := range []string{"/api/v1/login-code", "/api/v1/token/rotate"} {
		if a := g.send(t, path, "", bearer); a.code != http.StatusForbidden {
			t.Errorf("%s over TCP: %d %s", path, a.code, a.body)
		}
	}
	cookie := g.logIn(t, g.token)
	a := post(t, client(g.socket), "http://localhost/api/v1/token/rotate", "")
	if a.code != http.StatusOK || a.body != "{\"sessions_ended\":1}\n" {
		t.Errorf("%d %s", a.code, a.body)
	}
	for name, h := range map[string]map[string]string{"token": bearer, "session": {"Cookie": cookie}} {
		if a := g.send(t, "/api/v1/try", tryBody, h); a.code != http.StatusUnauthorized {
			t.Errorf("the old %s: %d", name, a.code)
		}
	}
}

func TestABodyOfAnotherKindIsRefused(t *testing.T) {
	g := newGate(t, nil)
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "a b"} {
		h := map[string]string{"Authorization": "Bearer " + g.token, "Content-Type": kind}
		if a := g.send(t, "/api/v1/try", tryBody, h); a.code != http.StatusUnsupportedMediaType {
			t.Errorf("%q: %d %s", kind, a.code, a.body)
		}
	}
	h := map[string]string{"Authorization": "Bearer " + g.token, "Content-Type": "application/json; charset=utf-8"}
	if a := g.send(t, "/api/v1/try", tryBody, h); a.code != http.StatusOK {
		t.Errorf("%d %s", a.code, a.body)
	}
}
