package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"noi-agent/status/api"
	"noi-agent/status/web"
	"noi-agent/status/web/webtest"
)

// bench is a book whose test does one step each time a value comes from go.
type bench struct {
	*book
	on    chan struct{}
	err   error
	steps []api.TestStep
}

func (b *bench) Needs(string) (string, error) { return "aws iam --user-name push", nil }

func (b *bench) Preview(string, []byte) (api.IntegrationEntry, error) { return b.entry, nil }

func (b *bench) Test(_ context.Context, _ string, _ []byte, tell func(api.TestStep)) (api.IntegrationTest, error) {
	for _, step := range b.steps {
		<-b.on
		tell(step)
	}
	<-b.on
	return api.IntegrationTest{OK: false, Steps: b.steps}, b.err
}

// The page shows each step of a test before the next step ends, even without JavaScript. It also shows the part after
// the test.
func TestStepsOfATestAreShownAsTheyEnd(t *testing.T) {
	b := &bench{book: newBook(), on: make(chan struct{}), steps: []api.TestStep{
		{Name: "identity", Verdict: "ok", Text: "arn:aws:iam::940497413619:user/push"},
		{Name: "permission", Verdict: "FAILED", Text: "AuthorizationError: <b>", Remedy: "aws iam put-user-policy"},
	}}
	scene := webtest.Well()
	server := httptest.NewServer(muxOf(web.Options{Source: scene, Integrations: b, Now: webtest.Moment}))
	defer server.Close()
	for path, form := range map[string]url.Values{
		"/integrations/" + webtest.AWS + "/test": {},
		"/integrations/aws/new":                  {"do": {"test"}, "name": {"roof"}},
	} {
		answer, err := http.PostForm(server.URL+path, form)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		until := func(want string) {
			t.Helper()
			part := make([]byte, 4096)
			for !strings.Contains(got, want) {
				n, err := answer.Body.Read(part)
				if got += string(part[:n]); err != nil && !strings.Contains(got, want) {
					t.Fatalf("%s: %v before %q:\n%s", path, err, want, got)
				}
			}
		}
		until(`aria-label="Test"><ol>`)
		b.on <- struct{}{}
		until("user/push")
		b.on <- struct{}{}
		until("AuthorizationError: &lt;b&gt;</span><pre><code class=\"cmd\"><span>aws</span> <span>iam</span> <span>put-user-policy</span></code></pre>")
		if strings.Contains(got, "cannot publish yet") {
			t.Errorf("%s: the verdict came before the end of the test", path)
		}
		b.on <- struct{}{}
		rest, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if got += string(rest); err != nil {
			t.Fatal(err)
		}
		mustContain(t, got, "It cannot publish yet.", "</html>")
	}
}

// If a test is aborted, the page says so in place of the verdict, and the page is complete.
func TestATestThatIsBrokenOffSaysSo(t *testing.T) {
	b := &bench{book: newBook(), on: make(chan struct{}, 1), err: errors.New("another test is under way")}
	b.on <- struct{}{}
	w := httptest.NewRecorder()
	for _, p := range web.New(web.Options{Source: webtest.Well(), Integrations: b}).Pages() {
		if p.Path == "/integrations/{id}/test" {
			p.Handler(w, post(url.Values{}))
		}
	}
	mustContain(t, w.Body.String(), "The test was stopped: another test is under way", "</html>")
}

// The commands for the cloud contain the names of this gateway, and can be copied.
func TestSetupShowsTheCommands(t *testing.T) {
	mux := muxOf(web.Options{Source: webtest.Well(), Integrations: &bench{book: newBook()}, Now: webtest.Moment})
	mustContain(t, ask(mux, "/integrations/aws").Body.String(), `href="/integrations/`+webtest.AWS+`/setup">What AWS needs</a>`)
	mustContain(t, ask(mux, "/integrations/"+webtest.AWS+"/setup").Body.String(), "<span>--user-name</span> <span>push</span>",
		"data-copy hidden", "What AWS needs for main-solar")
}

// After Submit the page shows the result of the first new message, and not of older messages.
func TestFirstMessageAfterSubmit(t *testing.T) {
	w := httptest.NewRecorder()
	formPage(t, newBook(), "POST", editPath).Handler(w, post(url.Values{"objects": {"all"}}))
	to := w.Header().Get("Location")
	if want := "/integrations/aws?done=active&id=" + webtest.AWS + "&since=2022-06-28T08%3A20%3A40Z"; to != want {
		t.Fatalf("Submit goes to %s, want %s", to, want)
	}
	late := strings.Replace(to, "T08%3A20%3A40Z", "T08%3A20%3A00Z", 1)
	for _, c := range []struct{ path, want string }{
		{to, "The first message goes out with the next sample."},
		{late, "First message accepted, message id "},
	} {
		got := page(t, webtest.Well(), c.path)
		mustContain(t, got, "main-solar is active.", c.want)
	}
	mustContain(t, page(t, webtest.Troubled(), late), `<span class="mark">✗</span> AuthorizationError`)
}
