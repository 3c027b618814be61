package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"noi-agent/status/api"
)

// TestMain makes the test binary noi-agent too, for the stories. All tests have the zone of a site, so that texts with local times are
// the same everywhere.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("", -5*60*60)
	testscript.Main(m, map[string]func(){
		"noi-agent": func() { os.Exit(New("1.0.10", time.Unix(1795572863, 0)).Run(os.Args[1:])) },
	})
}

// TestStories runs testdata/stories/*.txtar: what a person or a script types, and what comes. A daemon of brokenSite answers at agent.sock.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/stories",
		Setup: func(env *testscript.Env) error {
			env.Setenv("USER", "mia")
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

// serveSite answers as the daemon of brokenSite does, until the story ends.
func serveSite(env *testscript.Env) error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", filepath.Join(env.WorkDir, "agent.sock"))
	if err != nil {
		return err
	}
	answers := map[string]any{
		"/api/v1/status": brokenSite(), "/api/v1/objects": siteValues(), "/api/v1/triggers": api.Triggers{Triggers: triggerRows()},
		"/api/v1/triggers/9982": detailOf(triggerRows()[0]), "/api/v1/triggers/9981/publish": api.Replay{State: "done", Sent: 1},
		"/api/v1/deadletters": api.DeadLetters{DeadLetters: triggerRows()[:1]}, "/api/v1/deadletters/drop": map[string]int{"dropped": 1},
		"/healthz": "ok",
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
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
		_ = json.NewEncoder(w).Encode(answer) // a client that is gone needs none
	})}
	go func() { _ = server.Serve(l) }()
	env.Defer(func() { _ = server.Close() })
	return nil
}
