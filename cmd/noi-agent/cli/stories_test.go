package cli

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/status/api"
	"noi-agent/status/bundle"
)

// TestMain also makes the test binary noi-agent, for the stories. All tests have the time zone of a site, so that
// texts with local times are the same everywhere.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("", -5*60*60)
	testscript.Main(m, map[string]func(){
		"noi-agent": func() {
			p := New("1.0.10", time.Unix(1795572863, 0))
			keep := recorded(p, os.Args[1:])
			code := p.Run(os.Args[1:])
			keep()
			os.Exit(code)
		},
	})
}

// TestStories runs testdata/stories/*.txtar: the commands of a person or a script, and their output. A daemon of
// brokenSite answers at agent.sock.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/stories",
		Setup: func(env *testscript.Env) error {
			env.Setenv("USER", "mia")
			env.Setenv(recordDir, os.Getenv(recordDir))
			return serveSite(env)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits},
	})
}

// exits runs a command and expects its exit code: exits 2 noi-agent fly.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	code := 0
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d (%v)", code, want, err)
	}
}

// integrationAnswers has the daemon's answers about the integrations of brokenSite, and the answers to changes.
func integrationAnswers() map[string]any {
	s := brokenSite()
	entry := api.IntegrationEntry{ETag: `"1"`, Source: api.SourceAPI, File: "/var/lib/noi-agent/integrations.yaml", State: &s.Integrations[0],
		Config: api.IntegrationConfig{ID: clitest.SNSID, Name: "main-solar", Type: "aws", Enabled: true, Objects: []string{"adc_vbterm"}, Slaves: []string{"all"},
			TopicARN: clitest.TopicARN, Attributes: []string{}, PublishEvery: "0s", Pacing: "0s", When: "every", Envelope: "single", Compress: "none"},
		Cost: api.IntegrationCost{MessagesPerDay: 5760, BytesPerDay: 3.2e6, Objects: 1, Slaves: 2, Uncounted: []string{}}}
	locked := entry
	locked.Locked, locked.Config.ID, locked.Config.Name = true, s.Integrations[1].ID, s.Integrations[1].Name
	own := "/api/v1/integrations/" + clitest.SNSID
	return map[string]any{
		"/api/v1/integrations": api.Integrations{Integrations: []api.IntegrationEntry{entry}}, own: entry,
		"/api/v1/integrations/" + locked.Config.ID: locked, own + "/pause": entry, own + "/resume": entry,
		own + "/test": api.IntegrationTest{IntegrationID: clitest.SNSID, Name: "main-solar", Type: "aws", Topic: clitest.TopicARN, OK: true, MessageID: "4985",
			Steps: []api.TestStep{{Name: "message", Verdict: "ok", Text: "accepted, message id 4985"}}},
		"/api/v1/token/rotate": api.TokenRotated{SessionsEnded: 2}, "/api/v1/replay": api.Replay{State: "done", Sent: 5760},
		"/api/v1/deadletters/retry": api.Replay{State: "done", Sent: 1},
	}
}

// serveSite answers like the daemon of brokenSite, until the story ends.
func serveSite(env *testscript.Env) error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", filepath.Join(env.WorkDir, "agent.sock"))
	if err != nil {
		return err
	}
	answers := map[string]any{
		"/api/v1/status": brokenSite(), "/api/v1/objects": siteValues(), "/api/v1/triggers": api.Triggers{Triggers: triggerRows()},
		"/api/v1/triggers/9982": detailOf(triggerRows()[0]), "/api/v1/triggers/9981/publish": api.Replay{State: "done", Sent: 1},
		"/api/v1/deadletters": api.DeadLetters{DeadLetters: triggerRows()[:1]}, "/api/v1/deadletters/drop": map[string]int{"dropped": 1},
		"/api/v1/gaps/acknowledge": api.Acknowledged{Acknowledged: 3},
		"/healthz":                 "ok",
		"/api/v1/logs": api.Logs{Last: 2, Lines: []api.LogLine{
			{N: 1, Time: time.Date(2022, 6, 28, 8, 2, 11, 0, time.UTC), Level: "INFO", Text: "agent started lines=1"},
			{N: 2, Time: time.Date(2022, 6, 28, 8, 20, 29, 502e6, time.UTC), Level: "WARN", Text: "AWS refuses integration=main-solar"}}},
	}
	maps.Copy(answers, integrationAnswers())
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if r.URL.Path == "/api/v1/bundle" {
			_ = bundle.Write(w, time.Unix(1656404429, 0), nil, []bundle.Part{{Name: "log.txt",
				Make: func() ([]byte, error) { return []byte("one http://u:CANARY@h\ntwo\n"), nil }}})
			return
		}
		if r.URL.Path == "/api/v1/events" {
			http.Error(w, "too many watch already", http.StatusServiceUnavailable)
			return
		}
		if e, ok := answer.(api.IntegrationEntry); ok && e.Locked && r.Method == http.MethodDelete {
			http.Error(w, "it is set in config.yaml, line 16: change it there", http.StatusConflict)
			return
		}
		if r.URL.Query().Get("text") == "nothing" {
			answer = api.Logs{Last: 2, Lines: []api.LogLine{}}
		}
		if r.URL.Query().Get("gaps") == "true" {
			answer = api.Triggers{Triggers: []api.Trigger{}}
		}
		if r.URL.Query().Get("object") == "charge_state" && r.URL.Query().Get("state") != "dropped" {
			answer = api.Triggers{Triggers: triggerRows()[1:2]}
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(answer) // fails if the client has gone
	})}
	go func() { _ = server.Serve(l) }()
	env.Defer(func() { _ = server.Close() })
	return nil
}
