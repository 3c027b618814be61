package status_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"noi-agent/status"
	"noi-agent/status/api"
)

// recordDir names the directory in which the tests record their requests to the API, and the answers, for
// status/api/openapitest. Without it nothing is recorded.
const recordDir = "NOI_RECORD"

// exchange is one request with its answer.
type exchange struct {
	Method       string `json:"method"`
	URL          string `json:"url"`
	RequestType  string `json:"request_type"`
	Request      string `json:"request"`
	Status       int    `json:"status"`
	ResponseType string `json:"response_type"`
	Response     string `json:"response"`
}

// recorded is next, and records each exchange under /api/.
func recorded(next http.Handler) http.Handler {
	dir := os.Getenv(recordDir)
	if dir == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/") || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		question, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(question), iotest.ErrReader(cmp.Or(err, io.EOF))))
		out := &tape{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(out, r) // an aborted answer is not recorded
		keep(dir, exchange{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), string(question), out.status,
			w.Header().Get("Content-Type"), out.body.String()})
	})
}

// keep writes one exchange into a new file.
func keep(dir string, e any) {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	const most = 256 << 10 // a test of large answers adds no new shapes
	if len(text) > most {
		return
	}
	name := fmt.Sprintf("%x.exchange.json", sha256.Sum256(text))
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
		panic(err)
	}
}

// tape passes on an answer, and keeps it.
type tape struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *tape) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

func (t *tape) Write(p []byte) (int, error) {
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

func (t *tape) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// TestAllRoutesAreKnown writes the table of routes for status/api/openapitest.
func TestAllRoutesAreKnown(t *testing.T) {
	o := options(quiet())
	fill(t, &o)
	o.Doctor = func(context.Context) api.Diagnosis { return api.Diagnosis{} }
	o.LineFaults = lineFaults
	routes := status.New(o).APIRoutes()
	if len(routes) < 10 {
		t.Fatalf("%d routes", len(routes))
	}
	dir := os.Getenv(recordDir)
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "routes.txt"), []byte(strings.Join(routes, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// nothing implements all interfaces of the options without an effect.
type nothing struct {
	status.Exporter
	status.Replayer
	letters
	status.Gaps
	status.Control
	status.Reader
	status.Integrations
	http.Handler
}

// letters gives the embedded interface a name that differs from its method's.
type letters status.DeadLetters

func (nothing) ServeHTTP(http.ResponseWriter, *http.Request) {}

// fill sets every option of the endpoint.
func fill(t *testing.T, o *status.Options) {
	t.Helper()
	all, given := reflect.ValueOf(o).Elem(), reflect.ValueOf(nothing{})
	for i := range all.NumField() {
		field := all.Field(i)
		if field.Kind() != reflect.Interface || !field.IsNil() {
			continue
		}
		if !given.Type().Implements(field.Type()) {
			t.Errorf("Options.%s stays nil, so its routes are not seen: embed %s in the type nothing of record_test.go",
				all.Type().Field(i).Name, field.Type())
			continue
		}
		field.Set(given)
	}
}
