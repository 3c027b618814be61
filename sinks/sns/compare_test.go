package sns_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

// plainClient is the SDK's client as in its documentation. The test passes the address of this cloud and the trusted
// certificates.
func plainClient(t *testing.T, host string, ca *sinktest.Authority) *awssns.Client {
	t.Helper()
	own := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.TLSClientConfig.RootCAs = ca.Pool })
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-2"), config.WithHTTPClient(own))
	if err != nil {
		t.Fatal(err)
	}
	return awssns.NewFromConfig(cfg, func(o *awssns.Options) { o.BaseEndpoint = aws.String("https://" + host) })
}

// onePublishASample is the example in the documentation of SNS.
func onePublishASample(attributes []string) func(*testing.T, string, *sinktest.Authority) func(sinks.Batch) {
	return func(t *testing.T, host string, ca *sinktest.Authority) func(sinks.Batch) {
		client := plainClient(t, host, ca)
		return func(b sinks.Batch) {
			for _, m := range sinktest.Singles(b, attributes) {
				in := &awssns.PublishInput{TopicArn: aws.String(arn), Message: aws.String(string(m.Body))}
				for _, a := range m.Attributes {
					if in.MessageAttributes == nil {
						in.MessageAttributes = map[string]types.MessageAttributeValue{}
					}
					in.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(a.Value)}
				}
				if _, err := client.Publish(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// The bytes of this sink on the uplink, compared with those of the SDK's client with one Publish for each sample.
func TestUplinkAgainstThePlainClient(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{Forget: true})
	open := func(t *testing.T, host string, ca *sinktest.Authority) sinktest.Sink {
		return mustNew(t, sns.Options{Endpoint: "https://" + host, CAFile: ca.File})
	}
	all := sinks.AttributeNames()
	singles := func(attributes []string) func(b sinks.Batch) []sinks.Message {
		return func(b sinks.Batch) []sinks.Message { return sinktest.Singles(b, attributes) }
	}
	batch := func(attributes []string) func(b sinks.Batch) []sinks.Message {
		return func(b sinks.Batch) []sinks.Message { return []sinks.Message{sinktest.Batched(b, attributes)} }
	}
	packed := func(b sinks.Batch) []sinks.Message { return []sinks.Message{sinktest.Packed(b, nil)} }
	const plain, plainAll = "SNS, a Publish a sample", "SNS, a Publish a sample, all attributes"
	sinktest.CompareUplink(t, cloud.Addr(), "http/1.1", []sinktest.Way{
		{Name: plainAll, Open: onePublishASample(all)},
		{Name: plain, Open: onePublishASample(nil)},
		{Name: "noi-agent", Open: sinktest.By(open, singles(nil)), Of: plain, Most: 0.55},
		{Name: "noi-agent, all attributes", Open: sinktest.By(open, singles(all)), Of: plainAll},
		{Name: "noi-agent, envelope: batch", Open: sinktest.By(open, batch(nil)), Of: plain, Most: 0.10},
		{Name: "noi-agent, envelope: batch, all attributes", Open: sinktest.By(open, batch(all)), Of: plainAll, Most: 0.10},
		{Name: "noi-agent, envelope: batch, compress: gzip", Open: sinktest.By(open, packed), Of: plain, Most: 0.10},
	})
}
