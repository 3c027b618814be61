package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/configs"
	"noi-agent/objects"
)

// setup runs the command with --json, and decodes its output.
func setup(t *testing.T, args ...string) recipe {
	t.Helper()
	code, stdout, stderr := run1(append([]string{"setup", "--json"}, args...)...)
	if code != ExitDone {
		t.Fatalf("%v exits %d: %s", args, code, stderr)
	}
	var r recipe
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	return r
}

// everySetup are the command lines of all methods.
func everySetup() [][]string {
	return [][]string{
		{"aws"}, {"aws", "--method", "user", "--topic", "Roof.fifo", "--region", "eu-central-1", "--account", "393221637266"},
		{"aws", "--method", "iot", "--topic", "arn:aws-cn:sns:cn-north-1:393221637266:Roof"}, {"aws", "--method", "roles-anywhere"},
		{"gcp"}, {"gcp", "--method", "key", "--topic", "projects/test-project/topics/Roof"}, {"gcp", "--method", "workload-identity", "--project", "example.com:solar"},
	}
}

// The integration that setup prints is valid in the configuration, and has the topic of the command line.
func TestSetupPrintsAConfigurationThatIsValid(t *testing.T) {
	catalog, err := objects.LoadCatalog("")
	if err != nil {
		t.Fatal(err)
	}
	topics := []string{
		"arn:aws:sns:us-east-2:123456789012:MainSolarData", "arn:aws:sns:eu-central-1:393221637266:Roof.fifo", "arn:aws-cn:sns:cn-north-1:393221637266:Roof",
		"arn:aws:sns:us-east-2:123456789012:MainSolarData", "projects/my-project/topics/MainSolarData", "projects/test-project/topics/Roof",
		"projects/example.com:solar/topics/MainSolarData",
	}
	for i, args := range everySetup() {
		r := setup(t, args...)
		c, faults := configs.Parse([]byte(r.YAML), catalog)
		if len(faults) > 0 || len(c.Integrations) != 1 || c.Integrations[0].Destination() != topics[i] {
			t.Errorf("%v: %v\n%s", args, faults, r.YAML)
			continue
		}
		in := c.Integrations[0]
		ways := 0
		for _, way := range []bool{in.Profile != "", in.IoT != (configs.IoT{}), in.CredentialsFile != ""} {
			if way {
				ways++
			}
		}
		if ways != 1 {
			t.Errorf("%v: %d kinds of credentials in\n%s", args, ways, r.YAML)
		}
	}
}

// Every printed command is valid for a shell, and no placeholder is left in it.
func TestSetupPrintsCommandsThatAShellTakes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range everySetup() {
		r := setup(t, args...)
		for _, s := range r.Steps {
			cmd := exec.Command(bash, "-n")
			cmd.Stdin = strings.NewReader(s.Commands)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v, %s: %v: %s\n%s", args, s.Title, err, out, s.Commands)
			}
			for _, left := range []string{"{topic}", "{region}", "{policy", "{role}", "{who}", "{thing}", "{account}", "{project}", "{file}", "{cert}", "{alias}", "{name}"} {
				if strings.Contains(s.Commands, left) {
					t.Errorf("%v: %s is left in %s", args, left, s.Commands)
				}
			}
		}
	}
}

// A publisher gets the least permissions that it needs: one action on one topic.
func TestSetupGivesTheLeastRight(t *testing.T) {
	for _, args := range everySetup() {
		r := setup(t, args...)
		all := r.Policy
		for _, s := range r.Steps {
			all += s.Commands
		}
		for _, much := range []string{`"sns:*"`, `"Action": "*"`, `"Resource": "*"`, "projects add-iam-policy-binding", "AmazonSNSFullAccess", "roles/pubsub.editor", "roles/editor"} {
			if strings.Contains(all, much) {
				t.Errorf("%v grants %s", args, much)
			}
		}
		if r.Cloud == configs.GCP {
			if !strings.HasPrefix(r.Policy, "gcloud pubsub topics add-iam-policy-binding ") || !strings.HasSuffix(r.Policy, "--role roles/pubsub.publisher") || !strings.Contains(all, r.Policy) {
				t.Errorf("%v: %s", args, r.Policy)
			}
			continue
		}
		var policy struct {
			Statement []struct{ Effect, Action, Resource string }
		}
		if err := json.Unmarshal([]byte(r.Policy), &policy); err != nil || len(policy.Statement) != 1 {
			t.Fatalf("%v: %v: %s", args, err, r.Policy)
		}
		if s := policy.Statement[0]; s.Effect != "Allow" || s.Action != "sns:Publish" || !strings.Contains(r.YAML, "topic_arn: "+s.Resource+"\n") || !strings.Contains(all, r.Policy) {
			t.Errorf("%v: %+v", args, s)
		}
	}
}

func TestSetupFillsInFromTheConfiguration(t *testing.T) {
	config := clitest.WriteConfig(t, fmt.Sprintf(`integrations:
  - {id: %s, name: roof, type: aws, topic_arn: "arn:aws:sns:eu-west-1:393221637266:Roof", ca_file: /etc/ca.pem, iot: {endpoint: c2x3.credentials.iot.eu-west-1.amazonaws.com, role_alias: solar, certificate: /etc/own.pem, key: /etc/own.key, thing: noi-7}}
  - {id: %s, name: cloud, type: gcp, project_id: test-project, topic: Roof, credentials_file: /etc/own.json}
`, clitest.SNSID, clitest.PubSubID))
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"aws", "roof"}, []string{"--name Roof --region eu-west-1", "--role-alias solar ", "--thing-name noi-7 ", "rolealias/solar", "device.pem /etc/own.pem", "id: " + clitest.SNSID, "ca_file: /etc/ca.pem", "role_alias: solar"}},
		{[]string{"aws", clitest.SNSID, "--method", "user"}, []string{"aws iam create-access-key", "profile: noi"}},
		{[]string{"gcp", clitest.PubSubID}, []string{"topics create Roof --project test-project", "gcp.json /etc/own.json", "credentials_file: /etc/own.json", "name: cloud"}},
	} {
		code, stdout, stderr := run1(append([]string{"setup", "--config", config}, c.args...)...)
		for _, want := range c.want {
			if code != ExitDone || !strings.Contains(stdout, want) {
				t.Errorf("%v exits %d (%s), no %q in\n%s", c.args, code, stderr, want, stdout)
			}
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"setup", "aws", "cloud", "--config", config}, "noi-agent setup gcp"},
		{[]string{"setup", "aws", "nobody", "--config", config}, "no integration"},
		{[]string{"setup", "aws", "--topic", "a;b"}, "a topic's name is"},
		{[]string{"setup", "aws", "--topic", "a$(b)"}, "a topic's name is"},
		{[]string{"setup", "aws", "--account", "12"}, "12 digits"},
		{[]string{"setup", "aws", "--region", "us east"}, "region"},
		{[]string{"setup", "aws", "--method", "magic"}, "--method: want user, iot or roles-anywhere, not"},
		{[]string{"setup", "gcp", "--project", "A B"}, "project"},
		{[]string{"setup", "gcp", "--topic", "x'y"}, "topic's name"},
		{[]string{"setup", "aws", "--thing", "a b", "--method", "iot"}, "thing's name"},
	} {
		code, stdout, stderr := run1(c.args...)
		if code != ExitMisused || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%v exits %d: %s%s", c.args, code, stderr, stdout)
		}
	}
}

// Each value of a configuration becomes one word of the shell, even with special characters. The test runs the
// commands with fake programs that record their arguments.
func TestSetupQuotesEveryValue(t *testing.T) {
	const odd = `x y'; touch canary; $(touch canary) "`
	quoted := strings.ReplaceAll(odd, "'", "''")
	config := clitest.WriteConfig(t, fmt.Sprintf(`integrations:
  - {name: roof, type: aws, topic_arn: "arn:aws:sns:eu-west-1:393221637266:Roof", iot: {endpoint: c.credentials.iot.eu-west-1.amazonaws.com, role_alias: solar, certificate: '/c%[1]s', key: '/k%[1]s'}}
  - {name: user, type: aws, topic_arn: "arn:aws:sns:eu-west-1:393221637266:Roof", profile: '%[1]s'}
  - {name: cloud, type: gcp, project_id: test-project, topic: Ro~of, credentials_file: '/f%[1]s'}
`, quoted))
	for _, c := range []struct{ args, words []string }{
		{[]string{"aws", "roof", "--thing", odd}, []string{"/c" + odd, "/k" + odd, odd}},
		{[]string{"aws", "user"}, nil},
		{[]string{"gcp", "cloud"}, []string{"/f" + odd, "Ro~of"}},
		{[]string{"gcp", "cloud", "--method", "workload-identity"}, []string{"/f" + odd, "Ro~of"}},
	} {
		dir := t.TempDir()
		for _, name := range []string{"aws", "gcloud", "sudo"} {
			script := "#!/bin/sh\nfor word; do printf '<%s>' \"$word\" >> words; done\n"
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range setup(t, append(c.args, "--config", config)...).Steps {
			cmd := exec.Command("sh", "-c", s.Commands)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
			_ = cmd.Run() // the stand-ins make no files, so some commands fail
		}
		if _, err := os.Stat(filepath.Join(dir, "canary")); err == nil {
			t.Errorf("%v: a command in a value ran", c.args)
		}
		noted := string(clitest.FileText(t, filepath.Join(dir, "words")))
		for _, word := range c.words {
			if !strings.Contains(noted, "<"+word+">") {
				t.Errorf("%v: %q does not arrive as one word:\n%s", c.args, word, noted)
			}
		}
	}
}
