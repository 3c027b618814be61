package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status"
)

// visitor is a browser on the pages of a real agent.
type visitor struct {
	t      *testing.T
	base   string
	cookie string
	token  string // the file with the admin token
}

// The button on the System page acknowledges the gaps that the page shows. It works only from this page, for a person
// who is logged in. Then the page no longer shows these gaps, and the trigger log shows them with a mark. The mark
// cannot be removed, because it hides nothing in the trigger log.
func TestTheButtonOfTheGapsMarksWhatThePageShows(t *testing.T) {
	a, v := gapsVisitor(t)
	missing := func(object string, at time.Time) {
		gap := objects.Gap{Unit: "rs485/1", Object: object, From: at, To: at, Count: 7, Reason: objects.GapBus}
		if err := a.store.Missing("FFjU28MMaL3W9B9hhhhH", gap); err != nil {
			t.Fatal(err)
		}
	}
	missing("adc_va", time.Now().Add(-time.Hour))
	_, page := v.get("/system")
	_, rest, _ := strings.Cut(page, `action="/system/gaps/acknowledge"><input type="hidden" name="until" value="`)
	until, _, _ := strings.Cut(rest, `"`)
	if !strings.Contains(page, "adc_va") || until == "" {
		t.Fatalf("the page has no button:\n%s", page)
	}
	missing("adc_vb", time.Now().Add(time.Hour)) // newer than the page
	for _, c := range []struct {
		who    string
		header map[string]string
		secret string
		code   int
	}{
		{"without a login", nil, "", http.StatusUnauthorized},
		{"with a wrong token", nil, "wrong", http.StatusUnauthorized},
		{"from another site", map[string]string{"Origin": "http://evil.example"}, "token", http.StatusForbidden},
		{"from another port", map[string]string{"Origin": "", "Sec-Fetch-Site": "same-site"}, "token", http.StatusForbidden},
		{"with the token", nil, "token", http.StatusSeeOther},
		{"again, by the session", nil, "", http.StatusSeeOther},
	} {
		code, body := v.press(until, c.secret, c.header)
		if code != c.code {
			t.Errorf("%s: %d, want %d: %s", c.who, code, c.code, body)
		}
		_, page := v.get("/system")
		marked := code == http.StatusSeeOther
		if strings.Contains(page, "adc_va") == marked || !strings.Contains(page, "adc_vb") {
			t.Errorf("%s: want adc_va on the page: %t, and want adc_vb always; got:\n%s", c.who, !marked, page)
		}
		if _, log := v.get("/triggers?gaps=true"); strings.Contains(log, "· acknowledged") != marked || strings.Count(log, " missing</strong>") != 2 {
			t.Errorf("%s: want both gaps in the trigger log, and a mark: %t; got:\n%s", c.who, marked, log)
		}
	}
}

// gapsVisitor returns an agent that does not run, and a browser on its pages.
func gapsVisitor(t *testing.T) (*Agent, *visitor) {
	t.Helper()
	parsed, catalog := parseConfig(t, "device_id: 5300520006504b5957343920\nclock: {source: system}\nstate_dir: "+t.TempDir()+`
integrations: [{id: FFjU28MMaL3W9B9hhhhH, type: gcp, objects: all, project_id: my-project, topic: solar}]
`)
	a, err := New(Options{Config: parsed, Catalog: catalog, Version: "1", Logger: slog.New(slog.DiscardHandler),
		NewSink: func(configs.Integration, string) (publish.Sink, error) { return nil, errors.New("none") }})
	if err != nil {
		t.Fatal(err)
	}
	s := status.New(status.Options{Reporter: a, TriggerLog: a, Health: a, Gaps: a, Listen: "127.0.0.1:0",
		StateDir: parsed.StateDir, DeviceID: parsed.DeviceID})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-served, a.Close()); err != nil {
			t.Error(err)
		}
	})
	return a, &visitor{t: t, base: "http://" + s.Addr(), token: filepath.Join(parsed.StateDir, "admin-token")}
}

// get returns a page.
func (v *visitor) get(path string) (code int, body string) {
	v.t.Helper()
	return v.do("GET", path, nil, nil)
}

// press sends the form like the page. secret is the secret that the visitor types; "token" means the right one.
func (v *visitor) press(until, secret string, header map[string]string) (code int, body string) {
	v.t.Helper()
	form := url.Values{"until": {until}}
	if secret == "token" {
		token, err := os.ReadFile(v.token)
		if err != nil {
			v.t.Fatal(err)
		}
		secret = strings.TrimSpace(string(token))
	}
	if secret != "" {
		form.Set("admin_secret", secret)
	}
	return v.do("POST", "/system/gaps/acknowledge", form, header)
}

func (v *visitor) do(method, path string, form url.Values, header map[string]string) (code int, body string) {
	v.t.Helper()
	request, err := http.NewRequest(method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", v.base)
	}
	if v.cookie != "" {
		request.Header.Set("Cookie", v.cookie)
	}
	for name, value := range header {
		request.Header.Del(name)
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(request) // follows no redirect
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if set := answer.Header.Get("Set-Cookie"); set != "" {
		v.cookie, _, _ = strings.Cut(set, ";")
	}
	return answer.StatusCode, string(text)
}
