package pubsub_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest"
)

// secret is part of everything that must never be shown.
const secret = "ya29-this-is-the-secret"

// closedEndpoint is an address where no program listens. The sink uses TLS and credentials for it.
const closedEndpoint = "https://127.0.0.1:1"

func mustWrite(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serviceAccount is a well-formed key that gives access to nothing.
func serviceAccount(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "test-project", "private_key_id": "1",
		"client_email": "noi@test-project.iam.gserviceaccount.com", "token_uri": "http://127.0.0.1:1/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// externalAccount gets its tokens from tokenURL, in exchange for the token in a file.
func externalAccount(t *testing.T, dir, tokenURL string) string {
	t.Helper()
	mustWrite(t, dir+"/subject", secret)
	return fmt.Sprintf(`{"type":"external_account","audience":"//iam.googleapis.com/projects/1/x","subject_token_type":"urn:ietf:params:oauth:token-type:jwt",`+
		`"token_url":%q,"credential_source":{"file":%q}}`, tokenURL, dir+"/subject")
}

func publishOne(t *testing.T, o pubsub.Options) sinks.Result {
	t.Helper()
	return mustNew(t, o).Publish(t.Context(), sinktest.Messages(1))[0]
}

// Without credentials the answer comes from this machine: the sink looks up no name and asks no metadata server, so
// the answer is the same without a network. The context has no end.
func TestMissingCredentialsSayTheWayOut(t *testing.T) {
	cleanEnv(t)
	for _, endpoint := range []string{"", "pubsub.googleapis.com:443", closedEndpoint, "vpc.example:443"} {
		results := mustNew(t, pubsub.Options{Endpoint: endpoint}).Publish(context.Background(), sinktest.Messages(3))
		got := results[0]
		if len(results) != 3 || got.Outcome != sinks.Wait || got.Code != "MissingCredentials" {
			t.Errorf("%d results, %s (%s)", len(results), got.Outcome, got.Error())
		}
		for _, part := range []string{"credentials_file", "GOOGLE_APPLICATION_CREDENTIALS", os.Getenv("HOME") + "/.config/gcloud", "GCE_METADATA_HOST"} {
			if !strings.Contains(got.Text, part) {
				t.Errorf("no %q in: %s", part, got.Text)
			}
		}
	}
}

func TestUnusableCredentialsNameTheirFile(t *testing.T) {
	for _, c := range []struct{ name, text, part string }{
		{"not JSON", "-----BEGIN PRIVATE KEY-----" + secret, "malformed at byte"},
		{"JSON that breaks off", `{"type":"service_account","private_key":"` + secret, "malformed at byte"},
		{"empty", "", "malformed at byte 0"},
		{"a list", "[1]", "not an object"},
		{"no type", `{"private_key":"` + secret + `"}`, `no "type"`},
		{"unknown type", `{"type":"passport"}`, "passport"},
		{"key is no key", `{"type":"service_account","client_email":"a@b","private_key":"` + secret + `"}`, "service_account"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cleanEnv(t)
			home := os.Getenv("HOME")
			file := mustWrite(t, home+"/key.json", c.text)
			gcloud := mustWrite(t, home+"/.config/gcloud/application_default_credentials.json", c.text)
			for _, o := range []struct{ configured, env, named string }{{file, "", file}, {"", file, file}, {"", "", gcloud}} {
				t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", o.env)
				got := publishOne(t, pubsub.Options{CredentialsFile: o.configured, Endpoint: closedEndpoint})
				if got.Outcome != sinks.Wait || got.Code != "CredentialsError" || !strings.Contains(got.Text, o.named) || !strings.Contains(got.Text, c.part) {
					t.Errorf("%s (%s), want %s and %q", got.Outcome, got.Error(), o.named, c.part)
				}
				if strings.Contains(got.Text, secret) {
					t.Errorf("the secret is in: %s", got.Text)
				}
			}
		})
	}
}

func TestNamedCredentialsThatAreNotThereAreNamed(t *testing.T) {
	cleanEnv(t)
	path := os.Getenv("HOME") + "/gcp.json"
	got := publishOne(t, pubsub.Options{CredentialsFile: path, Endpoint: closedEndpoint})
	if want := "CredentialsError: Google credentials file " + path + ": not there"; got.Outcome != sinks.Wait || got.Error() != want {
		t.Errorf("%s\n got %s\nwant %s", got.Outcome, got.Error(), want)
	}
}

// The operator adds the key while the daemon runs: the next attempt uses the network.
func TestCredentialsThatAppearLaterAreFound(t *testing.T) {
	cleanEnv(t)
	path := os.Getenv("HOME") + "/gcp.json"
	sink := mustNew(t, pubsub.Options{CredentialsFile: path, Endpoint: closedEndpoint})
	for _, step := range []struct{ text, want string }{
		{"", "CredentialsError"}, {serviceAccount(t), "Unavailable"},
	} {
		if step.text != "" {
			mustWrite(t, path, step.text)
		}
		if got := sink.Publish(t.Context(), sinktest.Messages(1))[0]; got.Code != step.want {
			t.Errorf("%s (%s), want %s", got.Outcome, got.Error(), step.want)
		}
	}
}

// A token service that cannot be reached is an outage, and the sink tries again. A refusal of the service waits for
// the operator.
func TestTokenServiceFaultsAreToldApart(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   sinks.Outcome
		error  string
	}{
		{"refused", 400, `{"error":"invalid_grant","error_description":"The subject token is expired."}`, sinks.Wait, "invalid_grant: "},
		{"clock", 400, `{"error":"invalid_grant","error_description":"Invalid JWT: Token must be short-lived and in a reasonable timeframe."}`, sinks.Retry, "ClockError: invalid_grant: Invalid JWT"},
		{"forbidden", 403, `<html>` + secret, sinks.Wait, "CredentialsError: HTTP status 403"},
		{"not allowed to impersonate", 403, `{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getAccessToken' denied","status":"PERMISSION_DENIED"}}`, sinks.Wait, "PERMISSION_DENIED: Permission 'iam"},
		{"unwell", 503, `{"error":"unavailable"}`, sinks.Retry, ""},
		{"throttled", 429, `{"error":"rate"}`, sinks.Retry, ""},
		{"gone", 0, "", sinks.Retry, "NetworkError: token service: dial tcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cleanEnv(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			if c.status == 0 {
				server.Close()
			}
			home := os.Getenv("HOME")
			file := mustWrite(t, home+"/gcp.json", externalAccount(t, home, server.URL))
			got := publishOne(t, pubsub.Options{CredentialsFile: file, Endpoint: closedEndpoint})
			if got.Outcome != c.want || !strings.Contains(got.Error(), c.error) || strings.Contains(got.Text, secret) {
				t.Errorf("%s (%s), want %s with %q", got.Outcome, got.Error(), c.want, c.error)
			}
		})
	}
}

func TestMetadataServerIsAskedWhereItIsNamed(t *testing.T) {
	cleanEnv(t)
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.Header().Set("Metadata-Flavor", "Google")
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_in":3600,"token_type":"Bearer"}`, secret)
	}))
	defer server.Close()
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"))
	got := publishOne(t, pubsub.Options{Endpoint: closedEndpoint})
	if got.Outcome != sinks.Retry || got.Code != "Unavailable" || len(asked) == 0 {
		t.Errorf("%s (%s), asked %v", got.Outcome, got.Error(), asked)
	}
}

// A proxy in front of the token service that requires another password waits for the operator, like a proxy in front
// of the cloud.
func TestProxyInFrontOfTheTokenServiceWaitsForItsPassword(t *testing.T) {
	cleanEnv(t)
	proxy := sinktest.StartProxy(t, closedEndpoint, "Basic another")
	t.Setenv("HTTPS_PROXY", "http://noi:"+secret+"@"+proxy.Addr())
	home := os.Getenv("HOME")
	file := mustWrite(t, home+"/gcp.json", externalAccount(t, home, "https://sts.example/token"))
	sink := mustNew(t, pubsub.Options{CredentialsFile: file, Endpoint: closedEndpoint})
	got := sink.Publish(t.Context(), sinktest.Messages(1))[0]
	if want := "ProxyError: proxy " + proxy.Addr() + " does not connect to sts.example:443: HTTP 407 Proxy Authentication Required"; got.Outcome != sinks.Wait || got.Error() != want {
		t.Errorf("%s (%s), want %s", got.Outcome, got.Error(), want)
	}
	if !strings.Contains(sink.Remedy(got), "systemctl edit noi-agent") {
		t.Errorf("remedy %q", sink.Remedy(got))
	}
}
