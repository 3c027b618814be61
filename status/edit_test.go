package status_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/status"
	"noi-agent/status/api"
)

// theIntegration has one integration "a" with version "1".
type theIntegration struct {
	status.Integrations
	asked []string
}

func (o *theIntegration) note(call string) { o.asked = append(o.asked, call) }

func (o *theIntegration) entry(id string) (api.IntegrationEntry, error) {
	if id != "a" {
		return api.IntegrationEntry{}, api.NewError(http.StatusNotFound, "there is no integration "+id, "")
	}
	entry := oneIntegration{}.entry()
	entry.Config.ID = id
	return entry, nil
}

func (o *theIntegration) List() api.Integrations {
	return api.Integrations{Integrations: []api.IntegrationEntry{}}
}

func (o *theIntegration) Get(id string) (api.IntegrationEntry, error) { return o.entry(id) }

func (o *theIntegration) Needs(string) (string, error) { return "", nil }

func (o *theIntegration) Preview(id string, config []byte) (api.IntegrationEntry, error) {
	o.note("preview " + id + " " + string(config))
	return oneIntegration{}.entry(), nil
}

func (o *theIntegration) Create(_ context.Context, config []byte) (api.IntegrationEntry, error) {
	o.note("create " + string(config))
	return o.entry("a")
}

func (o *theIntegration) Replace(_ context.Context, id, etag string, config []byte) (api.IntegrationEntry, error) {
	o.note("replace " + id + " " + etag + " " + string(config))
	return o.entry(id)
}

func (o *theIntegration) Delete(_ context.Context, id, etag string) error {
	o.note("delete " + id + " " + etag)
	return nil
}

func (o *theIntegration) SetEnabled(_ context.Context, id string, enabled bool) (api.IntegrationEntry, error) {
	o.note(map[bool]string{false: "pause ", true: "resume "}[enabled] + id)
	return o.entry(id)
}

func (o *theIntegration) Wake(id string) error { o.note("wake " + id); return nil }

func (o *theIntegration) Test(_ context.Context, id string, config []byte, _ func(api.TestStep)) (api.IntegrationTest, error) {
	o.note("test " + id + " " + string(config))
	return api.IntegrationTest{OK: true, Steps: []api.TestStep{}}, nil
}

func TestRoutesOfIntegrations(t *testing.T) {
	const aws = `{"type":"aws"}`
	o := &theIntegration{}
	w := quiet()
	opts := options(w)
	opts.Integrations, opts.Socket = o, filepath.Join(shortDir(t), "s")
	serve(t, status.New(opts))
	c, one := client(opts.Socket), "http://localhost/api/v1/integrations/a"
	json := map[string]string{"Content-Type": "application/json; charset=utf-8"}
	with := map[string]string{"Content-Type": "application/json", "If-Match": `"1"`}
	for _, r := range []struct {
		method, url, body string
		header            map[string]string
		status            int
		asked             string
	}{
		{"GET", "", "", nil, 200, ""},
		{"GET", "?limit=1", "", nil, 400, ""},
		{"GET", "/a", "", nil, 200, ""},
		{"GET", "/b", "", nil, 404, ""},
		{"PATCH", "/a", "", nil, 405, ""},
		{"POST", "", aws, json, 201, "create " + aws},
		{"POST", "?preview=true", aws, json, 200, "preview  " + aws},
		{"POST", "?preview=1", aws, json, 400, ""},
		{"POST", "", aws, nil, 415, ""},
		{"POST", "", aws, map[string]string{"Content-Type": "text/plain"}, 415, ""},
		{"POST", "", `"` + strings.Repeat("x", 64<<10) + `"`, json, 413, ""},
		{"PUT", "/a", aws, with, 200, `replace a "1" ` + aws},
		{"PUT", "/a?preview=true", aws, json, 200, "preview a " + aws},
		{"PUT", "/a", aws, json, 200, "replace a  " + aws}, // the agent, not the endpoint, answers 428
		{"DELETE", "/a", "", with, 204, `delete a "1"`},
		{"POST", "/a/pause", "", nil, 200, "pause a"},
		{"POST", "/a/resume", "", nil, 200, "resume a"},
		{"POST", "/a/wake", "", nil, 200, "wake a"},
		{"POST", "/a/test", "", nil, 200, "test a "},
		{"POST", "/a/test", aws, json, 200, "test a " + aws},
		{"POST", "/new/test", aws, json, 200, "test  " + aws},
		{"POST", "/new/test", "", nil, 415, ""},
	} {
		o.asked = nil
		a := askWith(t, c, r.method, strings.TrimSuffix(one, "/a")+r.url, r.body, r.header)
		if a.code != r.status || strings.Join(o.asked, ", ") != r.asked {
			t.Errorf("%s %s: %d, asked %q; want %d and %q", r.method, r.url, a.code, o.asked, r.status, r.asked)
		}
		if entry := r.url == "/a" && r.status == 200 || r.status == 201; entry && a.header.Get("ETag") != `"1"` {
			t.Errorf("%s %s: ETag %q", r.method, r.url, a.header.Get("ETag"))
		}
		if r.status == 201 && a.header.Get("Location") != "/api/v1/integrations/a" {
			t.Errorf("Location %q", a.header.Get("Location"))
		}
		if r.status >= 400 && a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: an error as %s", r.method, r.url, a.header.Get("Content-Type"))
		}
	}
}
