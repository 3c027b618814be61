package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/sinks/sinktest/standin"
)

// TestWhatTheGatewayLacksIsNotCalledTheClouds: credentials or a ca_file are missing on the gateway, so no cloud was
// asked. The problem says this, and publish-test prints the remedy for this fault. A refusal by the cloud is another
// problem.
func TestWhatTheGatewayLacksIsNotCalledTheClouds(t *testing.T) {
	w := newWorld(t, fixedSlave())
	w.sns.SetFault(standin.Always(standin.SNSDenied(testTopicARN)))
	credentials := filepath.Join(w.dir, "credentials")
	text := fmt.Sprintf("[operator]\naws_access_key_id = %s\naws_secret_access_key = %s\n", os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"))
	if err := os.WriteFile(credentials, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(w.dir, "key.json")
	if err := os.WriteFile(key, []byte(`{"type": "service_account"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", credentials)
	withoutEnv(t, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
	secure := "https://" + strings.TrimPrefix(w.sns.URL(), "http://")
	config := clitest.WriteConfig(t, fmt.Sprintf(`state_dir: %s/state
lines:
  - {name: rs485, port: %s, baud: 115200, slaves: [{id: 1, model: PSPWM, objects: adc_vbterm, intervals: {"*": 1s}}]}
integrations:
  - {name: no-credentials, type: aws, objects: all, topic_arn: "%s", endpoint: "%s"}
  - {name: no-ca-aws, type: aws, objects: all, topic_arn: "%s", endpoint: "%s", profile: operator, ca_file: /nowhere/ca.pem}
  - {name: no-ca-gcp, type: gcp, objects: all, topic: %s, endpoint: "https://%s", ca_file: /nowhere/ca.pem, credentials_file: %s}
  - {name: denied, type: aws, objects: all, topic_arn: "%s", endpoint: "%s", profile: operator}
clock: {source: system}
status: {listen: "", socket: %s}
`, w.dir, w.pty.Path(), testTopicARN, w.sns.URL(), testTopicARN, secure, testTopic, w.pubsub.Addr(), key, testTopicARN, w.sns.URL(), w.socket()))
	daemon := w.start(config, nil)
	eventually(t, "the daemon listens", w.listens)
	for i, c := range []struct{ name, code, detail, remedy string }{
		{"no-credentials", "integration_no_credentials", "MissingCredentials: no AWS credentials found", "aws configure"},
		{"no-ca-aws", "integration_setup", "CAFileError: ca_file /nowhere/ca.pem: not there", "Correct ca_file of the integration"},
		{"no-ca-gcp", "integration_setup", "CAFileError: ca_file /nowhere/ca.pem: not there", "Correct ca_file of the integration"},
		{"denied", "integration_no_permission", "AuthorizationError: User: ", "aws iam put-user-policy"},
	} {
		var of []problemView
		eventually(t, c.name+" has a problem", func() bool {
			s := w.status()
			of = slices.DeleteFunc(s.Problems, func(p problemView) bool { return p.Subject != s.Integrations[i].ID })
			return len(of) > 0
		})
		if len(of) != 1 || of[0].Code != c.code || !strings.HasPrefix(of[0].Detail, c.detail) {
			t.Errorf("%s: problems %+v, want %s with %q", c.name, of, c.code, c.detail)
		}
		if strings.Contains(of[0].Title, "refuses") != (c.name == "denied") {
			t.Errorf("%s: the title is %q", c.name, of[0].Title)
		}
		code, stdout, stderr := run1("publish-test", c.name, "--config", config)
		if code != cli.ExitFailed || !strings.Contains(stdout, c.detail) || !strings.Contains(stdout+stderr, c.remedy) {
			t.Errorf("%s: publish-test ends with %d, want %q and %q:\n%s%s", c.name, code, c.detail, c.remedy, stdout, stderr)
		}
		steps := strings.Contains(stdout, "\n✗ ca_file     "+c.detail) && strings.Contains(stdout, "\n– credentials skipped: needs ca_file\n")
		if strings.HasPrefix(c.name, "no-ca") != steps {
			t.Errorf("%s: publish-test prints\n%s", c.name, stdout)
		}
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}
