package sns_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

const (
	roleARN = "arn:aws:iam::393221637266:role/noi-publisher"
	device  = "5300520006504b5957343920"
)

// sts is the AssumeRole of AWS STS. It records its requests and answers with status and body.
func sts(t *testing.T, status int, body string) (endpoint string, asked *[]url.Values) {
	t.Helper()
	asked = new([]url.Values)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		*asked = append(*asked, r.PostForm)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func assumed(key, secret string) string {
	return `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>` + key +
		`</AccessKeyId><SecretAccessKey>` + secret + `</SecretAccessKey><SessionToken>token</SessionToken><Expiration>` +
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`
}

func TestRoleIsAssumedOnceWithItsExternalID(t *testing.T) {
	withKeys(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEGATEWAY") // the stand-in knows only the role's key
	endpoint, asked := sts(t, 200, assumed(standin.AccessKeyID, standin.SecretAccessKey))
	cloud := mustStart(t, standin.SNSOptions{})
	forSTS := sinktest.StartFront(t, strings.TrimPrefix(endpoint, "http://"), nil)
	forSNS := sinktest.StartFront(t, cloud.Addr(), nil)
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://"+forSTS.Addr())
	meter := new(sinks.Meter)
	sink := mustNew(t, sns.Options{Endpoint: "http://" + forSNS.Addr(), RoleARN: roleARN, ExternalID: "solar-42", Device: device, Meter: meter})
	for range 3 {
		if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Accepted {
			t.Fatalf("%s (%s)", r.Outcome, r.Error())
		}
	}
	if len(*asked) != 1 {
		t.Fatalf("STS got %d requests", len(*asked))
	}
	got := map[string]string{}
	for key := range (*asked)[0] {
		got[key] = (*asked)[0].Get(key)
	}
	want := map[string]string{
		"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": roleARN, "ExternalId": "solar-42",
		"RoleSessionName": "noi-" + device, "DurationSeconds": "3600",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	sinktest.EqualCounts(t, meter, 0, forSTS.Counts, forSNS.Counts)
}

func TestRoleThatIsRefusedIsToldInTheWordsOfSTS(t *testing.T) {
	for _, c := range []struct {
		status     int
		code, text string
		outcome    sinks.Outcome
		want       string
	}{
		{403, "AccessDenied", "User: u is not authorized to perform: sts:AssumeRole", sinks.Wait, "AccessDenied: User: u"},
		{403, "InvalidClientTokenId", "The security token included in the request is invalid.", sinks.Wait, "InvalidClientTokenId: "},
		{403, "ExpiredToken", "The security token included in the request is expired", sinks.Retry, "ExpiredToken: "},
		{403, "RegionDisabledException", "STS is not activated in this region", sinks.Wait, "RegionDisabledException: "},
		{403, "SignatureDoesNotMatch", "Signature expired: a is now earlier than b", sinks.Retry, "ClockError: SignatureDoesNotMatch: "},
		{400, "Throttling", "Rate exceeded", sinks.Retry, "Throttling: "},
		{500, "InternalFailure", "no", sinks.Retry, "InternalFailure: "},
		{400, "IDPCommunicationError", "no", sinks.Retry, "IDPCommunicationError: "},
		// for a message this code would be final
		{400, "InvalidParameterValue", "no", sinks.Wait, "InvalidParameterValue: "},
	} {
		withKeys(t)
		endpoint, _ := sts(t, c.status, `<ErrorResponse><Error><Code>`+c.code+`</Code><Message>`+c.text+`</Message></Error></ErrorResponse>`)
		t.Setenv("AWS_ENDPOINT_URL_STS", endpoint)
		got := mustNew(t, sns.Options{Endpoint: "http://127.0.0.1:1", RoleARN: roleARN}).Publish(t.Context(), sinktest.Messages(1))[0]
		if got.Outcome != c.outcome || !strings.HasPrefix(got.Error(), c.want) {
			t.Errorf("%s: %s (%s), want %s", c.code, got.Outcome, got.Error(), c.outcome)
		}
	}
}

// The gateway's clock is wrong by an hour. STS reports this, then SNS. After each report the SDK signs with the
// reported time. A new client for STS would not know it.
func TestClockSkewHealsOnTheWayThroughSTS(t *testing.T) {
	withKeys(t)
	now := func() time.Time { return time.Now().Add(time.Hour) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err == nil && now().Sub(signed).Abs() < 15*time.Minute {
			_, _ = io.WriteString(w, assumed(standin.AccessKeyID, standin.SecretAccessKey))
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: a is now earlier than b</Message></Error></ErrorResponse>`)
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	cloud := mustStart(t, standin.SNSOptions{Now: now})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL(), RoleARN: roleARN})
	for i, want := range []string{sinks.CodeClock, sinks.CodeClock, ""} {
		if got := sink.Publish(t.Context(), sinktest.Messages(1))[0]; got.Code != want {
			t.Errorf("attempt %d: %s (%s), want code %q", i+1, got.Outcome, got.Error(), want)
		}
	}
}

// Expired credentials are read again. Credentials that arrived in the meantime are used at once.
func TestExpiredTokenReadsTheCredentialsAgain(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	file := os.Getenv("HOME") + "/credentials"
	mustWrite(t, file, "[default]\naws_access_key_id="+standin.AccessKeyID+"\naws_secret_access_key="+standin.SecretAccessKey+"\n", 0o600)
	cloud.SetFault(standin.Always(standin.Fault{Status: 403, Code: "ExpiredToken", Text: "The security token included in the request is expired"}))
	if got := sink.Publish(t.Context(), sinktest.Messages(1))[0]; got.Outcome != sinks.Retry || got.Code != "ExpiredToken" {
		t.Fatalf("%s (%s)", got.Outcome, got.Error())
	}
	cloud.SetFault(nil)
	mustWrite(t, file, "[default]\naws_access_key_id=ANOTHERKEY\naws_secret_access_key=x\n", 0o600)
	if got := sink.Publish(t.Context(), sinktest.Messages(1))[0]; got.Code != "InvalidClientTokenId" {
		t.Errorf("%s (%s): the file was not read again", got.Outcome, got.Error())
	}
}

// iotRig is AWS IoT's credential provider on loopback, which requires a certificate of its authority.
type iotRig struct {
	ca      *sinktest.Authority
	asked   []*http.Request
	status  int
	header  map[string]string
	body    string
	options sns.IoT
}

func startIoT(t *testing.T) *iotRig {
	t.Helper()
	rig := &iotRig{ca: sinktest.NewAuthority(t), status: 200}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rig.asked = append(rig.asked, r)
		for name, value := range rig.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(rig.status)
		_, _ = io.WriteString(w, rig.body)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = sinktest.ServerConfig(rig.ca.Good(t, "127.0.0.1"))
	server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, rig.ca.Pool
	server.StartTLS()
	t.Cleanup(server.Close)
	rig.body = iotAnswer(standin.AccessKeyID, standin.SecretAccessKey, secret, time.Now().Add(time.Hour))
	certificate, key := sinktest.WriteKeyPair(t, rig.ca.Good(t, "noi-42"))
	rig.options = sns.IoT{
		Endpoint: strings.TrimPrefix(server.URL, "https://"), RoleAlias: "noi-publisher", Certificate: certificate, Key: key, Thing: "noi-42",
	}
	return rig
}

func iotAnswer(key, secret, token string, until time.Time) string {
	return fmt.Sprintf(`{"credentials":{"accessKeyId":%q,"secretAccessKey":%q,"sessionToken":%q,"expiration":%q}}`,
		key, secret, token, until.UTC().Format(time.RFC3339))
}

func TestCertificateOpensTheTopicByWayOfIoT(t *testing.T) {
	cleanEnv(t)
	rig := startIoT(t)
	cloud := mustStart(t, standin.SNSOptions{})
	forIoT := sinktest.StartFront(t, rig.options.Endpoint, nil)
	forSNS := sinktest.StartFront(t, cloud.Addr(), nil)
	rig.options.Endpoint = forIoT.Addr()
	meter := new(sinks.Meter)
	sink := mustNew(t, sns.Options{Endpoint: "http://" + forSNS.Addr(), IoT: rig.options, CAFile: rig.ca.File, Meter: meter})
	for range 3 {
		if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Accepted {
			t.Fatalf("%s (%s)", r.Outcome, r.Error())
		}
	}
	if len(rig.asked) != 1 {
		t.Fatalf("%d requests for credentials of an hour", len(rig.asked))
	}
	r := rig.asked[0]
	if r.Method != http.MethodGet || r.URL.Path != "/role-aliases/noi-publisher/credentials" || r.Header.Get("X-Amzn-Iot-Thingname") != "noi-42" {
		t.Errorf("request %s %s for thing %q", r.Method, r.URL, r.Header.Get("X-Amzn-Iot-Thingname"))
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) != 1 || r.TLS.PeerCertificates[0].Subject.CommonName != "noi-42" {
		t.Error("the request came without the device's certificate")
	}
	sinktest.EqualCounts(t, meter, 64, forIoT.Counts, forSNS.Counts)
}

// A role may be assumed with credentials of AWS IoT.
func TestCredentialsOfIoTAreChained(t *testing.T) {
	cleanEnv(t)
	rig := startIoT(t)
	rig.body = iotAnswer("ASIAOFTHEDEVICE", "x", "y", time.Now().Add(time.Hour))
	endpoint, asked := sts(t, 200, assumed(standin.AccessKeyID, standin.SecretAccessKey))
	t.Setenv("AWS_ENDPOINT_URL_STS", endpoint)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL(), IoT: rig.options, CAFile: rig.ca.File, RoleARN: roleARN})
	if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Accepted || len(*asked) != 1 {
		t.Fatalf("%s (%s), STS got %d requests", r.Outcome, r.Error(), len(*asked))
	}
}

// By a clock that is ahead, credentials have expired when they arrive. They are used nevertheless, and requested once
// in ten minutes. Each result reports that the clocks differ.
func TestClockAheadAsksForCredentialsOnce(t *testing.T) {
	cleanEnv(t)
	rig := startIoT(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL(), IoT: rig.options, CAFile: rig.ca.File})
	// the last one is in the time of renewal
	for _, ended := range []time.Duration{-48 * time.Hour, -time.Second, 30 * time.Second} {
		rig.asked, rig.body = nil, iotAnswer(standin.AccessKeyID, standin.SecretAccessKey, secret, time.Now().Add(ended))
		sink := mustNew(t, sns.Options{Endpoint: cloud.URL(), IoT: rig.options, CAFile: rig.ca.File})
		for range 5 {
			if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Accepted || !r.ClockFault() {
				t.Errorf("%s (%s), the clock is at fault: %t", r.Outcome, r.Error(), r.ClockFault())
			}
		}
		if len(rig.asked) != 1 {
			t.Errorf("ended %v: IoT got %d requests for 5 publishes", ended, len(rig.asked))
		}
	}
	rig.body = iotAnswer(standin.AccessKeyID, standin.SecretAccessKey, secret, time.Now().Add(time.Hour))
	if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Accepted || r.ClockFault() {
		t.Errorf("by a right clock: %s (%s), at fault %t", r.Outcome, r.Error(), r.ClockFault())
	}
}

func TestFaultsOfIoTSayWhatToDoAndShowNoSecret(t *testing.T) {
	stranger, strangersKey := sinktest.WriteKeyPair(t, sinktest.NewAuthority(t).Good(t, "noi-42"))
	for _, c := range []struct {
		name    string
		change  func(r *iotRig)
		outcome sinks.Outcome
		code    string
		part    string
		after   time.Duration
	}{
		{"refused", func(r *iotRig) { r.status, r.body = 403, `{"message":"Access Denied"}` }, sinks.Wait, "CredentialsError", "Access Denied", 0},
		{"no such alias", func(r *iotRig) {
			r.status, r.body, r.header = 404, `{"message":"Role alias does not exist"}`, map[string]string{"x-amzn-ErrorType": "ResourceNotFoundException:http://x"}
		}, sinks.Wait, "ResourceNotFoundException", "Role alias does not exist", 0},
		{"unwell", func(r *iotRig) { r.status, r.body = 500, secret }, sinks.Retry, "CredentialsError", "HTTP status 500 without", 0},
		{"throttled", func(r *iotRig) {
			r.status, r.body, r.header = 429, `{"message":"Rate exceeded"}`, map[string]string{"Retry-After": "9"}
		}, sinks.Retry, "CredentialsError", "Rate exceeded", 9 * time.Second},
		{"something else answers", func(r *iotRig) { r.body = "<html>" + secret }, sinks.Wait, "CredentialsError", "describe-endpoint", 0},
		{"half an answer", func(r *iotRig) { r.body = `{"credentials":{"secretAccessKey":"` + secret + `"}}` }, sinks.Wait, "CredentialsError", "no credentials in it", 0},
		{"moved", func(r *iotRig) { r.status, r.header = 302, map[string]string{"Location": "https://127.0.0.1:1/"} }, sinks.Wait, "CredentialsError", "HTTP status 302", 0},
		{"certificate of a stranger", func(r *iotRig) { r.options.Certificate, r.options.Key = stranger, strangersKey }, sinks.Wait, "CredentialsError", "refuses the certificate " + stranger, 0},
		{"no certificate", func(r *iotRig) { r.options.Certificate += ".not" }, sinks.Wait, "CredentialsError", ".not is not there; iot.certificate", 0},
		{"key of another", func(r *iotRig) { r.options.Key = strangersKey }, sinks.Wait, "CredentialsError", "private key does not match", 0},
		{"no server at the address", func(r *iotRig) { r.options.Endpoint = "127.0.0.1:1" }, sinks.Retry, "NetworkError", "connection refused", 0},
		{"server with an unknown authority", func(r *iotRig) { r.ca = sinktest.NewAuthority(t) }, sinks.Retry, "NetworkError", "x509: ", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cleanEnv(t)
			rig := startIoT(t)
			key, err := os.ReadFile(rig.options.Key)
			if err != nil {
				t.Fatal(err)
			}
			c.change(rig)
			var said strings.Builder
			logger := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
			got := mustNew(t, sns.Options{IoT: rig.options, CAFile: rig.ca.File, Logger: logger}).Publish(t.Context(), sinktest.Messages(1))[0]
			if got.Outcome != c.outcome || got.Code != c.code || !strings.Contains(got.Text, c.part) || got.After != c.after {
				t.Errorf("%s (%s), after %s; want %s, %s, %q", got.Outcome, got.Error(), got.After, c.outcome, c.code, c.part)
			}
			for _, canary := range []string{secret, standin.SecretAccessKey, strings.Split(string(key), "\n")[1]} {
				if strings.Contains(got.Text+said.String(), canary) {
					t.Errorf("a secret is in: %s\n%s", got.Text, said.String())
				}
			}
		})
	}
}

// asking records the host of a request, and sends nothing.
type asking struct{ hosts []string }

// RoundTrip is part of http.RoundTripper.
func (a *asking) RoundTrip(r *http.Request) (*http.Response, error) {
	a.hosts = append(a.hosts, r.URL.Scheme+"://"+r.URL.Host)
	return nil, io.ErrUnexpectedEOF
}

func TestEndpointLiesInThePartitionOfTheTopic(t *testing.T) {
	withKeys(t)
	var a asking
	for _, topic := range []string{
		"arn:aws:sns:us-east-2:393221637266:x", "arn:aws:sns:eu-central-1:393221637266:x",
		"arn:aws-us-gov:sns:us-gov-west-1:393221637266:x", "arn:aws-cn:sns:cn-northwest-1:393221637266:x",
	} {
		r := mustNew(t, sns.Options{TopicARN: topic, HTTPClient: &http.Client{Transport: &a}}).Publish(t.Context(), sinktest.Messages(1))[0]
		if r.Outcome != sinks.Retry {
			t.Errorf("%s: %s (%s)", topic, r.Outcome, r.Error())
		}
	}
	want := []string{
		"https://sns.us-east-2.amazonaws.com", "https://sns.eu-central-1.amazonaws.com",
		"https://sns.us-gov-west-1.amazonaws.com", "https://sns.cn-northwest-1.amazonaws.com.cn",
	}
	if diff := cmp.Diff(want, a.hosts); diff != "" {
		t.Error(diff)
	}
}

// A proxy in front of a token service that requires another password waits for the operator, like a proxy in front of
// the cloud.
func TestProxyInFrontOfATokenServiceWaitsForItsPassword(t *testing.T) {
	ca := sinktest.NewAuthority(t)
	certificate, key := sinktest.WriteKeyPair(t, ca.Good(t, "noi-42"))
	for host, o := range map[string]sns.Options{
		"sts.example:443": {RoleARN: roleARN},
		"iot.example:443": {IoT: sns.IoT{Endpoint: "iot.example", RoleAlias: "noi-publisher", Certificate: certificate, Key: key}},
	} {
		withKeys(t)
		proxy := sinktest.StartProxy(t, "127.0.0.1:1", "Basic another")
		t.Setenv("HTTPS_PROXY", "http://noi:"+secret+"@"+proxy.Addr())
		t.Setenv("AWS_ENDPOINT_URL_STS", "https://sts.example")
		sink := mustNew(t, o)
		got := sink.Publish(t.Context(), sinktest.Messages(1))[0]
		if want := "ProxyError: proxy " + proxy.Addr() + " does not connect to " + host + ": HTTP 407 Proxy Authentication Required"; got.Outcome != sinks.Wait || got.Error() != want {
			t.Errorf("%s (%s), want %s", got.Outcome, got.Error(), want)
		}
		if !strings.Contains(sink.Remedy(got), "systemctl edit noi-agent") {
			t.Errorf("remedy %q", sink.Remedy(got))
		}
	}
}

func TestRoleIsAssumedInThePartitionOfTheTopic(t *testing.T) {
	for topic, host := range map[string]string{
		"arn:aws:sns:us-east-2:393221637266:x":            "sts.us-east-2.amazonaws.com:443",
		"arn:aws-us-gov:sns:us-gov-west-1:393221637266:x": "sts.us-gov-west-1.amazonaws.com:443",
		"arn:aws-cn:sns:cn-north-1:393221637266:x":        "sts.cn-north-1.amazonaws.com.cn:443",
	} {
		withKeys(t)
		proxy := sinktest.StartProxy(t, "127.0.0.1:1", "Basic another") // no request gets beyond it
		t.Setenv("HTTPS_PROXY", "http://"+proxy.Addr())
		mustNew(t, sns.Options{TopicARN: topic, RoleARN: roleARN}).Publish(t.Context(), sinktest.Messages(1))
		if asked := strings.Join(proxy.Asked(), " "); asked != host {
			t.Errorf("%s: asked for credentials at %q, want %s", topic, asked, host)
		}
	}
}
