package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
)

// canary is the begin of every secret in TestNoSecretIsShownAnywhere.
const canary = "CANARY"

// canaries puts a secret into each source of credentials. It returns integrations that use these secrets, and that
// all fail.
func canaries(t *testing.T, w *world) (integrations string) {
	t.Helper()
	// a token service that repeats its request
	echo := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusBadRequest)
		_, _ = io.Copy(rw, r.Body) // fails if the client has gone
	}))
	t.Cleanup(echo.Close)
	put := func(name, text string) string {
		path := filepath.Join(w.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", canary+"-environment")
	t.Setenv("AWS_CONFIG_FILE", put("aws", "[profile helper]\ncredential_process = echo "+canary+"-helper\n"+
		"[profile static]\naws_access_key_id = AKIDOFNOBODY\naws_secret_access_key = "+canary+"-profile\naws_session_token = "+canary+"-session\n"))
	t.Setenv("HTTPS_PROXY", "http://noi:"+canary+"-proxy@127.0.0.1:1") // there is no proxy; loopback does not use it
	external := put("external.json", fmt.Sprintf(`{"type":"external_account","audience":"//iam.googleapis.com/projects/1/x",`+
		`"subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":%q,"credential_source":{"file":%q}}`, echo.URL, put("subject", canary+"-subject")))
	user := put("user.json", fmt.Sprintf(`{"type":"authorized_user","client_id":"x","client_secret":"%[1]s-client","refresh_token":"%[1]s-refresh","token_uri":%[2]q}`, canary, echo.URL))
	for name, keys := range map[string]string{
		"environment": "type: aws, topic_arn: " + `"` + testTopicARN + `", endpoint: "` + w.sns.URL() + `"`,
		"profile":     "type: aws, profile: static, topic_arn: " + `"` + testTopicARN + `", endpoint: "` + w.sns.URL() + `"`,
		"helper":      "type: aws, profile: helper, topic_arn: " + `"` + testTopicARN + `", endpoint: "` + w.sns.URL() + `"`,
		"proxied":     "type: aws, topic_arn: " + `"` + testTopicARN + `"`,
		"external":    "type: gcp, topic: " + testTopic + ", credentials_file: " + external,
		"user":        "type: gcp, topic: " + testTopic + ", credentials_file: " + user,
	} {
		integrations += "  - {name: " + name + ", " + keys + "}\n"
	}
	return integrations
}

// TestNoSecretIsShownAnywhere: there are secrets in every place, clouds that refuse all of them, a log at level
// debug, and a crash at the end.
func TestNoSecretIsShownAnywhere(t *testing.T) {
	binary := buildBinary(t, "..")
	w := newWorld(t, fixedSlave())
	path := clitest.WriteConfig(t, fmt.Sprintf(`device_id: 5300520006504b5957343920 # the password of the modem is CANARY-comment
state_dir: %s/state
log: {level: debug}
lines:
  - {name: rs485, port: %s, baud: 115200, slaves: [{id: 1, model: PSPWM, objects: adc_vbterm, intervals: {"*": 1s}}]}
integrations:
%sbuffer: {commit_every: 50ms}
triggers: {flush_every: 100ms}
clock: {source: system}
status: {listen: "", socket: %s}
`, w.dir, w.pty.Path(), canaries(t, w), w.socket()))
	var said lockedBuffer
	daemon := exec.Command(binary, "run", "--config", path)
	daemon.Stdout, daemon.Stderr = &said, &said
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	eventually(t, "the daemon listens", w.listens)
	eventually(t, "every integration has failed", func() bool {
		for _, in := range w.status().Integrations {
			if in.LastError == "" {
				return false
			}
		}
		return true
	})
	all := string(w.get("/")) + string(w.get("/api/v1/status")) + string(w.get("/api/v1/triggers")) + string(w.get("/metrics"))
	all += string(w.get("/api/v1/logs?limit=1000")) + unzipped(t, w.get("/api/v1/bundle"))
	for _, name := range []string{"environment", "profile", "helper", "proxied", "external", "user"} {
		_, stdout, stderr := run1("publish-test", name, "--json", "--config", path)
		all += stdout + stderr
	}
	for _, command := range []string{"status", "triggers", "check"} {
		_, stdout, stderr := run1(command, "--config", path)
		all += stdout + stderr
	}
	if err := daemon.Process.Signal(syscall.SIGQUIT); err != nil { // prints every goroutine, like a panic
		t.Fatal(err)
	}
	<-ended
	all += said.String()
	if !strings.Contains(all, "goroutine ") || !strings.Contains(all, "level=DEBUG") || !strings.Contains(all, "SignatureDoesNotMatch") ||
		!strings.Contains(all, "config.yaml: 1 comment") {
		t.Fatalf("a part of the output is missing:\n%s", all)
	}
	for line := range strings.Lines(all) {
		if strings.Contains(line, canary) {
			t.Errorf("the output has a secret: %s", line)
		}
	}
}

// unzipped returns all texts of a zip file.
func unzipped(t *testing.T, data []byte) (all string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	return all
}
