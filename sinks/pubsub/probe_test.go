package pubsub_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
)

// probe runs a probe of a sink, and checks that it shows no secret.
func probe(t *testing.T, sink *pubsub.Sink) (lines []string, remedies map[string]string, ok bool) {
	t.Helper()
	return sinktest.Probe(t, sink.Probe, secret, "PRIVATE KEY")
}

func TestProbeOfAnEmulator(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	lines, _, ok := probe(t, mustNew(t, pubsub.Options{Endpoint: cloud.Addr()}))
	if !ok || cloud.Taken() != 0 {
		t.Errorf("ok %t, %d messages", ok, cloud.Taken())
	}
	sinktest.HasLines(t, lines, "credentials ok none needed", "endpoint ok "+cloud.Addr()+" answers; no TLS", "topic ok "+topic+" exists", "permission ok pubsub.topics.publish")
}

// The way to Google itself: TLS, and a service account that signs its own tokens.
func TestProbeOverTLSNamesTheServiceAccount(t *testing.T) {
	cleanEnv(t)
	cloud, ca := mustStart(t), sinktest.NewAuthority(t)
	front := sinktest.StartFront(t, cloud.Addr(), sinktest.ServerConfig(ca.Good(t, "127.0.0.1")))
	file := mustWrite(t, os.Getenv("HOME")+"/key.json", serviceAccount(t))
	lines, remedies, ok := probe(t, mustNew(t, pubsub.Options{Endpoint: "https://" + front.Addr(), CAFile: ca.File, CredentialsFile: file}))
	if !ok {
		t.Errorf("%s", remedies)
	}
	sinktest.HasLines(t, lines, "credentials ok service account noi@test-project.iam.gserviceaccount.com (key) from "+file,
		"endpoint ok "+front.Addr()+" answers; TLS 1.3, certificate of authority of a test until", "topic ok", "permission ok")
	cloud.SetPermitted(false)
	_, remedies, ok = probe(t, mustNew(t, pubsub.Options{Endpoint: "https://" + front.Addr(), CAFile: ca.File, CredentialsFile: file}))
	want := "gcloud pubsub topics add-iam-policy-binding MainSolarData --project test-project --member serviceAccount:noi@test-project.iam.gserviceaccount.com --role roles/pubsub.publisher"
	if ok || !strings.Contains(remedies["permission"], want) {
		t.Errorf("ok %t, %s", ok, remedies["permission"])
	}
}

func TestProbeNamesTheRemedyOfARefusal(t *testing.T) {
	for _, c := range []struct {
		method     string
		code, text string
		line       int
		want       string
		remedy     string
	}{
		{standin.GetTopic, "NotFound", "Resource not found (resource=MainSolarData).", 2, "topic FAILED NotFound: ", "gcloud pubsub topics create MainSolarData --project test-project"},
		{standin.GetTopic, "PermissionDenied", "User not authorized to perform this action.", 2, "topic unknown whether " + topic + " exists cannot be checked", ""},
		{standin.GetTopic, "PermissionDenied", "Cloud Pub/Sub API has not been used in project 1 before or it is disabled.", 2,
			"topic FAILED PermissionDenied: ", "gcloud services enable pubsub.googleapis.com --project test-project"},
		{standin.GetTopic, "Unauthenticated", "no", 2, "topic FAILED Unauthenticated", "gcloud iam service-accounts keys list"},
		{standin.GetTopic, "Unavailable", "no", 2, "topic FAILED Unavailable", "See the step endpoint"},
		{standin.TestIamPermissions, "Unimplemented", "no", 3, "permission unknown", ""},
		{standin.TestIamPermissions, "PermissionDenied", "no", 3, "permission FAILED PermissionDenied: ", "roles/pubsub.publisher"},
	} {
		cleanEnv(t)
		cloud := mustStart(t)
		cloud.SetLookFault(c.method, standin.Fault{Code: c.code, Text: c.text})
		lines, remedies, ok := probe(t, mustNew(t, pubsub.Options{Endpoint: cloud.Addr()}))
		name, _, _ := strings.Cut(c.want, " ")
		if !strings.HasPrefix(lines[c.line], c.want) || !strings.Contains(remedies[name], c.remedy) || ok != (c.remedy == "") {
			t.Errorf("%s %s: ok %t, %s\n%s\nwant %s\n%s", c.method, c.code, ok, lines[c.line], remedies[name], c.want, c.remedy)
		}
	}
}

func TestProbeOfATopicThatIsNotThere(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	lines, remedies, ok := probe(t, mustNew(t, pubsub.Options{Endpoint: cloud.Addr(), Topic: "projects/test-project/topics/Nothing"}))
	if ok || !strings.Contains(remedies["topic"], "gcloud pubsub topics create Nothing --project test-project") {
		t.Errorf("ok %t, %s", ok, remedies["topic"])
	}
	sinktest.HasLines(t, lines, "credentials ok", "endpoint ok", "topic FAILED NotFound", "permission skipped")
	// then only the permissions show whether the topic is usable
	cloud.SetLookFault(standin.GetTopic, standin.Fault{Code: "PermissionDenied", Text: "no"})
	lines, _, _ = probe(t, mustNew(t, pubsub.Options{Endpoint: cloud.Addr(), Topic: "projects/test-project/topics/Nothing"}))
	sinktest.HasLines(t, lines, "credentials ok", "endpoint ok", "topic unknown", "permission FAILED PermissionDenied: no pubsub.topics.publish on projects/test-project/topics/Nothing, or there is no such topic")
}

func TestProbeWithoutCredentialsStillLooksAtTheEndpoint(t *testing.T) {
	cleanEnv(t)
	lines, remedies, ok := probe(t, mustNew(t, pubsub.Options{Endpoint: closedEndpoint}))
	if ok || !strings.Contains(remedies["credentials"], "gcloud iam service-accounts keys create gcp.json --iam-account noi-publisher@test-project.iam.gserviceaccount.com") {
		t.Errorf("ok %t, %s", ok, remedies["credentials"])
	}
	sinktest.HasLines(t, lines, "credentials FAILED MissingCredentials", "endpoint FAILED connection: dial tcp 127.0.0.1:1: connect: connection refused", "topic skipped", "permission skipped")
}

func TestProbeTellsAnExpiredCertificate(t *testing.T) {
	cleanEnv(t)
	cloud, ca := mustStart(t), sinktest.NewAuthority(t)
	front := sinktest.StartFront(t, cloud.Addr(), sinktest.ServerConfig(ca.Certificate(t, "127.0.0.1", -2*time.Hour, -time.Hour)))
	file := mustWrite(t, os.Getenv("HOME")+"/key.json", serviceAccount(t))
	lines, remedies, _ := probe(t, mustNew(t, pubsub.Options{Endpoint: "https://" + front.Addr(), CAFile: ca.File, CredentialsFile: file}))
	sinktest.HasLines(t, lines, "credentials ok", "endpoint FAILED TLS: ", "topic skipped", "permission skipped")
	if !strings.Contains(remedies["endpoint"], "timedatectl") {
		t.Errorf("%s", remedies["endpoint"])
	}
}

// A workload identity is named by its audience, and a refusal of the token service by its own remedy.
func TestProbeOfAnExternalAccount(t *testing.T) {
	cleanEnv(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":"invalid_target","error_description":"The target service indicated by the audience is invalid."}`)
	}))
	defer service.Close()
	file := mustWrite(t, os.Getenv("HOME")+"/gcp.json", externalAccount(t, t.TempDir(), service.URL))
	lines, remedies, ok := probe(t, mustNew(t, pubsub.Options{Endpoint: closedEndpoint, CredentialsFile: file}))
	if ok || !strings.HasPrefix(lines[0], "credentials FAILED invalid_target: ") || !strings.Contains(remedies["credentials"], "workload-identity-pools providers list") {
		t.Errorf("ok %t, %s\n%s", ok, lines[0], remedies["credentials"])
	}
}

func TestRemedyNamesThePoolOrTheImpersonatedAccount(t *testing.T) {
	cleanEnv(t)
	const account = `{"type":"external_account","audience":"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/solar/providers/gateways",` +
		`"subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"http://127.0.0.1:1","credential_source":{"file":"/nowhere"}%s}`
	for _, c := range []struct{ more, want string }{
		{"", "--member 'principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/solar/*' --role roles/pubsub.publisher"},
		{`,"service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/noi@test-project.iam.gserviceaccount.com:generateAccessToken"`,
			"--member serviceAccount:noi@test-project.iam.gserviceaccount.com --role roles/pubsub.publisher"},
	} {
		file := mustWrite(t, os.Getenv("HOME")+"/gcp.json", fmt.Sprintf(account, c.more))
		sink := mustNew(t, pubsub.Options{Endpoint: closedEndpoint, CredentialsFile: file})
		_ = sink.Publish(t.Context(), sinktest.Messages(1)) // reads the file
		if got := sink.Remedy(sinks.Failed(sinks.Wait, "PermissionDenied", "no")); !strings.Contains(got, c.want) {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
}

// The commands for Google are for the account of the key. Without a key they are for the account that setup would
// make.
func TestNeedsNameTopicAndAccount(t *testing.T) {
	cleanEnv(t)
	file := mustWrite(t, os.Getenv("HOME")+"/key.json", serviceAccount(t))
	for path, account := range map[string]string{file: "noi@", "": "noi-publisher@"} {
		got := mustNew(t, pubsub.Options{Endpoint: closedEndpoint, CredentialsFile: path}).Needs("")
		want := "gcloud pubsub topics create MainSolarData --project test-project\n"
		if !strings.Contains(got, want) || !strings.Contains(got, "serviceAccount:"+account+"test-project.iam") {
			t.Errorf("with %q:\n%s", path, got)
		}
	}
}
