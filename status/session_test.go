package status_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/guard"
)

// openStream starts to read events. The channel is closed at the end of the stream.
func openStream(t *testing.T, c *http.Client, url string, header map[string]string) (ended <-chan struct{}) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := c.Do(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the stream: %v %v", resp, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, resp.Body) // any end counts
		_ = resp.Body.Close()
	}()
	t.Cleanup(func() { _ = resp.Body.Close(); <-done })
	return done
}

// TestAStreamEndsWithItsSession: if reading needs a login, a client whose login has ended gets no more events.
func TestAStreamEndsWithItsSession(t *testing.T) {
	var clock atomic.Int64
	rotate := func(t *testing.T, g *gate, _ string) {
		post(t, client(g.socket), "http://localhost/api/v1/token/rotate", "")
	}
	for name, c := range map[string]struct {
		bearer bool
		end    func(t *testing.T, g *gate, cookie string)
	}{
		"log out": {end: func(t *testing.T, g *gate, cookie string) {
			askWith(t, g.client, http.MethodPost, g.url+"/api/v1/logout", "", map[string]string{"Cookie": cookie})
		}},
		"expiry":              {end: func(*testing.T, *gate, string) { clock.Add(int64(guard.SessionLife)) }},
		"a new token":         {end: rotate},
		"a new token, bearer": {bearer: true, end: rotate},
	} {
		t.Run(name, func(t *testing.T) {
			g := outsideWith(t, func(o *status.Options) {
				o.Elapsed = func() time.Duration { return time.Duration(clock.Load()) }
			})
			a := askWith(t, g.client, http.MethodPost, g.url+"/api/v1/login", `{"secret":"`+g.code(t)+`"}`,
				map[string]string{"Content-Type": "application/json"})
			cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
			h := map[string]string{"Cookie": cookie}
			if c.bearer {
				h = map[string]string{"Authorization": "Bearer " + g.token}
			}
			ended := openStream(t, g.client, g.url, h)
			other := openStream(t, client(g.socket), "http://localhost", nil)
			clock.Add(int64(guard.SessionLife - time.Second))
			select {
			case <-ended:
				t.Error("the stream ends before its session")
			case <-time.After(2500 * time.Millisecond): // time for at least two checks of the session
			}
			c.end(t, g, cookie)
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Error("the stream continues after the end of its session")
			}
			select {
			case <-other:
				t.Error("the stream over the socket has ended too, although it needs no session")
			default:
			}
			if a := ask(t, g.client, http.MethodGet, g.url+"/api/v1/events", h); a.code != http.StatusUnauthorized {
				t.Errorf("a new stream: %d", a.code)
			}
		})
	}
}

// TestAStreamNeedsNoSessionWhereReadingIsOpen: without a login for reading, the end of a session does not end a
// stream.
func TestAStreamNeedsNoSessionWhereReadingIsOpen(t *testing.T) {
	g := newGate(t, nil)
	cookie := g.logIn(t, g.token)
	ended := openStream(t, client(""), g.url, map[string]string{"Cookie": cookie})
	g.send(t, "/api/v1/logout", "", map[string]string{"Cookie": cookie})
	select {
	case <-ended:
		t.Error("the stream ends with a session that it does not need")
	case <-time.After(2500 * time.Millisecond):
	}
}

// TestAPageAsksForTheLoginAgainWhenItHasEnded: a page leads to the login, with its return address and the reason. The
// API answers 401. A form keeps all typed values.
func TestAPageAsksForTheLoginAgainWhenItHasEnded(t *testing.T) {
	var clock atomic.Int64
	book := &theIntegration{}
	g := outsideWith(t, func(o *status.Options) {
		o.Elapsed, o.Integrations = func() time.Duration { return time.Duration(clock.Load()) }, book
	})
	const page = "/integrations/a/edit"
	a := askWith(t, g.client, http.MethodPost, g.url+"/api/v1/login", `{"secret":"`+g.token+`"}`,
		map[string]string{"Content-Type": "application/json"})
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	h := map[string]string{"Cookie": cookie}
	for range 3 { // each use extends the session by 12 hours
		clock.Add(int64(guard.SessionLife - time.Second))
		if a := ask(t, g.client, http.MethodGet, g.url+page, h); a.code != http.StatusOK || strings.Contains(a.body, `action="/login"`) {
			t.Fatalf("a session in use: %d %s", a.code, a.body)
		}
	}
	clock.Add(int64(guard.SessionLife))
	a = ask(t, g.client, http.MethodGet, g.url+page, h)
	mustContain(t, a.body, "Your login has ended. Log in again to go on.", "12 hours", `action="/login"`, `name="next" value="`+page+`"`)
	if a := ask(t, g.client, http.MethodGet, g.url+page, nil); strings.Contains(a.body, "has ended") {
		t.Errorf("there was no login: %s", a.body)
	}
	if a := ask(t, g.client, http.MethodGet, g.url+"/api/v1/status", h); a.code != http.StatusUnauthorized || !strings.Contains(a.body, "Log in to see this.") {
		t.Errorf("the API: %d %s", a.code, a.body)
	}
	h["Content-Type"], h["Origin"] = "application/x-www-form-urlencoded", g.url
	a = askWith(t, g.client, http.MethodPost, g.url+page, url.Values{"name": {"roof"}, "objects": {"adc_vbterm"}}.Encode(), h)
	if a.code != http.StatusUnauthorized || len(book.asked) != 0 {
		t.Errorf("a form: %d, %q", a.code, book.asked)
	}
	mustContain(t, a.body, "Log in to change things. What you typed is kept.", `value="roof"`, `name="admin_secret"`)
}

// sendForm sends a form like a page of this endpoint.
func (g *gate) sendForm(t *testing.T, path string, typed url.Values, header map[string]string) answer {
	t.Helper()
	h := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": g.url}
	for k, v := range header {
		h[k] = v
	}
	c := client("")
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return askWith(t, c, http.MethodPost, g.url+path, typed.Encode(), h)
}

// TestAFormLogsInByItsOwnField: without a session the form is shown again, with all typed values and a field for the
// token. With the right token the form is accepted, and the browser gets a session.
func TestAFormLogsInByItsOwnField(t *testing.T) {
	book := &theIntegration{}
	g := newGate(t, func(o *status.Options) { o.Integrations = book })
	const edit = "/integrations/a/edit"
	typed := func(secret string) url.Values {
		v := url.Values{"name": {"roof <1>"}, "objects": {"adc_vbterm, T_*"}, "etag": {`"1"`}}
		if secret != "" {
			v.Set("admin_secret", secret)
		}
		return v
	}
	kept := []string{`value="roof &lt;1&gt;"`, `value="adc_vbterm, T_*"`, `name="admin_secret"`, `name="etag" value="&#34;1&#34;"`}
	for _, secret := range []string{"", "wrong"} {
		a := g.sendForm(t, edit, typed(secret), nil)
		if a.code != http.StatusUnauthorized || a.header.Get("Set-Cookie") != "" || strings.Contains(a.body, `value="wrong"`) {
			t.Errorf("with %q: %d, cookie %q", secret, a.code, a.header.Get("Set-Cookie"))
		}
		mustContain(t, a.body, kept...)
	}
	if len(book.asked) != 0 {
		t.Fatalf("something was changed without a login: %q", book.asked)
	}
	if a := g.sendForm(t, edit, typed(g.token), map[string]string{"Origin": "http://127.0.0.1:1"}); a.code != http.StatusForbidden {
		t.Errorf("the token from another site's form: %d", a.code)
	}
	a := g.sendForm(t, edit, typed(g.code(t)), nil)
	if a.code != http.StatusSeeOther || len(book.asked) != 1 || !strings.Contains(book.asked[0], `"adc_vbterm","T_*"`) ||
		strings.Contains(book.asked[0], "admin_secret") {
		t.Errorf("with a code: %d, %q", a.code, book.asked)
	}
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if a := g.sendForm(t, "/integrations/a/pause", nil, map[string]string{"Cookie": cookie}); a.code != http.StatusSeeOther ||
		book.asked[len(book.asked)-1] != "pause a" {
		t.Errorf("the session of the form: %d, %q", a.code, book.asked)
	}
}

// TestAFormWaitsAfterWrongTries: after wrong tries the login form asks to wait, and keeps the typed values.
func TestAFormWaitsAfterWrongTries(t *testing.T) {
	book := &theIntegration{}
	g := newGate(t, func(o *status.Options) {
		o.Integrations, o.Elapsed = book, func() time.Duration { return 0 }
	})
	form := url.Values{"name": {"roof"}, "admin_secret": {"AAAA-AAAA"}}
	for range 5 {
		g.sendForm(t, "/integrations/aws/new", form, nil)
	}
	a := g.sendForm(t, "/integrations/aws/new", form, nil)
	if a.code != http.StatusTooManyRequests || a.header.Get("Retry-After") != "60" || len(book.asked) != 0 {
		t.Errorf("%d, Retry-After %q, %q", a.code, a.header.Get("Retry-After"), book.asked)
	}
	mustContain(t, a.body, `value="roof"`, "Too many wrong tries. Try again in 60 s.")
}
