package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/sinks/sinktest/standin"
)

// clouds has both stand-ins, and a configuration with their addresses and without a line.
type clouds struct {
	sns    *standin.SNS
	pubsub *standin.PubSub
	config string
	state  string // the daemon's directory, which is not there
}

func startClouds(t *testing.T) *clouds {
	t.Helper()
	c := &clouds{state: t.TempDir() + "/state"}
	var err error
	if c.sns, err = standin.StartSNS(standin.SNSOptions{Topics: []string{clitest.TopicARN}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.sns.Close() }) // nothing depends on it
	if c.pubsub, err = standin.StartPubSub(standin.PubSubOptions{Topics: []string{clitest.Topic}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.pubsub.Close() }) // nothing depends on it
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "PUBSUB_EMULATOR_HOST", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"} {
		t.Setenv(name, "")
	}
	for _, kv := range c.sns.Env() {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	c.config = clitest.WriteConfig(t, fmt.Sprintf(`device_id: 5300520006504b5957343920
state_dir: %s
integrations:
  - {id: %s, name: main-solar, type: aws, topic_arn: "%s", endpoint: "%s"}
  - {id: %s, name: main-pubsub, type: gcp, topic: %s, endpoint: "%s"}
`, c.state, clitest.SNSID, clitest.TopicARN, c.sns.URL(), clitest.PubSubID, clitest.Topic, c.pubsub.Addr()))
	return c
}

func TestPublishTestSendsOneMarkedMessage(t *testing.T) {
	c := startClouds(t)
	for _, id := range []string{"main-solar", clitest.PubSubID} {
		code, stdout, stderr := run1("publish-test", id, "--config", c.config)
		if code != ExitDone {
			t.Errorf("%s exits %d: %s%s", id, code, stdout, stderr)
		}
		for _, step := range []string{"✓ credentials ", "✓ endpoint ", "✓ topic ", "✓ message     accepted, message id "} {
			if !strings.Contains(stdout, "\n"+step) {
				t.Errorf("%s: no %q in:\n%s", id, step, stdout)
			}
		}
	}
	for _, got := range [][]standin.Message{c.sns.Messages(), c.pubsub.Messages()} {
		if len(got) != 1 {
			t.Fatalf("%d messages", len(got))
		}
		for _, part := range []string{`"object":"noi_test"`, `"data":"test"`, `"device_id":"5300520006504b5957343920"`, `"fw_version":"TEST 1.0.10"`} {
			if !strings.Contains(string(got[0].Body), part) {
				t.Errorf("no %s in %s", part, got[0].Body)
			}
		}
		if a := got[0].Attributes; len(a) != 1 || a["test"] != "true" {
			t.Errorf("attributes %v", a)
		}
	}
	if _, err := os.Stat(c.state); !os.IsNotExist(err) {
		t.Errorf("the store was touched: %v", err)
	}
}

func TestPublishTestDryRunSendsNothing(t *testing.T) {
	c := startClouds(t)
	code, stdout, _ := run1("publish-test", "main-solar", "--dry-run", "--config", c.config)
	if code != ExitDone || c.sns.Taken() != 0 || !strings.Contains(stdout, "– message     skipped: --dry-run") {
		t.Errorf("exit %d, %d messages:\n%s", code, c.sns.Taken(), stdout)
	}
}

func TestPublishTestOfADeniedPublisherPrintsItsPolicy(t *testing.T) {
	c := startClouds(t)
	c.sns.SetFault(standin.Always(standin.SNSDenied(clitest.TopicARN)))
	code, stdout, stderr := run1("publish-test", clitest.SNSID, "--config", c.config)
	clitest.MustHold(t, stderr, "noi-agent: main-solar cannot publish\nhint: noi-agent setup aws --config "+c.config+" main-solar ")
	for _, want := range []string{
		"\n✗ message     AuthorizationError: User: arn:aws:iam::123456789012:user/noi is not authorized",
		"\n    aws iam put-user-policy --user-name noi --policy-name noi-publish --policy-document ", `"Resource":"` + clitest.TopicARN + `"`,
	} {
		if code != ExitFailed || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in:\n%s", code, want, stdout)
		}
	}
}

func TestPublishTestInJSON(t *testing.T) {
	c := startClouds(t)
	c.pubsub.SetPermitted(false)
	for id, want := range map[string]string{
		clitest.SNSID:    "credentials ok,endpoint ok,identity skipped,topic ok,message ok",
		clitest.PubSubID: "credentials ok,endpoint ok,topic ok,permission FAILED,message skipped",
	} {
		code, stdout, stderr := run1("publish-test", id, "--json", "--config", c.config)
		var r publishTestResult
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || stderr != "" {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
		var steps []string
		for _, s := range r.Steps {
			steps = append(steps, s.Name+" "+string(s.Verdict))
		}
		if got := strings.Join(steps, ","); got != want || r.OK != (code == ExitDone) || r.OK != (r.MessageID != "") || r.IntegrationID != id {
			t.Errorf("%s: exit %d, %+v", id, code, r)
		}
	}
	if c.pubsub.Taken() != 0 {
		t.Error("a message was sent, want none")
	}
}

func TestPublishTestNeedsToKnowWhich(t *testing.T) {
	c := startClouds(t)
	one := clitest.WriteConfig(t, fmt.Sprintf("integrations:\n  - {type: aws, topic_arn: \"%s\", endpoint: \"%s\"}\n", clitest.TopicARN, c.sns.URL()))
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"publish-test", "nobody", "--config", c.config}, ExitMisused, `no integration "nobody"; there are: ` + clitest.SNSID + " main-solar"},
		{[]string{"publish-test", "--config", c.config}, ExitMisused, "2 integrations, say which"},
		{[]string{"publish-test", "--config", clitest.WriteConfig(t, "{}\n")}, ExitMisused, "noi-agent setup aws"},
		{[]string{"publish-test", "--wrong"}, ExitMisused, "unknown flag"},
		{[]string{"publish-test", "--config", "/nowhere/config.yaml"}, ExitFailed, "--config FILE"},
		{[]string{"publish-test", "--dry-run", "--config", one}, ExitDone, ""},
	} {
		code, _, stderr := run1(test.args...)
		if code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%v exits %d: %s", test.args, code, stderr)
		}
	}
}
