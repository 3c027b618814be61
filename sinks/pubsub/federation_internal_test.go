package pubsub

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
)

const accessToken = "ya29.of-the-exchange"

// exchange is Google's token service on loopback. It records its requests and returns accessToken.
type exchange struct {
	forms   []url.Values
	subject []string // common names of the clients' certificates; "" for none
	status  int
	header  http.Header
}

// ServeHTTP is part of http.Handler.
func (e *exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // missing fields show in forms
	e.forms = append(e.forms, r.PostForm)
	name := ""
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		name = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	e.subject = append(e.subject, name)
	for key := range e.header {
		w.Header().Set(key, e.header.Get(key))
	}
	if e.status != 0 {
		w.WriteHeader(e.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`, accessToken)
}

func mustWriteFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const topicOfTests = "projects/test-project/topics/MainSolarData"

const audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/solar/providers/gateways"

func fileAccount(t *testing.T, tokenURL, subject string) string {
	t.Helper()
	return mustWriteFile(t, "gcp.json", fmt.Sprintf(
		`{"type":"external_account","audience":%q,"subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":%q,"credential_source":{"file":%q}}`,
		audience, tokenURL, subject))
}

func publish(t *testing.T, o Options) sinks.Result {
	t.Helper()
	o.Topic = topicOfTests
	sink, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close() }() // never fails
	return sink.Publish(t.Context(), sinktest.Messages(1))[0]
}

// With a workload identity, the token in a file is exchanged for one with access to the topic.
func TestSubjectTokenOfAFileOpensTheTopic(t *testing.T) {
	var (
		g google
		e exchange
	)
	endpoint, roots := startTLS(t, &g)
	service := httptest.NewServer(&e)
	defer service.Close()
	forTokens := sinktest.StartFront(t, strings.TrimPrefix(service.URL, "http://"), nil)
	forMessages := sinktest.StartFront(t, strings.TrimPrefix(endpoint, "https://"), nil)
	meter := new(sinks.Meter)
	file := fileAccount(t, "http://"+forTokens.Addr(), mustWriteFile(t, "subject", "token-of-the-device"))
	sink, err := New(Options{Topic: topicOfTests, Endpoint: "https://" + forMessages.Addr(), CredentialsFile: file, CAFile: roots, Meter: meter})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close() }() // never fails
	if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Accepted {
		t.Fatalf("%s (%s)", r.Outcome, r.Error())
	}
	sinktest.EqualCounts(t, meter, 0, forTokens.Counts, forMessages.Counts)
	if got := g.headers[0].Get("authorization"); len(got) != 1 || got[0] != "Bearer "+accessToken {
		t.Errorf("authorization %q", got)
	}
	f := e.forms[0]
	if f.Get("subject_token") != "token-of-the-device" || f.Get("audience") != audience || f.Get("scope") != scope {
		t.Errorf("asked with %v", f)
	}
}

// certified writes the file of a gateway with a certificate, and the other files for it.
func certified(t *testing.T, tokenURL, cert, key, chain string) string {
	t.Helper()
	config := mustWriteFile(t, "certificate_config.json", fmt.Sprintf(`{"cert_configs":{"workload":{"cert_path":%q,"key_path":%q}}}`, cert, key))
	return mustWriteFile(t, "gcp.json", fmt.Sprintf(
		`{"type":"external_account","audience":%q,"subject_token_type":"urn:ietf:params:oauth:token-type:mtls","token_url":%q,`+
			`"credential_source":{"certificate":{"certificate_config_location":%q,"trust_chain_path":%q}}}`, audience, tokenURL, config, chain))
}

// startMTLS serves h to clients with a certificate of ca.
func startMTLS(t *testing.T, ca *sinktest.Authority, h http.Handler) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = sinktest.ServerConfig(ca.Good(t, "127.0.0.1"))
	server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func TestCertificateOfTheDeviceOpensTheTopic(t *testing.T) {
	var (
		g google
		e exchange
	)
	endpoint, googles := startTLS(t, &g)
	ca := sinktest.NewAuthority(t)
	own := ca.Good(t, "noi-42")
	cert, key := sinktest.WriteKeyPair(t, own)
	chain, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile(googles)
	if err != nil {
		t.Fatal(err)
	}
	roots := mustWriteFile(t, "roots.pem", string(known)+string(chain))
	file := certified(t, startMTLS(t, ca, &e), cert, key, ca.File)
	if r := publish(t, Options{Endpoint: endpoint, CredentialsFile: file, CAFile: roots}); r.Outcome != sinks.Accepted {
		t.Fatalf("%s (%s)", r.Outcome, r.Error())
	}
	if strings.Join(e.subject, " ") != "noi-42" {
		t.Errorf("client certificates: %q", e.subject)
	}
	var list []string
	if err := json.Unmarshal([]byte(e.forms[0].Get("subject_token")), &list); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(chain)
	want := []string{base64.StdEncoding.EncodeToString(own.Certificate[0]), base64.StdEncoding.EncodeToString(block.Bytes)}
	if len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
		t.Errorf("subject token of %d certificates, want the device's and its authority's", len(list))
	}
	if got := g.headers[0].Get("authorization"); len(got) != 1 || got[0] != "Bearer "+accessToken {
		t.Errorf("authorization %q", got)
	}
}

func TestFaultsOfACertifiedDeviceSayWhatToDo(t *testing.T) {
	ca := sinktest.NewAuthority(t)
	cert, key := sinktest.WriteKeyPair(t, ca.Good(t, "noi-42"))
	_, other := sinktest.WriteKeyPair(t, ca.Good(t, "noi-43"))
	stranger, strangersKey := sinktest.WriteKeyPair(t, sinktest.NewAuthority(t).Good(t, "noi-42"))
	var e exchange
	address := startMTLS(t, ca, &e)
	for _, c := range []struct {
		name             string
		cert, key, chain string
		tokenURL, part   string
		outcome          sinks.Outcome
	}{
		{"no certificate", cert + ".not", key, "", address, cert + ".not: no such file", sinks.Wait},
		{"key of another", cert, other, "", address, "private key does not match", sinks.Wait},
		{"no chain", cert, key, ca.File + ".not", address, ca.File + ".not is not there", sinks.Wait},
		{"certificate of a stranger", stranger, strangersKey, "", address, "the token service refuses the certificate of the device: tls: ", sinks.Wait},
		{"no server at the address", cert, key, "", "https://127.0.0.1:1/", "connection refused", sinks.Retry},
		{"server with an unknown authority", cert, key, "", startMTLS(t, sinktest.NewAuthority(t), &e), "x509: ", sinks.Retry},
	} {
		got := publish(t, Options{Endpoint: "https://127.0.0.1:1", CredentialsFile: certified(t, c.tokenURL, c.cert, c.key, c.chain), CAFile: ca.File})
		if got.Outcome != c.outcome || !strings.Contains(got.Text, c.part) {
			t.Errorf("%s: %s (%s), want %s and %q", c.name, got.Outcome, got.Error(), c.outcome, c.part)
		}
		text, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got.Text, strings.Split(string(text), "\n")[1]) {
			t.Errorf("%s: shows the key: %s", c.name, got.Text)
		}
	}
	missing := fmt.Sprintf(`{"type":"external_account","audience":%q,"credential_source":{"certificate":{"certificate_config_location":"/nowhere"}}}`, audience)
	got := publish(t, Options{Endpoint: "https://127.0.0.1:1", CredentialsFile: mustWriteFile(t, "gcp.json", missing)})
	if got.Outcome != sinks.Wait || !strings.Contains(got.Text, `certificate_config_location "/nowhere" is not there`) {
		t.Errorf("%s (%s)", got.Outcome, got.Error())
	}
}

// A portal that redirects does not get the subject token. The wait that a service requests is kept.
func TestTokenServiceIsNotFollowedElsewhere(t *testing.T) {
	var elsewhere exchange
	other := httptest.NewServer(&elsewhere)
	defer other.Close()
	for _, c := range []struct {
		e       exchange
		outcome sinks.Outcome
		after   string
	}{
		{exchange{status: 307, header: http.Header{"Location": {other.URL}}}, sinks.Wait, "0s"},
		{exchange{status: 503, header: http.Header{"Retry-After": {"30"}}}, sinks.Retry, "30s"},
	} {
		service := httptest.NewServer(&c.e)
		got := publish(t, Options{Endpoint: "https://127.0.0.1:1", CredentialsFile: fileAccount(t, service.URL, mustWriteFile(t, "subject", "secret-subject"))})
		service.Close()
		if got.Outcome != c.outcome || got.After.String() != c.after || strings.Contains(got.Text, "secret-subject") {
			t.Errorf("HTTP %d: %s (%s), after %s", c.e.status, got.Outcome, got.Error(), got.After)
		}
	}
	if len(elsewhere.forms) != 0 {
		t.Errorf("the token went elsewhere: %v", elsewhere.forms)
	}
}

// cut fails once with an error, then returns the answer of a server.
type cut struct {
	err   error
	asked []string
}

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if c.asked = append(c.asked, string(body)); len(c.asked) == 1 {
		return nil, c.err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func TestAQuestionThatTheServerCutOffIsAskedTwice(t *testing.T) {
	for _, c := range []struct {
		err   error
		asked int
	}{{fmt.Errorf("write tcp: %w", syscall.EPIPE), 2}, {fmt.Errorf("read tcp: %w", syscall.ECONNRESET), 2}, {errors.New("tls: bad certificate"), 1}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://127.0.0.1:1/", strings.NewReader("question"))
		if err != nil {
			t.Fatal(err)
		}
		next := &cut{err: c.err}
		_, err = twice{next}.RoundTrip(r)
		if len(next.asked) != c.asked || next.asked[len(next.asked)-1] != "question" || (err == nil) != (c.asked == 2) {
			t.Errorf("%v: asked %q, %v", c.err, next.asked, err)
		}
	}
}
