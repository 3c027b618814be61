package status_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"noi-agent/status"
	"noi-agent/status/api"
)

// TestEachAttackWorksWithoutItsLayer sends the requests that a hostile page can make a browser send. They go first to
// the routes without guard and door, where they must succeed, and then to the endpoint.
func TestEachAttackWorksWithoutItsLayer(t *testing.T) {
	g := newGate(t, nil)
	bare := httptest.NewServer(g.Bare())
	defer bare.Close()
	cookie := g.logIn(t, g.token)
	type header = map[string]string
	const status, try = "/api/v1/status", "/api/v1/try"
	for _, c := range []struct {
		name, method, path, body string
		header                   header
		want                     int
	}{
		{"a name that resolves to us reads", "GET", status, "", header{"Host": "evil.example"}, 421},
		{"and reads the metrics of health", "GET", "/healthz", "", header{"Host": "evil.example"}, 421},
		{"and opens the page", "GET", "/", "", header{"Host": "evil.example:8780"}, 421},
		{"and watches events", "GET", "/api/v1/logs", "", header{"Host": "evil.example", "Sec-Fetch-Site": "same-origin"}, 421},
		{"and changes", "POST", try, tryBody, header{"Host": "evil.example", "Origin": "http://evil.example", "Content-Type": "application/json"}, 421},
		{"a form of another site", "POST", try, tryBody, header{"Origin": "http://evil.example", "Content-Type": "text/plain", "Cookie": cookie}, 403},
		{"a fetch of another site", "POST", try, tryBody, header{"Sec-Fetch-Site": "cross-site", "Content-Type": "application/json", "Cookie": cookie}, 403},
		{"a page on another port", "POST", try, tryBody, header{"Sec-Fetch-Site": "same-site", "Content-Type": "application/json", "Cookie": cookie}, 403},
		{"an image", "GET", status, "", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403},
		{"a script", "GET", "/api/v1/triggers", "", header{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403},
		{"a form that pretends to be JSON", "POST", try, tryBody, header{"Content-Type": "text/plain", "Cookie": cookie}, 415},
		{"a program of another user", "POST", try, tryBody, header{"Content-Type": "application/json"}, 401},
	} {
		if a := askWith(t, client(""), c.method, bare.URL+c.path, c.body, c.header); a.code != http.StatusOK {
			t.Errorf("%s fails without the guard too: %d %s", c.name, a.code, a.body)
		}
		tried := len(g.control.tried)
		if a := askWith(t, client(""), c.method, g.url+c.path, c.body, c.header); a.code != c.want {
			t.Errorf("%s: %d, want %d: %s", c.name, a.code, c.want, a.body)
		}
		if len(g.control.tried) != tried {
			t.Errorf("%s changes something", c.name)
		}
	}
	own := header{"Origin": g.url, "Content-Type": "application/json", "Cookie": cookie}
	if a := askWith(t, client(""), "POST", g.url+try, tryBody, own); a.code != http.StatusOK {
		t.Errorf("our own page on plain HTTP: %d %s", a.code, a.body)
	}
}

// TestNoAnswerHasASecret requests all routes with a login, and checks that no answer has a secret.
func TestNoAnswerHasASecret(t *testing.T) {
	var dir string
	g := newGate(t, func(o *status.Options) {
		dir = o.StateDir
		o.TLS.Cert = ""
		o.Integrations = oneIntegration{}
	})
	cookie := g.logIn(t, g.token)
	session := cookie[strings.Index(cookie, "=")+1:]
	if secret, err := os.ReadFile(filepath.Join(dir, "admin-token")); err != nil || !strings.Contains(string(secret), g.token) {
		t.Fatal("the test searches for the wrong token")
	}
	seen := 0
	for _, r := range g.AllRoutes() {
		method, path, _ := strings.Cut(r, " ")
		if path == "/api/v1/events" { // the stream has no end
			continue
		}
		path = regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(strings.TrimSuffix(path, "{$}"), "x")
		h := map[string]string{"Cookie": cookie, "Authorization": "Bearer " + g.token}
		body := ""
		if method != "GET" {
			h["Content-Type"], body = "application/json", `{"type":"aws"}`
		}
		for _, c := range []*http.Client{client(""), client(g.socket)} {
			base := g.url
			if c.Transport.(*http.Transport).DialContext != nil {
				base = "http://localhost"
			}
			if path == "/api/v1/token/rotate" || path == "/api/v1/login" || path == "/api/v1/logout" {
				continue // have their own tests, and change the secrets that this test searches
			}
			a := askWith(t, c, method, base+path, body, h)
			seen++
			for _, secret := range []string{g.token, session} {
				if strings.Contains(a.body, secret) {
					t.Errorf("%s has a secret: %s", r, a.body)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d answers were checked", seen)
	}
}

// TestHostileTextIsInertOnThePage puts an attack into each foreign text of the status.
func TestHostileTextIsInertOnThePage(t *testing.T) {
	const attack = "<img src=x onerror=alert(1)>\x1b]52;c;aGk=\x07\n=cmd|' /C calc'!A0"
	w := quiet()
	w.status.Lines = []api.Line{{Name: "rs485", Error: attack, Slaves: []api.Slave{{UnitID: 1, Slave: attack,
		ProductCode: attack, CCFirmware: attack, Error: attack}}}}
	w.status.Integrations = []api.Integration{{ID: "x", Name: attack, Type: "aws", LastError: attack}}
	w.status.Problems = []api.Problem{{Code: "slave_silent", Severity: api.Fault, Title: attack, Detail: attack, Remedy: attack}}
	w.objects = api.Objects{Objects: []api.Latest{{Line: "rs485", Slave: attack, UnitID: 1, Object: attack, Value: []byte("1")}}}
	w.triggers = api.Triggers{Triggers: []api.Trigger{{ID: 1, IntegrationData: api.Answer{Error: attack},
		PublishedData: []byte("{}")}}}
	url := start(t, w)
	shown := 0
	for _, path := range []string{"/", "/triggers", "/system", "/integrations/aws", "/integrations/gcp", "/values"} {
		a := get(t, url+path)
		if strings.Contains(a.body, "<img src=x") {
			t.Errorf("%s has a foreign element: %s", path, a.body)
		}
		if strings.Contains(a.body, "&lt;img") {
			shown++
		}
	}
	if shown == 0 {
		t.Error("no page shows the text: the test proves nothing")
	}
}
