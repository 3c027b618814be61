package status_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"noi-agent/status"
	"noi-agent/status/api"
)

// oneIntegration is a book with one integration that allows every change.
type oneIntegration struct{}

func (oneIntegration) entry() api.IntegrationEntry {
	return api.IntegrationEntry{ETag: `"1"`, Source: api.SourceAPI, Config: api.IntegrationConfig{ID: "x", Type: "aws",
		Objects: []string{"all"}, Slaves: []string{"all"}, Attributes: []string{}},
		Cost: api.IntegrationCost{Uncounted: []string{}}}
}

func (o oneIntegration) List() api.Integrations {
	return api.Integrations{Integrations: []api.IntegrationEntry{o.entry()}}
}
func (o oneIntegration) Get(string) (api.IntegrationEntry, error) { return o.entry(), nil }
func (o oneIntegration) Needs(string) (string, error)             { return "", nil }

func (o oneIntegration) Preview(string, []byte) (api.IntegrationEntry, error) { return o.entry(), nil }
func (o oneIntegration) Create(context.Context, []byte) (api.IntegrationEntry, error) {
	return o.entry(), nil
}
func (o oneIntegration) Replace(context.Context, string, string, []byte) (api.IntegrationEntry, error) {
	return o.entry(), nil
}
func (oneIntegration) Delete(context.Context, string, string) error { return nil }
func (o oneIntegration) SetEnabled(context.Context, string, bool) (api.IntegrationEntry, error) {
	return o.entry(), nil
}
func (oneIntegration) Wake(string) error { return nil }
func (oneIntegration) Test(context.Context, string, []byte, func(api.TestStep)) (api.IntegrationTest, error) {
	return api.IntegrationTest{Steps: []api.TestStep{}}, nil
}

// TestTheGatewayIsLookedAtOneAtATime requests a diagnosis from the API and from a page. The second diagnosis waits
// for the first one.
func TestTheGatewayIsLookedAtOneAtATime(t *testing.T) {
	looks, most := make(chan struct{}, 8), 0
	g := newGate(t, func(o *status.Options) {
		o.Doctor = func(context.Context) api.Diagnosis {
			looks <- struct{}{}
			most = max(most, len(looks)) // the race detector finds two diagnoses at once
			<-looks
			return api.Diagnosis{Skipped: []string{"x"}, Faults: 1, Verdict: "1 fault. Begin with the first: <b>.",
				Findings: []api.Finding{{ID: "disk_full", Level: api.LevelFault, Subject: "disk", Evidence: "<b>", Why: "w", Command: "df"}}}
		}
	})
	var all sync.WaitGroup
	for range 4 {
		for path, want := range map[string]string{"/api/v1/doctor": `"id":"disk_full"`, "/system/doctor": "disk: &lt;b&gt;",
			"/system": `href="/system/doctor"`} {
			all.Go(func() {
				a := askWith(t, client(g.socket), "GET", "http://localhost"+path, "", nil)
				if a.code != http.StatusOK || !strings.Contains(a.body, want) {
					t.Errorf("%s: %d %s", path, a.code, a.body)
				}
			})
		}
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d diagnoses at once", most)
	}
}

// TestIntegrationsAnswer gets the good answer of each route of the integrations. openapitest compares the shapes with
// the description of the API.
func TestIntegrationsAnswer(t *testing.T) {
	g := newGate(t, func(o *status.Options) { o.Integrations = oneIntegration{} })
	const all, one, body = "/api/v1/integrations", "/api/v1/integrations/x", `{"type":"aws","name":"x"}`
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", all, "", http.StatusOK}, {"POST", all, body, http.StatusCreated},
		{"POST", all + "?preview=true", body, http.StatusOK}, {"POST", all + "/new/test", body, http.StatusOK},
		{"GET", one, "", http.StatusOK}, {"PUT", one, body, http.StatusOK}, {"DELETE", one, "", http.StatusNoContent},
		{"POST", one + "/test", "", http.StatusOK}, {"POST", one + "/pause", "", http.StatusOK},
		{"POST", one + "/resume", "", http.StatusOK}, {"POST", one + "/wake", "", http.StatusOK},
	} {
		h := map[string]string{"Content-Type": "application/json", "If-Match": `"1"`}
		if a := askWith(t, client(g.socket), c.method, "http://localhost"+c.path, c.body, h); a.code != c.want {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.code, a.body)
		}
	}
}
