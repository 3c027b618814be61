package status_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"noi-agent/status"
	"noi-agent/status/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an agent whose answers the test sets.
type world struct {
	status         api.Status
	objects        api.Objects
	history        map[string]api.History // by "line/unit/object"; the span sets From
	kept           time.Duration          // longest history; 0: as asked
	triggers       api.Triggers
	triggersErr    error
	onTriggers     func() // called by Triggers; nil: not called
	healthy, ready error
	hold           chan struct{} // Status waits until it is closed; nil: it does not wait
	holding        chan struct{} // Status signals here that it waits

	mu    sync.Mutex
	asked []api.TriggerQuery
}

func (w *world) Status() api.Status {
	if w.hold != nil {
		w.holding <- struct{}{}
		<-w.hold
	}
	return w.status
}

func (w *world) Objects() api.Objects { return w.objects }

func (w *world) History(line string, unit int, object string, span time.Duration) (api.History, bool) {
	h, ok := w.history[fmt.Sprintf("%s/%d/%s", line, unit, object)]
	if w.kept > 0 {
		span = min(span, w.kept)
	}
	h.From = h.To.Add(-span)
	return h, ok
}

func (w *world) Healthy() error { return w.healthy }
func (w *world) Ready() error   { return w.ready }

func (w *world) Triggers(q api.TriggerQuery) (api.Triggers, error) {
	if w.onTriggers != nil {
		w.onTriggers()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, q)
	return w.triggers, w.triggersErr
}

func (w *world) Trigger(id uint64) (api.TriggerDetail, error) {
	for _, row := range w.triggers.Triggers {
		if row.ID == id {
			return api.TriggerDetail{Trigger: row, Value: json.RawMessage("null")}, nil
		}
	}
	return api.TriggerDetail{}, api.NewError(http.StatusNotFound, fmt.Sprintf("no trigger %d", id), "noi-agent triggers")
}

func (w *world) PublishTrigger(_ context.Context, id uint64) (api.Replay, error) {
	d, err := w.Trigger(id)
	switch {
	case err != nil:
		return api.Replay{}, err
	case !d.Success:
		return api.Replay{}, api.NewError(http.StatusConflict, "it is not delivered yet", "")
	}
	return api.Replay{State: "done", Sent: 1}, nil
}

// lastAsked returns the last query, and the number of queries.
func (w *world) lastAsked() (api.TriggerQuery, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.asked) == 0 {
		return api.TriggerQuery{}, 0
	}
	return w.asked[len(w.asked)-1], len(w.asked)
}

// quiet is an agent without lines and integrations.
func quiet() *world {
	return &world{
		status: api.Status{DeviceID: "5300520006504b5957343920", Version: "0.1.0", Lines: []api.Line{},
			Integrations: []api.Integration{}, Problems: []api.Problem{}, Store: api.Store{KeptAside: []string{}}},
		objects:  api.Objects{Objects: []api.Latest{}},
		triggers: api.Triggers{Triggers: []api.Trigger{}},
	}
}

// options returns options that serve w on a free port.
func options(w *world) status.Options {
	return status.Options{Reporter: w, TriggerLog: w, Health: w, Listen: "127.0.0.1:0"}
}

// serve runs s until the test ends or stop is called; stop returns what Serve returned.
func serve(t *testing.T, s *status.Server) (stop func() error) {
	t.Helper()
	s.Tap(recorded)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-served
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return stop
}

// start serves w on TCP and returns the base URL.
func start(t *testing.T, w *world) string {
	t.Helper()
	s := status.New(options(w))
	serve(t, s)
	return "http://" + s.Addr()
}

// decoded decodes JSON like a program.
func decoded[T any](t *testing.T, text []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// shortDir returns a directory with a short name: the path of a socket has at most 107 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "noi")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// client returns a client that keeps no connection open after an answer.
func client(socket string) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	if socket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	return &http.Client{Transport: transport}
}

type answer struct {
	code   int
	header http.Header
	body   string
}

// ask sends one request. A header named Host sets the host.
func ask(t *testing.T, c *http.Client, method, url string, header map[string]string) answer {
	t.Helper()
	return askWith(t, c, method, url, "", header)
}

// askWith is ask with a body.
func askWith(t *testing.T, c *http.Client, method, url, body string, header map[string]string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	r.Host = header["Host"]
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func get(t *testing.T, url string) answer {
	t.Helper()
	return ask(t, client(""), http.MethodGet, url, nil)
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("want %q in:\n%s", p, text)
		}
	}
}

func mustRead(t *testing.T, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
