package sns_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

// TestEveryAnswerHasItsOutcome sends each code over the wire, as the answer to a request of one message.
func TestEveryAnswerHasItsOutcome(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	for _, c := range []struct {
		code, text string
		status     int
		want       sinks.Outcome
	}{
		{"AuthorizationError", "User: u is not authorized", 403, sinks.Wait},
		{"AccessDenied", "", 403, sinks.Wait},
		{"AccessDeniedException", "no", 403, sinks.Wait},
		{"AuthFailure", "no", 403, sinks.Wait},
		{"InvalidClientTokenId", "no", 403, sinks.Wait},
		{"InvalidAccessKeyId", "no", 403, sinks.Wait},
		{"InvalidIdentityToken", "no", 400, sinks.Wait},
		{"SignatureDoesNotMatch", "no", 403, sinks.Wait},
		{"InvalidSignatureException", "no", 403, sinks.Wait},
		{"IncompleteSignature", "no", 400, sinks.Wait},
		{"MissingAuthenticationToken", "no", 403, sinks.Wait},
		{"UnrecognizedClientException", "no", 403, sinks.Wait},
		{"OptInRequired", "no", 403, sinks.Wait},
		{"InvalidSecurity", "no", 403, sinks.Wait},
		{"KMSAccessDenied", "no", 400, sinks.Wait},
		{"KMSDisabled", "no", 400, sinks.Wait},
		{"KMSNotFound", "no", 400, sinks.Wait},
		{"AccountDisabled", "Your account is suspended", 403, sinks.Wait},
		{"NotFound", "Topic does not exist", 404, sinks.Wait},
		{"ResourceNotFound", "no", 404, sinks.Wait},
		{"EndpointDisabled", "no", 400, sinks.Wait},
		{"InvalidAction", "no", 400, sinks.Wait},
		{"InvalidParameter", "Invalid parameter: TopicArn", 400, sinks.Wait},
		{"InvalidParameterValue", "Invalid parameter: TargetArn Reason: no", 400, sinks.Wait},
		{"InvalidParameter", "The MessageGroupId parameter is required for FIFO topics", 400, sinks.Wait},
		{"SomethingNew", "unknown, and ours", 400, sinks.Wait},
		{"SomethingNew", "unknown, and ours", 413, sinks.Wait},

		{"ExpiredToken", "no", 403, sinks.Retry},
		{"ExpiredTokenException", "no", 403, sinks.Retry},
		{"Throttling", "Rate exceeded", 400, sinks.Retry},
		{"Throttled", "Rate exceeded", 429, sinks.Retry},
		{"ThrottlingException", "Rate exceeded", 400, sinks.Retry},
		{"KMSThrottling", "Rate exceeded", 400, sinks.Retry},
		{"RequestLimitExceeded", "no", 400, sinks.Retry},
		{"TooManyRequestsException", "no", 429, sinks.Retry},
		{"SlowDown", "no", 503, sinks.Retry},
		{"ConcurrentAccess", "no", 400, sinks.Retry},
		{"RequestTimeout", "no", 400, sinks.Retry},
		{"InternalError", "no", 500, sinks.Retry},
		{"InternalFailure", "no", 500, sinks.Retry},
		{"ServiceUnavailable", "no", 503, sinks.Retry},
		{"SomethingNew", "unknown, and theirs", 502, sinks.Retry},

		{"InvalidParameter", "Invalid parameter: Message too long", 400, sinks.Reject},
		{"InvalidParameterValue", "no", 400, sinks.Reject},
		{"ParameterValueInvalid", "no", 400, sinks.Reject},
		{"BatchRequestTooLong", "no", 400, sinks.Reject},
		{"BatchEntryIdsNotDistinct", "no", 400, sinks.Reject},
		{"InvalidBatchEntryId", "no", 400, sinks.Reject},
		{"TooManyEntriesInBatchRequest", "no", 400, sinks.Reject},
		{"EmptyBatchRequest", "no", 400, sinks.Reject},
		{"AWS.SimpleNotificationService.TooManyEntriesInBatchRequest", "no", 400, sinks.Reject},
		{"RequestEntityTooLarge", "no", 413, sinks.Reject},
	} {
		fault := standin.Fault{Code: c.code, Text: c.text, Status: c.status}
		for _, only := range []func(standin.Message) bool{nil, func(standin.Message) bool { return true }} {
			fault.Only = only
			cloud.SetFault(standin.Always(fault))
			got := sink.Publish(t.Context(), sinktest.Messages(1))[0]
			if got.Outcome != c.want || got.Code != c.code || !strings.HasPrefix(got.Text, c.text) {
				t.Errorf("%s %q, HTTP %d, per entry %t: %s (%s), want %s", c.code, c.text, c.status, only != nil, got.Outcome, got.Error(), c.want)
			}
		}
	}
}

// The agent must recognise a wrong clock, whatever the text of AWS.
func TestClockFaultsHaveOneCode(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	for _, c := range []struct{ code, text string }{
		{"SignatureDoesNotMatch", "Signature expired: a is now earlier than b"},
		{"SignatureDoesNotMatch", "Signature not yet current: a is still later than b"},
		{"InvalidSignatureException", "Signature expired: x"},
		{"InvalidSignatureException", "Signature not yet current: x"},
		{"RequestTimeTooSkewed", "no"},
		{"RequestInTheFuture", "no"},
		{"RequestExpired", "no"},
	} {
		cloud.SetFault(standin.Always(standin.Fault{Code: c.code, Text: c.text, Status: 403}))
		got := sink.Publish(t.Context(), sinktest.Messages(1))[0]
		if want := "ClockError: " + c.code + ": " + c.text + " (is the gateway's clock right?)"; got.Outcome != sinks.Retry || got.Error() != want {
			t.Errorf("%s (%s), want retry (%s)", got.Outcome, got.Error(), want)
		}
	}
}

// The wait that the cloud requests is kept, with an explanation in the answer or without one.
func TestRetryAfterIsKept(t *testing.T) {
	withKeys(t)
	const throttled = `<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>`
	for _, c := range []struct {
		status      int
		after, body string
		want        time.Duration
	}{
		{400, "7", throttled, 7 * time.Second},
		{400, "", throttled, 0},
		{503, "120", "", 2 * time.Minute},
		{429, "86400", "", sinks.MaxAfter},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		got := mustNew(t, sns.Options{Endpoint: server.URL}).Publish(t.Context(), sinktest.Messages(1))[0]
		server.Close()
		if got.Outcome != sinks.Retry || got.After != c.want {
			t.Errorf("HTTP %d, Retry-After %q: %s (%s), after %s, want %s", c.status, c.after, got.Outcome, got.Error(), got.After, c.want)
		}
	}
}

func TestServiceIsAskedOncePerPublish(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	cloud.SetFault(standin.Always(standin.SNSInternal()))
	for range 20 { // more than the SDK's retry bucket would last
		_ = sink.Publish(t.Context(), sinktest.Messages(2))
	}
	if n := len(cloud.Requests()); n != 20 {
		t.Errorf("%d requests for 20 attempts: another part of the client retries too", n)
	}
}

func TestOutageTextIsPlain(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	if err := cloud.SetDown(true); err != nil {
		t.Fatal(err)
	}
	got := sink.Publish(t.Context(), sinktest.Messages(1))[0].Error()
	if want := "NetworkError: dial tcp " + cloud.Addr() + ": connect: connection refused"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// An answer that is cut anywhere counts as a delivery only for the messages that it names.
func TestTornAnswerIsNoFalseDelivery(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	torn := 0
	for cut := 0; cut < 600; cut += 7 { // the whole answer has some 600 bytes
		cloud.SetFault(standin.Always(standin.Fault{Drop: true, Taken: true, Cut: cut}))
		results := sink.Publish(t.Context(), sinktest.Messages(3))
		got := cloud.Messages()
		for i, r := range results {
			switch {
			case r.Outcome == sinks.Retry && !strings.Contains(r.Text, "operation error"):
				torn++
			case r.Outcome != sinks.Accepted || r.MessageID != got[len(got)-3+i].ID:
				t.Fatalf("cut after %d bytes, message %d: %s, id %q (%s)", cut, i, r.Outcome, r.MessageID, r.Error())
			}
		}
	}
	if torn < 150 {
		t.Errorf("%d messages of cut answers: the test proves nothing", torn)
	}
}

func TestPartialFailureIsToldByMessage(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	msgs := sinktest.Messages(10)
	third := func(m standin.Message) bool { return string(m.Body) == string(msgs[3].Body) }
	cloud.SetFault(standin.Always(standin.Fault{Status: 500, Code: "InternalError", Text: "try later", Only: third}))
	results := sink.Publish(t.Context(), msgs)
	for i, r := range results {
		want := sinks.Accepted
		if i == 3 {
			want = sinks.Retry
		}
		if r.Outcome != want {
			t.Errorf("message %d: %s (%s), want %s", i, r.Outcome, r.Error(), want)
		}
	}
	if len(results) != 10 || results[3].Error() != "InternalError: try later" || len(cloud.Messages()) != 9 {
		t.Errorf("%d results, message 3: %q, %d at the cloud", len(results), results[3].Error(), len(cloud.Messages()))
	}
}

// The service counts bytes in another way than the sink, and refuses two or more messages at a time.
func TestRequestTooLongForTheServiceIsSentInParts(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	cloud.SetFault(func(r standin.Request) *standin.Fault {
		if len(r.Messages) < 2 {
			return nil
		}
		return &standin.Fault{Code: "BatchRequestTooLong", Text: "too long"}
	})
	for i, r := range sinktest.Drain(t, sink, sinktest.Messages(10)) {
		if r.Outcome != sinks.Accepted {
			t.Errorf("message %d: %s (%s)", i, r.Outcome, r.Error())
		}
	}
}

// notSNS is a server that gives every request the same answer.
func notSNS(t *testing.T, status int, header, body string) (endpoint string, hits *atomic.Int32) {
	t.Helper()
	hits = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		if header != "" {
			w.Header().Set("Location", header)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL, hits
}

func TestWhatIsNotSNSIsNoDelivery(t *testing.T) {
	withKeys(t)
	const page = "<html><body>Please log in</body></html>"
	for _, c := range []struct {
		status int
		body   string
		want   sinks.Outcome
	}{
		{200, page, sinks.Retry},
		{200, "", sinks.Retry},
		{302, page, sinks.Retry},
		{403, page, sinks.Wait},
		{502, page, sinks.Retry},
		{429, "", sinks.Retry},
		{503, "", sinks.Retry},
	} {
		endpoint, hits := notSNS(t, c.status, "/login", c.body)
		got := mustNew(t, sns.Options{Endpoint: endpoint}).Publish(t.Context(), sinktest.Messages(1))[0]
		if got.Outcome != c.want || got.Code == "" || got.Text == "" || strings.Contains(got.Text, "operation error") {
			t.Errorf("HTTP %d %q: %s (%s), want %s", c.status, c.body, got.Outcome, got.Error(), c.want)
		}
		if hits.Load() != 1 {
			t.Errorf("HTTP %d: %d requests, the signed request must not be sent elsewhere", c.status, hits.Load())
		}
	}
}

// For a peer that accepts the connection and does not answer, only Options.Timeout ends the attempt.
func TestSilentPeerEndsWithTheTimeout(t *testing.T) {
	withKeys(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nothing to lose
	sink := mustNew(t, sns.Options{Endpoint: "http://" + l.Addr().String(), Timeout: 50 * time.Millisecond})
	got := sink.Publish(context.Background(), sinktest.Messages(1))[0]
	if got.Outcome != sinks.Retry || got.Error() != "Timeout: no answer of SNS in time" {
		t.Errorf("%s (%s)", got.Outcome, got.Error())
	}
}

// The gateway's clock is wrong by an hour. The first answer shows this, and the SDK then signs with the time of the
// service.
func TestClockSkewNamesTheClockAndHeals(t *testing.T) {
	withKeys(t)
	for _, skew := range []time.Duration{time.Hour, -time.Hour} {
		cloud := mustStart(t, standin.SNSOptions{Now: func() time.Time { return time.Now().Add(skew) }})
		sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
		first := sink.Publish(t.Context(), sinktest.Messages(1))[0]
		if first.Outcome != sinks.Retry || first.Code != sinks.CodeClock || !strings.HasPrefix(first.Text, "SignatureDoesNotMatch: Signature ") || !strings.Contains(first.Text, "clock") {
			t.Errorf("skew %s: %s (%s)", skew, first.Outcome, first.Error())
		}
		if second := sink.Publish(t.Context(), sinktest.Messages(1))[0]; second.Outcome != sinks.Accepted {
			t.Errorf("skew %s, second attempt: %s (%s)", skew, second.Outcome, second.Error())
		}
	}
}

func TestMalformedARNIsRefused(t *testing.T) {
	for _, c := range []struct{ arn, part string }{
		{"", "not an ARN"},
		{"MainSolarData", "not an ARN"},
		{"arn:gcp:sns:us-east-2:393221637266:MainSolarData", "not an ARN"},
		{"arn:aws:sqs:us-east-2:393221637266:MainSolarData", `service "sqs"`},
		{"arn:aws:sns::393221637266:MainSolarData", "no region"},
		{"arn:aws:sns:us-east-2:3932216372:MainSolarData", "12 digits"},
		{"arn:aws:sns:us-east-2:39322163726x:MainSolarData", "12 digits"},
		{"arn:aws:sns:us-east-2:393221637266:", "1 to 256"},
		{"arn:aws:sns:us-east-2:393221637266:Main Solar", `not ' '`},
		{"arn:aws:sns:us-east-2:393221637266:Main:4d7a", "not an ARN"},
		{"arn:aws:sns:cn-north-1:393221637266:Main", "lies in partition aws-cn, not aws"},
		{"arn:aws-us-gov:sns:us-east-2:393221637266:Main", "lies in partition aws, not aws-us-gov"},
	} {
		sink, err := sns.New(sns.Options{TopicARN: c.arn})
		if err == nil || sink != nil || !strings.Contains(err.Error(), c.part) || !strings.Contains(err.Error(), "arn:aws:sns:REGION:ACCOUNT:NAME") {
			t.Errorf("%q: %v, want %q and the way out", c.arn, err, c.part)
		}
	}
	for _, good := range []string{arn, fifoARN, "arn:aws-cn:sns:cn-north-1:393221637266:x", "arn:aws-us-gov:sns:us-gov-west-1:393221637266:a_b-c"} {
		if _, err := sns.New(sns.Options{TopicARN: good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	if _, err := sns.New(sns.Options{TopicARN: arn, Region: "us-east-1"}); err == nil || !strings.Contains(err.Error(), "lies in us-east-2; leave region out") {
		t.Errorf("region against the topic: %v", err)
	}
	if diff := cmp.Diff(10, mustNew(t, sns.Options{}).Window()); diff != "" {
		t.Error(diff)
	}
}
