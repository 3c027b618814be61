package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/configs"
	"noi-agent/objects"
)

const onboardScript = cloudDir + "aws/onboard-x509.sh"

// account is an AWS account that testdata/fakeaws.sh keeps in a directory.
type account struct {
	t   *testing.T
	dir string
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{t, t.TempDir()}
	if err := os.Mkdir(a.dir+"/bin", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.dir+"/bin/aws", clitest.FileText(t, "testdata/fakeaws.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	return a
}

// onboard runs the script. fail names the call to AWS that fails, in the form of testdata/fakeaws.sh; "": none.
func (a *account) onboard(fail string, args ...string) (stdout, stderr string, err error) {
	a.t.Helper()
	_ = os.Remove(a.dir + "/calls")
	path, err := filepath.Abs(onboardScript)
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := exec.Command("bash", append([]string{path}, args...)...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "PATH="+a.dir+"/bin:"+os.Getenv("PATH"), "FAKE_STATE="+a.dir, "FAKE_FAIL="+fail)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	err = cmd.Run()
	return out.String(), faults.String(), err
}

func (a *account) mustOnboard(args ...string) string {
	a.t.Helper()
	out, faults, err := a.onboard("", args...)
	if err != nil {
		a.t.Fatalf("%v: %v: %s", args, err, faults)
	}
	return out
}

// text returns the content of a file of the account, "" if it does not exist.
func (a *account) text(format string, args ...any) string {
	b, _ := os.ReadFile(filepath.Join(a.dir, fmt.Sprintf(format, args...)))
	return strings.TrimSpace(string(b))
}

// active returns the active certificates of a region. A certificate without a policy is a fault.
func (a *account) active(region string) (ids []string) {
	a.t.Helper()
	list, _ := filepath.Glob(a.dir + "/iot/" + region + "/cert/*")
	for _, dir := range list {
		id := filepath.Base(dir)
		if a.text("iot/%s/cert/%s/status", region, id) != "ACTIVE" {
			continue
		}
		ids = append(ids, id)
		if a.text("iot/%s/cert/%s/policy", region, id) == "" || a.text("iot/%s/cert/%s/thing", region, id) == "" {
			a.t.Errorf("certificate %s is active, without a policy or a thing", id)
		}
	}
	return ids
}

// publishes returns the permission of the role of an alias.
func (a *account) publishes(region, alias string) string {
	role := a.text("iot/%s/alias/%s", region, alias)
	return a.text("iam/right/%s", role[strings.LastIndexByte(role, '/')+1:])
}

// Any call to AWS fails: no active certificate is left without a policy, and the same command run again finishes the
// work.
func TestOnboardingGoesOnAfterAFailureOfAnyStep(t *testing.T) {
	args := []string{"--topic-arn", clitest.TopicARN, "--thing", "noi-42"}
	whole := newAccount(t)
	whole.mustOnboard(args...)
	calls, err := strconv.Atoi(whole.text("calls"))
	if err != nil || calls < 10 {
		t.Fatalf("%d calls: %v", calls, err)
	}
	failing := []string{"lost"}
	for n := range calls {
		failing = append(failing, strconv.Itoa(n+1))
	}
	for _, fail := range failing {
		a := newAccount(t)
		if _, _, err := a.onboard(fail, args...); err == nil {
			t.Errorf("call %s failed, but the script succeeded", fail)
		}
		a.active("us-east-2")
		stdout := a.mustOnboard(args...)
		ids := a.active("us-east-2")
		if len(ids) != 1 || a.text("noi-42/device.pem") != ids[0] || a.text("noi-42/device.key") != ids[0] {
			t.Errorf("call %s: active %v, certificate %q, key %q", fail, ids, a.text("noi-42/device.pem"), a.text("noi-42/device.key"))
		}
		if !strings.Contains(a.publishes("us-east-2", "noi-publisher-MainSolarData"), `"`+clitest.TopicARN+`"`) {
			t.Errorf("call %s: the role may not publish", fail)
		}
		if _, faults := configs.Parse([]byte(stdout), new(objects.Catalog)); len(faults) > 0 {
			t.Errorf("call %s: %v", fail, faults)
		}
	}
}

func TestOnboardingLeavesOtherTopicsAlone(t *testing.T) {
	a := newAccount(t)
	topics := []struct{ arn, region, alias string }{
		{"arn:aws:sns:us-east-2:393221637266:Main", "us-east-2", "noi-publisher-Main"},
		{"arn:aws:sns:eu-west-1:393221637266:Main", "eu-west-1", "noi-publisher-Main"},
		{"arn:aws:sns:us-east-2:393221637266:Main.fifo", "us-east-2", "noi-publisher-Main@fifo"},
	}
	for i, c := range topics {
		stdout := a.mustOnboard("--topic-arn", c.arn, "--thing", fmt.Sprintf("noi-%d", i), "--name", "42")
		if _, faults := configs.Parse([]byte(stdout), new(objects.Catalog)); len(faults) > 0 {
			t.Errorf("%s: %v", c.arn, faults)
		}
	}
	for _, c := range topics {
		if !strings.Contains(a.publishes(c.region, c.alias), `"`+c.arn+`"`) {
			t.Errorf("%s: alias %s gives %s", c.arn, c.alias, a.publishes(c.region, c.alias))
		}
	}
	if ids := a.active("us-east-2"); len(ids) != 2 {
		t.Errorf("active %v", ids)
	}
	for _, c := range [][]string{
		{"--alias", "noi-publisher-Main"}, // the alias of another topic
		{"--role", "noi-publisher-Main-us-east-2"},
	} {
		args := append([]string{"--topic-arn", "arn:aws:sns:us-east-2:393221637266:Other", "--thing", "x"}, c...)
		if _, faults, err := a.onboard("", args...); err == nil || !strings.Contains(faults, "publishes to another topic: name another "+c[0]) {
			t.Errorf("%v: %v: %s", c, err, faults)
		}
	}
}

// An alias of an earlier version has a role that all regions share. The script gives it its own role.
func TestOnboardingGivesAnAliasOfASharedRoleItsOwn(t *testing.T) {
	a := newAccount(t)
	for path, text := range map[string]string{
		"iam/role/noi-publisher-Main":            "x",
		"iam/right/noi-publisher-Main":           `{"Resource":"arn:aws:sns:eu-west-1:393221637266:Main"}`,
		"iot/us-east-2/alias/noi-publisher-Main": "arn:aws:iam::393221637266:role/noi-publisher-Main",
	} {
		path = filepath.Join(a.dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const topic = "arn:aws:sns:us-east-2:393221637266:Main"
	a.mustOnboard("--topic-arn", topic, "--thing", "noi-1")
	if right := a.publishes("us-east-2", "noi-publisher-Main"); !strings.Contains(right, `"`+topic+`"`) {
		t.Errorf("the alias gives %s", right)
	}
	if right := a.text("iam/right/noi-publisher-Main"); !strings.Contains(right, "eu-west-1") {
		t.Errorf("the other region has %s now", right)
	}
}

func TestOnboardingRefusesNamesThatBreakItsFiles(t *testing.T) {
	a := newAccount(t)
	for _, c := range [][2]string{
		{"--name", "a: b"}, {"--name", `a"`}, {"--name", "a\nb"}, {"--name", "all"}, {"--name", "a,b"}, {"--name", strings.Repeat("n", 65)},
		{"--alias", `a","b`}, {"--alias", strings.Repeat("a", 129)}, {"--alias", "a b"}, {"--role", strings.Repeat("r", 65)}, {"--role", "a/b"},
		{"--policy", `p"`}, {"--thing", "a b"}, {"--topic-arn", "arn:aws:sns:us-east-2:393221637266:a.b"},
	} {
		args := []string{"--topic-arn", clitest.TopicARN, "--thing", "noi-42", c[0], c[1]}
		if out, faults, err := a.onboard("", args...); err == nil || !strings.Contains(faults, c[0]+": want") || out != "" {
			t.Errorf("%s %q: %v: %s%s", c[0], c[1], err, faults, out)
		}
	}
	if a.text("calls") != "" {
		t.Error("there were requests to AWS")
	}
}

// sed -i has different arguments on macOS and Linux.
func TestScriptsRunOnMacOSToo(t *testing.T) {
	for _, script := range cloudScripts(t) {
		for i, line := range strings.Split(string(clitest.FileText(t, script)), "\n") {
			if code, _, _ := strings.Cut(line, "#"); strings.Contains(code, "sed -i") || strings.Contains(code, "readlink -f") {
				t.Errorf("%s:%d: %s", script, i+1, line)
			}
		}
	}
}
