package standin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"noi-agent/sinks/sinktest/standin"
)

const (
	arn   = "arn:aws:sns:us-east-2:393221637266:MainSolarData"
	topic = "projects/test-project/topics/MainSolarData"
)

func mustSNS(t *testing.T, o standin.SNSOptions) *standin.SNS {
	t.Helper()
	o.Topics = []string{arn, arn + ".fifo"}
	s, err := standin.StartSNS(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the tests close it too
	return s
}

// client signs with the SDK, as a check for the stand-in's own code.
func client(s *standin.SNS, key, secret, region string) *sns.Client {
	return sns.New(sns.Options{
		BaseEndpoint: aws.String(s.URL()), Region: region, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
		}),
	})
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestSNSChecksTheSignature(t *testing.T) {
	s := mustSNS(t, standin.SNSOptions{})
	for _, c := range []struct{ key, secret, region, want string }{
		{standin.AccessKeyID, standin.SecretAccessKey, "us-east-2", "<nil>"},
		{standin.AccessKeyID, standin.SecretAccessKey + "x", "us-east-2", "SignatureDoesNotMatch"},
		{"OTHER", standin.SecretAccessKey, "us-east-2", "InvalidClientTokenId"},
		{standin.AccessKeyID, standin.SecretAccessKey, "us-east-1", "SignatureDoesNotMatch"},
	} {
		_, err := client(s, c.key, c.secret, c.region).Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(arn), Message: aws.String("x &+ ü=%")})
		if got := codeOf(err); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got := s.Messages(); len(got) != 1 || string(got[0].Body) != "x &+ ü=%" || got[0].ID == "" {
		t.Errorf("accepted: %+v", got)
	}
}

func TestSNSRefusesWhatIsNotSigned(t *testing.T) {
	s := mustSNS(t, standin.SNSOptions{})
	form := url.Values{"Action": {"Publish"}, "TopicArn": {arn}, "Message": {"x"}}.Encode()
	for _, c := range []struct{ authorization, want string }{
		{"", "MissingAuthenticationToken"},
		{"Bearer x", "MissingAuthenticationToken"},
		{"AWS4-HMAC-SHA256 Credential=" + standin.AccessKeyID + "/20220628/us-east-2/sns/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "IncompleteSignature"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", c.authorization)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode < 400 || !strings.Contains(string(body), "<Code>"+c.want+"</Code>") {
			t.Errorf("%q: HTTP %d %s", c.authorization, resp.StatusCode, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if n := s.Taken(); n != 0 {
		t.Errorf("%d messages accepted", n)
	}
}

func TestSNSHoldsTheRulesOfABatch(t *testing.T) {
	s := mustSNS(t, standin.SNSOptions{})
	entry := func(id, text string) types.PublishBatchRequestEntry {
		return types.PublishBatchRequestEntry{Id: aws.String(id), Message: aws.String(text)}
	}
	var eleven []types.PublishBatchRequestEntry
	for i := range 11 {
		eleven = append(eleven, entry(fmt.Sprint(i), "x"))
	}
	for _, c := range []struct {
		topic   string
		entries []types.PublishBatchRequestEntry
		want    string
		failed  string // code of the first entry that failed
	}{
		{arn, eleven[:10], "<nil>", ""},
		{arn, eleven, "TooManyEntriesInBatchRequest", ""},
		{arn, []types.PublishBatchRequestEntry{}, "EmptyBatchRequest", ""},
		{arn, []types.PublishBatchRequestEntry{entry("a", "x"), entry("a", "y")}, "BatchEntryIdsNotDistinct", ""},
		{arn, []types.PublishBatchRequestEntry{entry("a", strings.Repeat("x", 200_000)), entry("b", strings.Repeat("x", 62_145))}, "BatchRequestTooLong", ""},
		{arn + "x", eleven[:1], "NotFound", ""},
		{arn, []types.PublishBatchRequestEntry{entry("a", ""), entry("b", "y")}, "<nil>", "InvalidParameter"},
		{arn + ".fifo", []types.PublishBatchRequestEntry{entry("a", "y")}, "<nil>", "InvalidParameter"},
	} {
		out, err := client(s, standin.AccessKeyID, standin.SecretAccessKey, "us-east-2").PublishBatch(t.Context(),
			&sns.PublishBatchInput{TopicArn: aws.String(c.topic), PublishBatchRequestEntries: c.entries})
		if got := codeOf(err); got != c.want {
			t.Errorf("%d entries for %s: %s, want %s", len(c.entries), c.topic, got, c.want)
			continue
		}
		if err == nil && c.failed != "" && (len(out.Failed) != 1 || aws.ToString(out.Failed[0].Code) != c.failed) {
			t.Errorf("failed entries: %+v, want one %s", out.Failed, c.failed)
		}
	}
}

// A run without end keeps no messages, and still calls the function that watches them.
func TestForgottenMessagesAreToldOnce(t *testing.T) {
	var told []string
	s := mustSNS(t, standin.SNSOptions{Forget: true, OnMessage: func(m standin.Message) { told = append(told, string(m.Body)) }})
	c := client(s, standin.AccessKeyID, standin.SecretAccessKey, "us-east-2")
	for _, body := range []string{"1", "2", "3"} {
		if _, err := c.Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(arn), Message: aws.String(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(told, ""); got != "123" || s.Taken() != 3 || len(s.Messages()) != 0 || len(s.Requests()) != 0 {
		t.Errorf("reported %q, accepted %d, kept %d messages and %d requests", got, s.Taken(), len(s.Messages()), len(s.Requests()))
	}
}

func TestPubSubHoldsTheRulesOfARequest(t *testing.T) {
	var told int
	s, err := standin.StartPubSub(standin.PubSubOptions{Topics: []string{topic}, Forget: true, OnMessage: func(standin.Message) { told++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }() // nothing depends on it
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing depends on it
	many := func(n, size int) []*pubsubpb.PubsubMessage {
		msgs := make([]*pubsubpb.PubsubMessage, n)
		for i := range msgs {
			msgs[i] = &pubsubpb.PubsubMessage{Data: make([]byte, size)}
		}
		return msgs
	}
	for _, c := range []struct {
		topic string
		msgs  []*pubsubpb.PubsubMessage
		want  codes.Code
	}{
		{topic, many(1000, 1), codes.OK},
		{topic, many(1001, 1), codes.InvalidArgument},
		{topic, many(2, 5_000_000), codes.InvalidArgument},
		{topic, many(1, 0), codes.InvalidArgument},
		{topic, []*pubsubpb.PubsubMessage{{Data: []byte("x"), OrderingKey: "a"}, {Data: []byte("x"), OrderingKey: "b"}}, codes.InvalidArgument},
		{topic, []*pubsubpb.PubsubMessage{{Attributes: map[string]string{"a": "b"}}}, codes.OK},
		{topic + "x", many(1, 1), codes.NotFound},
		{"MainSolarData", many(1, 1), codes.InvalidArgument},
	} {
		_, err := pubsubpb.NewPublisherClient(conn).Publish(t.Context(), &pubsubpb.PublishRequest{Topic: c.topic, Messages: c.msgs})
		if got := status.Code(err); got != c.want {
			t.Errorf("%d messages for %s: %s, want %s", len(c.msgs), c.topic, got, c.want)
		}
	}
	if told != 1001 || s.Taken() != 1001 || len(s.Messages()) != 0 {
		t.Errorf("reported %d, accepted %d, kept %d", told, s.Taken(), len(s.Messages()))
	}
}

func TestStandInsAreOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "192.0.2.1:80", "example.com:80", "nonsense"} {
		if s, err := standin.StartSNS(standin.SNSOptions{Addr: addr}); err == nil {
			t.Errorf("SNS listens on %q", addr)
			_ = s.Close() // failed already
		}
		if s, err := standin.StartPubSub(standin.PubSubOptions{Addr: addr}); err == nil {
			t.Errorf("Pub/Sub listens on %q", addr)
			_ = s.Close() // failed already
		}
	}
}

func TestAddressInUseIsAnError(t *testing.T) {
	s := mustSNS(t, standin.SNSOptions{})
	if _, err := standin.StartPubSub(standin.PubSubOptions{Addr: s.Addr()}); err == nil || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("got %v", err)
	}
}
