package integrations_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"noi-agent/agent/integrations"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

const mainFile = `lines:
- name: rs485
  port: /dev/ttyUSB0
  slaves: [{id: 1, model: PSPWM, name: shed}, {id: 2, model: PSPWM, name: pump}]
integrations:
- name: fixed
  type: aws
  objects: adc_vbterm
  topic_arn: arn:aws:sns:us-east-2:393221637266:Fixed
`

const solar = `{"name":"solar","type":"aws","objects":["adc_vbterm"],"topic_arn":"arn:aws:sns:us-east-2:393221637266:Solar"}`

// engine is an agent that only notes its calls.
type engine struct {
	mu    sync.Mutex
	edits [][]configs.Integration
	fault string
	woken []string
	err   error
}

func (e *engine) EditIntegrations(_ context.Context, all []configs.Integration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.edits = append(e.edits, all)
	}
	return e.err
}

func (e *engine) IntegrationsFile(fault string) { e.fault = fault }

func (e *engine) Status() api.Status {
	return api.Status{DeviceID: "5300520006504b5957343920", Integrations: []api.Integration{
		{ID: configs.DeriveID("fixed"), State: "ok"}, {ID: configs.DeriveID("solar"), State: "idle"}}}
}

func (e *engine) TryNow(id string) error { e.woken = append(e.woken, id); return nil }

// desk is a Book with its files.
type desk struct {
	*integrations.Book
	t      testing.TB
	engine *engine
	dir    string
	log    bytes.Buffer
	cat    *objects.Catalog
	main   *configs.Config
	sink   *cloud
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	cat, err := objects.LoadCatalog("")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, dir: inMemory(t), cat: cat, engine: &engine{}, sink: &cloud{}}
	d.main = d.parse(mainFile)
	d.start()
	return d
}

// inMemory is a directory in memory, where there is one: each change waits for the disk four times.
func inMemory(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "noi-integrations-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// start is another start of the agent.
func (d *desk) start() *configs.Config {
	d.Book = integrations.New(integrations.Options{
		File: d.path(), MainFile: "config.yaml", Version: "1.0.10", Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
		Now: func() time.Time { return time.Date(2022, 6, 28, 8, 20, 0, 0, time.UTC) },
		CostOf: func(string, sinks.Shape) sinks.Cost {
			return sinks.Cost{Request: 500, Message: 100, Sample: 10, Most: func(int) int { return 10 }}
		},
		NewSink: func(configs.Integration, string) (integrations.Sink, error) {
			return d.sink, nil
		},
	})
	all := d.Start(d.main, d.cat)
	d.engine.edits = nil
	d.Attach(d.engine)
	return all
}

func (d *desk) parse(text string) *configs.Config {
	d.t.Helper()
	c, faults := configs.Parse([]byte(text), d.cat)
	if len(faults) > 0 {
		d.t.Fatal(faults)
	}
	return c
}

func (d *desk) path() string { return filepath.Join(d.dir, configs.IntegrationsFile) }

func (d *desk) write(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.path(), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) text() string {
	raw, err := os.ReadFile(d.path())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Fatal(err)
	}
	return string(raw)
}

// reload is a SIGHUP with a configuration file.
func (d *desk) reload(main string) (all *configs.Config) {
	d.t.Helper()
	d.main = d.parse(main)
	err := d.Reload(d.t.Context(), d.main, d.cat, func(_ context.Context, c *configs.Config) error { all = c; return nil }, errors.New("none"))
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

func (d *desk) create(config string) api.IntegrationEntry {
	d.t.Helper()
	e, err := d.Create(d.t.Context(), []byte(config))
	if err != nil {
		d.t.Fatalf("%s: %v", config, err)
	}
	return e
}

// names are those of a list of integrations.
func names(list []configs.Integration) string {
	var out []string
	for _, in := range list {
		out = append(out, in.Name)
	}
	return strings.Join(out, " ")
}

// used returns the names of the integrations that the agent got last.
func (d *desk) used() string {
	if len(d.engine.edits) == 0 {
		return "nothing"
	}
	return names(d.engine.edits[len(d.engine.edits)-1])
}

// problem returns the error as the API answers with it.
func problem(t testing.TB, err error) *api.Error {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("no *api.Error: %v", err)
	}
	return e
}

// fields are the pointers and codes of an error.
func fields(e *api.Error) string {
	var out []string
	for _, f := range e.Errors {
		out = append(out, f.Pointer+" "+f.Code)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// cloud is a sink whose topic lacks or gives the permission.
type cloud struct {
	refuses bool
	sent    []sinks.Message
	closed  int
}

func (c *cloud) Probe(_ context.Context, tell func(sinks.Step)) bool {
	tell(sinks.Good("identity", "arn:aws:iam::940497413619:user/push"))
	if c.refuses {
		tell(sinks.Bad("topic", sinks.Failed(sinks.Wait, "AuthorizationError", "not authorized"), "Give this user sns:Publish."))
	}
	return !c.refuses
}

func (c *cloud) Publish(_ context.Context, messages []sinks.Message) []sinks.Result {
	for _, m := range messages {
		m.Body, m.Attributes = slices.Clone(m.Body), slices.Clone(m.Attributes) // a sink keeps nothing
		c.sent = append(c.sent, m)
	}
	return []sinks.Result{{Outcome: sinks.Accepted, MessageID: fmt.Sprint("m-", len(c.sent))}}
}

func (c *cloud) Remedy(sinks.Result) string { return "" }

func (c *cloud) Needs(known string) string { return "needs for " + known }

func (c *cloud) Close() error { c.closed++; return nil }
