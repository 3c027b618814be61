package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"noi-agent/status/api"
	"noi-agent/status/web/webtest"
)

// Delete refuses as Replace does.
func (b *book) Delete(context.Context, string, string) error {
	if b.refuse != nil {
		return b.refuse
	}
	return nil
}

// The card of an integration that the cloud refuses says the same as the overview: what, since when, whether data is
// lost, what to do, and a link. It shows no problem of another integration.
func TestTheCardOfARefusedIntegrationSaysWhatToDo(t *testing.T) {
	got := page(t, webtest.Troubled(), "/integrations/aws")
	card, _, _ := strings.Cut(got[strings.Index(got, `id="`+webtest.AWS+`"`):], "</section>")
	mustContain(t, card, "AWS refuses messages for main-solar", "No data is lost: 1\u202f204 samples wait.", "Since ", "18 min",
		"AuthorizationError: User", "What to do:", "publish-test", `success=false">Failed triggers`,
		"3 messages of main-solar set aside")
	if n := strings.Count(card, "AuthorizationError"); n != 1 {
		t.Errorf("the error is on the card %d times", n)
	}
	if n := strings.Count(card, " open>"); n != 1 {
		t.Errorf("%d problems are open, want the first one", n)
	}
	if gcp := page(t, webtest.Troubled(), "/integrations/gcp"); strings.Contains(gcp, "What to do:") {
		t.Error("an integration without problems shows some")
	}
}

// An edit of a paused integration leaves it paused, and the page says so.
func TestAnEditOfAPausedIntegrationDoesNotClaimThatItIsActive(t *testing.T) {
	b := newBook()
	b.entry.Config.Enabled = false
	w := httptest.NewRecorder()
	formPage(t, b, "POST", editPath).Handler(w, post(url.Values{"objects": {"all"}}))
	got := page(t, webtest.Well(), w.Header().Get("Location"))
	mustContain(t, got, "main-solar is saved. It is still paused.")
	if strings.Contains(got, "is active") || strings.Contains(got, "The first message") {
		t.Error("the page claims that the integration is active")
	}
}

// The page about a conflict shows each field that differs, also those under More, and no field that is the same.
func TestAConflictShowsExactlyTheFieldsThatDiffer(t *testing.T) {
	b := newBook()
	b.entry.Config.PublishEvery = "10m0s"
	b.refuse = api.NewError(http.StatusPreconditionFailed, "it was changed", "")
	typed := url.Values{"name": {"main-solar"}, "objects": {"adc_vbterm"}, "topic_arn": {webtest.TopicARN}, "slaves": {"all"},
		"publish_every": {"0s"}, "etag": {`"0"`}}
	w := httptest.NewRecorder()
	formPage(t, b, "POST", editPath).Handler(w, post(typed))
	table, _, found := strings.Cut(w.Body.String(), "</table>")
	mustContain(t, table, "Publish every", ">10m0s</td>", ">0s</td>")
	if !found || strings.Contains(table, ">Objects</th>") || !strings.Contains(w.Body.String(), `<details class="more" open>`) {
		t.Errorf("want only the field that differs, and More open:\n%s", w.Body)
	}

	b.entry.Config.Enabled = false
	typed.Set("publish_every", "10m0s")
	w = httptest.NewRecorder()
	formPage(t, b, "POST", editPath).Handler(w, post(typed))
	mustContain(t, w.Body.String(), "Your fields are the same as the saved ones, and it is paused now.")
}

// A person who removes an integration that was changed meanwhile is asked again, about the new version.
func TestRemovingAChangedIntegrationAsksAgain(t *testing.T) {
	b := newBook()
	b.refuse = api.NewError(http.StatusPreconditionFailed, "it was changed", "")
	w := httptest.NewRecorder()
	formPage(t, b, "POST", "/integrations/{id}/remove").Handler(w, post(url.Values{"etag": {`"0"`}}))
	if w.Code != http.StatusConflict {
		t.Errorf("status %d", w.Code)
	}
	mustContain(t, w.Body.String(), "Remove main-solar?", "It was changed while you looked. Nothing was removed yet.",
		`name="etag" value="&#34;1&#34;"`)
}

// The page of an integration of the configuration file does not ask whether to remove it: nobody can do so on the page.
func TestALockedIntegrationIsNotOfferedForRemoval(t *testing.T) {
	b := newBook()
	b.entry.Locked, b.entry.File, b.entry.Line = true, "/etc/noi-agent/config.yaml", 44
	for _, path := range []string{"/integrations/{id}/remove", editPath} {
		w := httptest.NewRecorder()
		formPage(t, b, "GET", path).Handler(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != http.StatusConflict || strings.Contains(w.Body.String(), "<form") {
			t.Errorf("%s: %d, with a form: %t", path, w.Code, strings.Contains(w.Body.String(), "<form"))
		}
		mustContain(t, w.Body.String(), "Change it in /etc/noi-agent/config.yaml:44;")
	}
}

// A person who does not want to log in for a button goes back to the integrations of the same cloud.
func TestTheLoginForAButtonGoesBackToTheSameCloud(t *testing.T) {
	b := newBook()
	b.entry.Config.Type = "gcp"
	w := httptest.NewRecorder()
	why := api.NewError(http.StatusUnauthorized, "Log in to change things.", "")
	formPage(t, b, "POST", "/integrations/{id}/pause").Locked(w, post(url.Values{}), why)
	mustContain(t, w.Body.String(), "Log in and pause", `href="/integrations/gcp">Cancel`)
}
