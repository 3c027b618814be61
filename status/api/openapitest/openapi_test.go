// Package openapitest compares status/api/openapi.yaml with the program: its routes, its shapes and its answers. It
// is a module of its own, so that no part of the validator is linked into the agent.
//
// It runs the tests of the endpoint and of the command line with a directory in NOI_RECORD. There these tests write
// their routes and all answers. If NOI_RECORD is set already, it uses the files in that directory.
package openapitest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

const (
	document = "../openapi.yaml"
	problem  = "application/problem+json"
	lines    = "application/jsonl"
)

// recording is the directory of the answers.
func recording(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("NOI_RECORD")
	if dir == "" {
		t.Fatal("NOI_RECORD is not set")
	}
	return dir
}

func TestMain(m *testing.M) {
	if os.Getenv("NOI_RECORD") != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "noi-record")
	if err == nil {
		err = os.Setenv("NOI_RECORD", dir)
	}
	if err == nil {
		tests := exec.Command("go", "test", "-count=1", "-vet=off", "-tags=grpcnotrace,nethttpomithttp2", "./status",
			"./cmd/noi-agent/cli")
		tests.Dir, tests.Stdout, tests.Stderr = "../../..", os.Stderr, os.Stderr
		err = tests.Run()
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "record the answers:", err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// load returns the document. In the document a client must expect more properties; here an answer may have no others.
func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	no := false
	for _, s := range doc.Components.Schemas {
		if len(s.Value.Properties) > 0 {
			s.Value.AdditionalProperties = openapi3.BoolSchema{Has: &no}
		}
	}
	return doc
}

func TestRoutesAndDocumentAreTheSame(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(recording(t), "routes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	routes := strings.Split(string(text), "\n")
	var documented []string
	for path, item := range load(t).Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	for _, r := range routes {
		if !slices.Contains(documented, r) {
			t.Errorf("%s is served, but is not in status/api/openapi.yaml: add it under paths", r)
		}
	}
	for _, d := range documented {
		if !slices.Contains(routes, d) {
			t.Errorf("%s in status/api/openapi.yaml is not served: delete it, or add a route", d)
		}
	}
}

// exchange is one request with its answer, as the tests of package status record it.
type exchange struct {
	Method       string `json:"method"`
	URL          string `json:"url"`
	RequestType  string `json:"request_type"`
	Request      string `json:"request"`
	Status       int    `json:"status"`
	ResponseType string `json:"response_type"`
	Response     string `json:"response"`
}

func (e *exchange) String() string {
	const most = 600
	return fmt.Sprintf("%s %s %.200s\nanswered %d %s %.*s", e.Method, e.URL, e.Request, e.Status, e.ResponseType, most,
		e.Response)
}

func exchanges(t *testing.T) (all []exchange) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recording(t), "*.exchange.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var e exchange
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(f, err)
		}
		all = append(all, e)
	}
	return all
}

func TestEveryAnswerIsAsDocumented(t *testing.T) {
	doc := load(t)
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	answered := map[string]bool{}
	all := exchanges(t)
	for i := range all {
		e := &all[i]
		route, err := checkExchange(doc, router, e)
		if err != nil {
			t.Errorf("%v\n%v\nstatus/api/openapi.yaml, or the answer, is wrong", e, err)
		}
		if route != "" && e.Status < 300 {
			answered[route] = true
		}
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !answered[method+" "+path] {
				t.Errorf("no test of package status has a good answer of %s %s: add one", method, path)
			}
		}
	}
}

// checkExchange returns what differs from the document, and the requested route; "" if there is no route.
func checkExchange(doc *openapi3.T, router routers.Router, e *exchange) (string, error) {
	r, err := http.NewRequest(e.Method, e.URL, strings.NewReader(e.Request))
	if err != nil {
		return "", nil // a client in Go cannot send this method
	}
	r.Header.Set("Content-Type", e.RequestType)
	route, parameters, err := router.FindRoute(r)
	if err != nil {
		return "", checkProblem(doc, e)
	}
	name := e.Method + " " + route.Path
	options := &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	asked := &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route, Options: options}
	if e.Status < 300 {
		if err := openapi3filter.ValidateRequest(context.Background(), asked); err != nil {
			return name, fmt.Errorf("a request with a good answer is not as documented: %w", err)
		}
	}
	answer := route.Operation.Responses.Status(e.Status)
	if answer == nil || len(answer.Value.Content) > 0 && answer.Value.Content.Get(e.ResponseType) == nil {
		return name, fmt.Errorf("%s is not documented for the status %d", e.ResponseType, e.Status)
	}
	if strings.HasPrefix(e.ResponseType, lines) {
		options.ExcludeResponseBody = true
		if err := checkLines(answer.Value.Content.Get(lines).Schema, e.Response); err != nil {
			return name, err
		}
	}
	if !strings.Contains(e.ResponseType, "json") {
		options.ExcludeResponseBody = true
	}
	return name, openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: asked, Status: e.Status, Header: http.Header{"Content-Type": {e.ResponseType}},
		Body: io.NopCloser(strings.NewReader(e.Response)), Options: options,
	})
}

// checkProblem is for an address or a method that does not exist.
func checkProblem(doc *openapi3.T, e *exchange) error {
	if e.Status < 400 || e.ResponseType != problem {
		return fmt.Errorf("nothing is documented there, so want an error as %s", problem)
	}
	return checkJSON(doc.Components.Schemas["Error"], []byte(e.Response))
}

// checkLines checks each line. A schema without properties is that of samples, which docs/messages.md describes.
func checkLines(schema *openapi3.SchemaRef, body string) error {
	if schema.Value.Type.Is("object") && len(schema.Value.Properties) == 0 {
		return nil
	}
	for scan := bufio.NewScanner(strings.NewReader(body)); scan.Scan(); {
		if err := checkJSON(schema, scan.Bytes()); err != nil {
			return fmt.Errorf("line %s: %w", scan.Text(), err)
		}
	}
	return nil
}

func checkJSON(schema *openapi3.SchemaRef, text []byte) error {
	var value any
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&value); err != nil {
		return err
	}
	return schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
}

// TestTheValidatorSees breaks an answer in each way that the validator must find.
func TestTheValidatorSees(t *testing.T) {
	doc := load(t)
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	const good, session = `{"may_change":true,"by":"socket"}`, "/api/v1/session"
	for name, e := range map[string]exchange{
		"":                        {"GET", session, "", "", 200, "application/json", good},
		"another property":        {"GET", session, "", "", 200, "application/json", `{"may_change":true,"by":"socket","x":1}`},
		"a property left out":     {"GET", session, "", "", 200, "application/json", `{"by":"socket"}`},
		"another word":            {"GET", session, "", "", 200, "application/json", `{"may_change":true,"by":"luck"}`},
		"another type":            {"GET", session, "", "", 200, "application/json", `{"may_change":1,"by":"socket"}`},
		"another status":          {"GET", session, "", "", 202, "application/json", good},
		"another content":         {"GET", session, "", "", 200, "text/html", good},
		"an error as text":        {"GET", session, "", "", 404, "text/plain", "no"},
		"an error of an old kind": {"GET", session, "", "", 404, problem, `{"error":"no"}`},
		"a line":                  {"POST", "/api/v1/deadletters/retry", "application/json", `{"integration":"x"}`, 200, lines, `{"x":1}`},
		"an unknown address":      {"GET", "/api/v1/x", "", "", 404, "text/plain", "no"},
		"an unknown key":          {"POST", "/api/v1/login", "application/json", `{"secrets":"x"}`, 200, "application/json", good},
	} {
		if _, err := checkExchange(doc, router, &e); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
