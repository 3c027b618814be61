package sns_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

// secret is part of everything that must never be shown.
const secret = "wJalr-this-is-the-secret"

func mustWrite(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// credentialCase is a fault of the gateway's credentials, and the expected report about it. HOME in parts is replaced
// by the home directory.
type credentialCase struct {
	name  string
	o     sns.Options
	setUp func(t *testing.T, home string)
	code  string
	parts []string
}

func credentialCases() []credentialCase {
	return []credentialCase{
		{name: "nothing anywhere", code: "MissingCredentials", parts: []string{
			"AWS_ACCESS_KEY_ID", "profile default", "HOME/credentials (not there)", "HOME/config (not there)", "credential_process",
			"AWS_WEB_IDENTITY_TOKEN_FILE", "EC2 metadata off",
		}},
		{
			name: "no such profile", o: sns.Options{Profile: "solar"}, code: "MissingCredentials",
			setUp: func(t *testing.T, home string) {
				mustWrite(t, home+"/credentials", "[default]\naws_access_key_id=x\naws_secret_access_key="+secret+"\n", 0o600)
			},
			parts: []string{`no AWS profile "solar" in HOME/credentials or HOME/config (not there)`},
		},
		{
			name: "profile of the environment", code: "MissingCredentials",
			setUp: func(t *testing.T, _ string) { t.Setenv("AWS_PROFILE", "roof") },
			parts: []string{`no AWS profile "roof"`},
		},
		{
			name: "malformed file", code: "MissingCredentials", // the SDK ignores a file that it cannot read
			setUp: func(t *testing.T, home string) {
				mustWrite(t, home+"/credentials", "[default\naws_secret_access_key="+secret+"\n", 0o600)
			},
			parts: []string{"profile default of HOME/credentials and"},
		},
		{
			name: "half a key", code: "CredentialsError", parts: []string{"partial credentials", "profile default"},
			setUp: func(t *testing.T, home string) {
				mustWrite(t, home+"/credentials", "[default]\naws_secret_access_key="+secret+"\n", 0o600)
			},
		},
		{
			name: "credential_process fails", code: "CredentialsError",
			setUp: func(t *testing.T, home string) {
				mustWrite(t, home+"/config", "[default]\ncredential_process = sh -c \"echo "+secret+"; exit 3\"\n", 0o600)
			},
			parts: []string{"credential_process", "exit status 3"},
		},
		{
			name: "credential_process prints something else", code: "CredentialsError",
			setUp: func(t *testing.T, home string) {
				mustWrite(t, home+"/config", "[default]\ncredential_process = echo "+secret+"\n", 0o600)
			},
			parts: []string{"credential_process", "JSON"},
		},
		{
			name: "web identity without its token", code: "CredentialsError",
			setUp: func(t *testing.T, home string) {
				t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", home+"/token")
				t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::393221637266:role/noi")
			},
			parts: []string{"HOME/token"},
		},
		{
			name: "CA bundle not there", code: "CredentialsError",
			setUp: func(t *testing.T, home string) { t.Setenv("AWS_CA_BUNDLE", home+"/roots.pem") },
			parts: []string{"HOME/roots.pem"},
		},
	}
}

// The daemon starts whatever is missing, and names it.
func TestCredentialFaultsWaitAndSayTheWayOut(t *testing.T) {
	for _, c := range credentialCases() {
		t.Run(c.name, func(t *testing.T) {
			cleanEnv(t)
			home := os.Getenv("HOME")
			if c.setUp != nil {
				c.setUp(t, home)
			}
			c.o.Endpoint = "http://127.0.0.1:1"
			results := mustNew(t, c.o).Publish(t.Context(), sinktest.Messages(3))
			got := results[0]
			if len(results) != 3 || got.Outcome != sinks.Wait || got.Code != c.code {
				t.Fatalf("%d results, %s (%s)", len(results), got.Outcome, got.Error())
			}
			for _, part := range c.parts {
				if part = strings.ReplaceAll(part, "HOME", home); !strings.Contains(got.Text, part) {
					t.Errorf("no %q in: %s", part, got.Text)
				}
			}
			if strings.Contains(got.Text, secret) {
				t.Errorf("the secret is in: %s", got.Text)
			}
		})
	}
}

func TestCredentialsThatAppearLaterAreFound(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	file := filepath.Join(os.Getenv("HOME"), "credentials")
	for _, step := range []struct {
		key, secret string
		want        string // Code; "" when accepted
	}{
		{"", "", "MissingCredentials"},
		{"OTHERKEY000000000000", standin.SecretAccessKey, "InvalidClientTokenId"},
		{standin.AccessKeyID, secret, "SignatureDoesNotMatch"},
		{standin.AccessKeyID, standin.SecretAccessKey, ""},
	} {
		if step.key != "" {
			mustWrite(t, file, "[default]\naws_access_key_id="+step.key+"\naws_secret_access_key="+step.secret+"\n", 0o600)
		}
		got := sink.Publish(t.Context(), sinktest.Messages(1))[0]
		if got.Code != step.want || strings.Contains(got.Text, step.secret) && step.secret != "" {
			t.Errorf("key %q: %s (%s), want %q", step.key, got.Outcome, got.Error(), step.want)
		}
	}
}

// AWS explains a wrong signature by repeating the headers of the request, and one of them is the token.
func TestSessionTokenIsNotShown(t *testing.T) {
	withKeys(t)
	t.Setenv("AWS_SESSION_TOKEN", secret)
	cloud := mustStart(t, standin.SNSOptions{SecretAccessKey: "another"})
	got := mustNew(t, sns.Options{Endpoint: cloud.URL()}).Publish(t.Context(), sinktest.Messages(1))[0]
	if got.Outcome != sinks.Wait || got.Code != "SignatureDoesNotMatch" || !strings.HasSuffix(got.Text, "for details.") {
		t.Errorf("%s (%s)", got.Outcome, got.Error())
	}
	if strings.Contains(got.Text, secret) || strings.Contains(got.Text, "x-amz") {
		t.Errorf("the text has the headers: %s", got.Text)
	}
}

func TestMetadataServiceIsAskedOnlyOnDemand(t *testing.T) {
	cleanEnv(t)
	var hits atomic.Int32
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer metadata.Close()
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.URL)
	mustWrite(t, os.Getenv("HOME")+"/config", "[profile machine]\nrole_arn=arn:aws:iam::393221637266:role/noi\ncredential_source=Ec2InstanceMetadata\n", 0o600)
	for _, c := range []struct {
		profile string
		on      bool
	}{{"", false}, {"machine", false}, {"", true}, {"machine", true}} {
		hits.Store(0)
		got := mustNew(t, sns.Options{Profile: c.profile, IMDS: c.on, Endpoint: "http://127.0.0.1:1"}).Publish(t.Context(), sinktest.Messages(1))[0]
		if got.Outcome != sinks.Wait {
			t.Errorf("%+v: %s (%s)", c, got.Outcome, got.Error())
		}
		if asked := hits.Load() > 0; asked != c.on {
			t.Errorf("%+v: metadata service asked: %t", c, asked)
		}
	}
}

// A helper hangs, and its child keeps the output open. The sink kills the helper. The SDK would wait for the output
// for ever, the sink does not.
func TestCredentialProcessThatNeverEndsIsStartedAgain(t *testing.T) {
	cleanEnv(t)
	home := t.TempDir()
	mustWrite(t, home+"/helper", "#!/bin/sh\nif [ -e "+home+"/again ]; then echo '{\"Version\":1,\"AccessKeyId\":\""+standin.AccessKeyID+
		"\",\"SecretAccessKey\":\""+standin.SecretAccessKey+"\"}'; exit; fi\ntouch "+home+"/again\ncat "+home+"/hang\ntrue\n", 0o700)
	if err := syscall.Mkfifo(home+"/hang", 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // ends the child
		if f, err := os.OpenFile(home+"/hang", os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			_ = f.Close() // nothing was written
		}
	})
	mustWrite(t, home+"/config", "[default]\ncredential_process = "+home+"/helper\n", 0o600)
	t.Setenv("AWS_CONFIG_FILE", home+"/config")
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL(), Timeout: time.Second})
	for attempt := 1; attempt <= 4; attempt++ {
		want := sinks.Retry
		if attempt == 4 {
			want = sinks.Accepted
		}
		if got := sink.Publish(t.Context(), sinktest.Messages(1))[0]; got.Outcome != want {
			t.Fatalf("attempt %d: %s (%s), want %s", attempt, got.Outcome, got.Error(), want)
		}
	}
}
