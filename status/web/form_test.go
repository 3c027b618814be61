package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"noi-agent/status/api"
	"noi-agent/status/web"
	"noi-agent/status/web/webtest"
)

// book has one integration that can be edited. It implements only the methods that the tests use.
type book struct {
	web.Integrations
	entry   api.IntegrationEntry
	refuse  *api.Error
	written map[string]any
}

func (b *book) List() api.Integrations {
	return api.Integrations{Integrations: []api.IntegrationEntry{b.entry}}
}
func (b *book) Get(string) (api.IntegrationEntry, error) { return b.entry, nil }

func (b *book) Create(_ context.Context, config []byte) (api.IntegrationEntry, error) {
	return b.Replace(context.Background(), "", "", config)
}

func (b *book) Replace(_ context.Context, _, _ string, config []byte) (api.IntegrationEntry, error) {
	if b.refuse != nil {
		return api.IntegrationEntry{}, b.refuse
	}
	return b.entry, json.Unmarshal(config, &b.written)
}

func newBook() *book {
	return &book{entry: api.IntegrationEntry{ETag: `"1"`, Source: api.SourceAPI, Config: api.IntegrationConfig{
		ID: webtest.AWS, Name: "main-solar", Enabled: true, Type: "aws", Objects: []string{"adc_vbterm"}, Slaves: []string{"all"},
		TopicARN: webtest.TopicARN, Attributes: []string{}, PublishEvery: "0s", Pacing: "auto", RoleARN: "kept",
	}}}
}

// formPage returns the handler of a page, with the book behind it.
func formPage(t *testing.T, b *book, method, path string) web.Page {
	t.Helper()
	scene := webtest.Well()
	for _, p := range web.New(web.Options{Source: scene, Families: scene.Family, Integrations: b, Now: webtest.Moment}).Pages() {
		if p.Method == method && p.Path == path {
			return p
		}
	}
	t.Fatalf("no page %s %s", method, path)
	return web.Page{}
}

func post(typed url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(typed.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetPathValue("id", webtest.AWS)
	return r
}

const editPath = "/integrations/{id}/edit"

// An error is shown at its field, and the form keeps all typed values.
func TestFormKeepsWhatWasTypedAndBlamesTheField(t *testing.T) {
	b := newBook()
	b.refuse = api.NewError(http.StatusUnprocessableEntity, "2 faults", "")
	b.refuse.Errors = []api.FieldError{
		{Pointer: "#/objects/0", Detail: "PSPWM has no object adc_vbtrm", Hint: "did you mean adc_vbterm?"},
		{Pointer: "#/iot/key", Detail: "no such file"},
	}
	w := httptest.NewRecorder()
	formPage(t, b, "POST", "/integrations/aws/new").Handler(w, post(url.Values{"name": {"roof <1>"}, "objects": {"adc_vbtrm, x"}}))
	got := w.Body.String()
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("status %d", w.Code)
	}
	mustContain(t, got, "<title>Error: ", "2 fields need", `value="roof &lt;1&gt;"`, `value="adc_vbtrm, x"`, `aria-invalid="true"`,
		"PSPWM has no object adc_vbtrm. Did you mean adc_vbterm?", "iot/key: no such file")
	if strings.Count(got, "aria-invalid") != 1 {
		t.Error("another field also shows an error")
	}
}

// If the session has ended, the form keeps the typed values.
func TestFormAsksForTheLoginAndKeepsWhatWasTyped(t *testing.T) {
	w := httptest.NewRecorder()
	why := api.NewError(http.StatusUnauthorized, "Log in to change things.", "")
	formPage(t, newBook(), "POST", editPath).Locked(w, post(url.Values{"name": {"roof"}, "etag": {`"0"`}}), why)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
	mustContain(t, w.Body.String(), `name="admin_secret"`, `value="roof"`, `name="etag" value="&#34;0&#34;"`, "Log in to change things.")
}

// If a person has edited an old version, the page shows both versions. Submitting again replaces the new version.
func TestFormShowsBothVersionsAfterAConflict(t *testing.T) {
	b := newBook()
	b.refuse = api.NewError(http.StatusPreconditionFailed, "it was changed", "")
	w := httptest.NewRecorder()
	formPage(t, b, "POST", editPath).Handler(w, post(url.Values{"objects": {"charge_state"}, "etag": {`"0"`}}))
	if w.Code != http.StatusConflict {
		t.Errorf("status %d", w.Code)
	}
	mustContain(t, w.Body.String(), "changed while you edited", ">adc_vbterm</td>", ">charge_state</td>",
		`name="etag" value="&#34;1&#34;"`)
}

// A form has fewer keys than a configuration. The other keys do not change, and an empty field removes its key.
func TestFormKeepsKeysThatItDoesNotShow(t *testing.T) {
	b := newBook()
	w := httptest.NewRecorder()
	formPage(t, b, "POST", editPath).Handler(w, post(url.Values{"objects": {" adc_ia,, T_* "}, "topic_arn": {webtest.TopicARN}}))
	if w.Code != http.StatusSeeOther || b.written["role_arn"] != "kept" || b.written["type"] != "aws" {
		t.Errorf("%d, written %v", w.Code, b.written)
	}
	if _, named := b.written["name"]; named {
		t.Errorf("an empty name was written: %v", b.written)
	}
	if list, _ := b.written["objects"].([]any); len(list) != 2 || list[0] != "adc_ia" || list[1] != "T_*" {
		t.Errorf("objects %v", b.written["objects"])
	}
}

// The selected objects of an integration come before the others, in the order of the register map.
func TestTickedObjectsComeFirst(t *testing.T) {
	b := newBook()
	b.entry.Config.Objects = []string{"T_batt", "adc_il", "E*"}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/integrations/x/edit", nil)
	formPage(t, b, http.MethodGet, "/integrations/{id}/edit").Handler(w, r)
	var names []string
	for _, part := range strings.Split(w.Body.String(), `<input type="checkbox" value="`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		names = append(names, name)
	}
	if len(names) < 20 || names[0] != "adc_il" || names[1] != "T_batt" || names[2] == "T_batt" {
		t.Errorf("the objects come as %v", names)
	}
}
