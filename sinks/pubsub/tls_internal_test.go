package pubsub

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"noi-agent/sinks"
)

// google is a Pub/Sub with TLS that records what the request says about the caller.
type google struct {
	pubsubpb.UnimplementedPublisherServer
	headers []metadata.MD
}

func (g *google) Publish(ctx context.Context, in *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	g.headers = append(g.headers, md)
	return &pubsubpb.PublishResponse{MessageIds: make([]string, len(in.GetMessages()))}, nil
}

// startTLS serves g with a certificate for 127.0.0.1. It returns the endpoint, and a file with the certificate of the
// authority that signed it.
func startTLS(t *testing.T, g *google) (endpoint, roots string) {
	t.Helper()
	donor := httptest.NewTLSServer(nil) // the standard library's own certificate for tests
	defer donor.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: donor.TLS.Certificates, MinVersion: tls.VersionTLS12})))
	pubsubpb.RegisterPublisherServer(server, g)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends by Stop only
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	roots = filepath.Join(t.TempDir(), "roots.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: donor.Certificate().Raw}
	if err := os.WriteFile(roots, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return "https://" + l.Addr().String(), roots
}

// serviceAccountFile is a well-formed key that gives access to nothing.
func serviceAccountFile(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "test-project", "private_key_id": "1", "quota_project_id": "who-pays",
		"client_email": "noi@test-project.iam.gserviceaccount.com",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func publishTLS(t *testing.T, endpoint, roots string) sinks.Result {
	t.Helper()
	sink, err := New(Options{Topic: "projects/test-project/topics/MainSolarData", Endpoint: endpoint, CredentialsFile: serviceAccountFile(t), CAFile: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close() }() // never fails
	return sink.Publish(t.Context(), []sinks.Message{{Body: []byte(`{"data":1}`)}})[0]
}

// The way to Google itself: TLS, and a token for Pub/Sub only, which the service account has signed on this machine.
// PUBSUB_EMULATOR_HOST, left in the environment, must not make the connection plaintext.
func TestServiceAccountSignsItsRequests(t *testing.T) {
	t.Setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
	var g google
	endpoint, roots := startTLS(t, &g)
	if r := publishTLS(t, endpoint, roots); r.Outcome != sinks.Accepted {
		t.Fatalf("%s (%s)", r.Outcome, r.Error())
	}
	md := g.headers[0]
	token, ok := strings.CutPrefix(strings.Join(md.Get("authorization"), ","), "Bearer ")
	parts := strings.Split(token, ".")
	if !ok || len(parts) != 3 {
		t.Fatalf("authorization: %v", md.Get("authorization"))
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || !strings.Contains(string(claims), `"scope":"`+scope+`"`) || !strings.Contains(string(claims), "noi@test-project") {
		t.Errorf("claims %s, %v", claims, err)
	}
	if got := strings.Join(md.Get("x-goog-user-project"), ","); got != "who-pays" {
		t.Errorf("billed project %q", got)
	}
	if got := strings.Join(md.Get("x-goog-request-params"), ","); got != "topic=projects%2Ftest-project%2Ftopics%2FMainSolarData" {
		t.Errorf("routing header %q", got)
	}
}

// A program in between with its own certificate gets neither messages nor token.
func TestUnknownCertificateIsRefused(t *testing.T) {
	var g google
	endpoint, _ := startTLS(t, &g)
	r := publishTLS(t, endpoint, "")
	if r.Outcome != sinks.Retry || r.Code != "Unavailable" || !strings.Contains(r.Text, "certificate") || len(g.headers) != 0 {
		t.Errorf("%s (%s), %d requests got through", r.Outcome, r.Error(), len(g.headers))
	}
}

func TestPlaintextIsForLoopbackAndEmulatorsOnly(t *testing.T) {
	for _, c := range []struct {
		endpoint, emulator string
		host               string
		plain              bool
	}{
		{"", "", "pubsub.googleapis.com:443", false},
		{"127.0.0.1:8085", "", "127.0.0.1:8085", true},
		{"localhost:8085", "", "localhost:8085", true},
		{"[::1]:8085", "", "[::1]:8085", true},
		{"", "emulator:8085", "emulator:8085", true},
		{"http://emulator:8085", "", "emulator:8085", true},
		{"http://emulator/", "", "emulator:80", true},
		{"HTTP://emulator:1", "", "emulator:1", true},
		{"HTTPS://127.0.0.1:8443", "", "127.0.0.1:8443", false},
		{"", "http://emulator:8085", "emulator:8085", true},
		{"https://127.0.0.1:8443", "", "127.0.0.1:8443", false},
		{"us-east1-pubsub.googleapis.com", "127.0.0.1:8085", "us-east1-pubsub.googleapis.com:443", false},
		{"https://pubsub.vpc.example/", "", "pubsub.vpc.example:443", false},
		{"192.168.1.4:8085", "", "192.168.1.4:8085", false},
	} {
		if host, plain := target(c.endpoint, c.emulator); host != c.host || plain != c.plain {
			t.Errorf("endpoint %q, emulator %q: %s, plaintext %t", c.endpoint, c.emulator, host, plain)
		}
	}
}

func TestTextsOfTheNetworkArePlain(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`, "dial tcp 127.0.0.1:1: connect: connection refused"},
		{`last connection error: connection error: desc = "transport: authentication handshake failed: EOF"`, "authentication handshake failed: EOF"},
		{`name resolver error: produced zero addresses`, `name resolver error: produced zero addresses`},
		{"User not authorized to perform this action.", "User not authorized to perform this action."},
	} {
		if got := plainText(c.in); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if got := scrub(`credentials: unable to parse "response": {"id_token":"ya29"}`); strings.Contains(got, "ya29") || got == "" {
		t.Errorf("got %q", got)
	}
}
