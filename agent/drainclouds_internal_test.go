package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	google "cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"

	"noi-agent/agent/publish"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sns"
)

// These stand-ins do as little as possible, so that each side uses the time for its own work.

const (
	benchARN   = "arn:aws:sns:us-east-2:393221637266:MainSolarData"
	benchTopic = "projects/test-project/topics/MainSolarData"
	awsConfig  = "type: aws, topic_arn: '" + benchARN + "'"
	gcpConfig  = "type: gcp, topic: " + benchTopic
)

// quickSNS answers each PublishBatch with success for the ids 0 to 9.
func quickSNS(b *testing.B) (url string) {
	b.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		b.Setenv(name, "x")
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SNS", "AWS_CA_BUNDLE"} {
		b.Setenv(name, "")
	}
	b.Setenv("HOME", b.TempDir())
	answers := make([][]byte, 11)
	for n := range answers {
		var entries strings.Builder
		for i := range n {
			fmt.Fprintf(&entries, "<member><Id>%d</Id><MessageId>94f20ce6-13c5-43a0-9a9e-ca52d816e%03d</MessageId></member>", i, i)
		}
		answers[n] = fmt.Appendf(nil, `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Failed/><Successful>%s</Successful></PublishBatchResult>`+
			`<ResponseMetadata><RequestId>f187a3c1-376f-11df-8963-01868b7c937a</RequestId></ResponseMetadata></PublishBatchResponse>`, entries.String())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // fails if the client has closed the connection
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write(answers[bytes.Count(body, []byte(".Id="))])
	})}
	go func() { _ = server.Serve(l) }() // ends with Close
	b.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}

// quickPubSub answers each Publish with success.
type quickPubSub struct {
	pubsubpb.UnimplementedPublisherServer
	ids []string
}

// Publish is part of the service.
func (q *quickPubSub) Publish(_ context.Context, in *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	return &pubsubpb.PublishResponse{MessageIds: q.ids[:len(in.GetMessages())]}, nil
}

func startQuickPubSub(b *testing.B) (addr string) {
	b.Helper()
	b.Setenv("PUBSUB_EMULATOR_HOST", "")
	q := &quickPubSub{}
	for i := range 1000 {
		q.ids = append(q.ids, fmt.Sprintf("8140674921%06d", i))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer()
	pubsubpb.RegisterPublisherServer(server, q)
	go func() { _ = server.Serve(l) }() // ends with Stop
	b.Cleanup(server.Stop)
	return l.Addr().String()
}

// benchBodies returns n messages as the agent makes them, with all attributes.
func benchBodies(b *testing.B, n int) (out []sinks.Message) {
	b.Helper()
	for first := benchSweep(b, 1); len(out) < n; {
		sw := later(first, len(out)/len(first.Samples), time.Now())
		for _, s := range sw.Samples {
			e := sinks.Envelope{PublishedAt: s.SampledAt, DeviceID: benchDevice, IntegrationID: benchID, Source: sw.Source, Run: 1, Sample: s}
			id := objects.SampleID(benchDevice, "00c0ffee", 1, s.N)
			out = append(out, sinks.Message{Body: sinks.AppendBody(nil, e), Attributes: sinks.Attributes(sinks.AttributeNames(), e, id), SampleID: id})
		}
	}
	return out[:n]
}

func newSNS(b *testing.B, url string) publish.Sink {
	b.Helper()
	sink, err := sns.New(sns.Options{TopicARN: benchARN, Endpoint: url, Device: benchDevice})
	if err != nil {
		b.Fatal(err)
	}
	return sink
}

func newPubSub(b *testing.B, addr string) publish.Sink {
	b.Helper()
	sink, err := pubsub.New(pubsub.Options{Topic: benchTopic, Endpoint: addr, Device: benchDevice})
	if err != nil {
		b.Fatal(err)
	}
	return sink
}

// bareSNS publishes the same ten entries again and again with the SDK's client, one request at a time.
func bareSNS(b *testing.B, url string) bare {
	b.Helper()
	cfg, err := config.LoadDefaultConfig(b.Context(), config.WithRegion("us-east-2"))
	if err != nil {
		b.Fatal(err)
	}
	client := awssns.NewFromConfig(cfg, func(o *awssns.Options) { o.BaseEndpoint = aws.String(url) })
	in := &awssns.PublishBatchInput{TopicArn: aws.String(benchARN)}
	for i, m := range benchBodies(b, 10) {
		in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, types.PublishBatchRequestEntry{
			Id: aws.String(fmt.Sprint(i)), Message: aws.String(string(m.Body)),
		})
	}
	return bare{"bare_PublishBatch", func(n int) {
		for range n / 10 {
			if out, err := client.PublishBatch(b.Context(), in); err != nil || len(out.Successful) != 10 {
				b.Fatalf("%v, %v", out, err)
			}
		}
	}}
}

// barePubSub publishes requests of a thousand messages, one at a time. One client is the library's publisher with its
// default settings, one is the same with EnableCompression, and one is the generated stub.
func barePubSub(b *testing.B, addr string) []bare {
	b.Helper()
	const size = 1000
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() }) // nothing to lose
	req := &pubsubpb.PublishRequest{Topic: benchTopic}
	for _, m := range benchBodies(b, size) {
		attributes := map[string]string{}
		for _, a := range m.Attributes {
			attributes[a.Name] = a.Value
		}
		req.Messages = append(req.Messages, &pubsubpb.PubsubMessage{Data: m.Body, Attributes: attributes})
	}
	stub := func(o ...grpc.CallOption) func(n int) {
		return func(n int) {
			for range n / size {
				if _, err := pubsubpb.NewPublisherClient(conn).Publish(b.Context(), req, o...); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	client, err := google.NewClient(b.Context(), "test-project", option.WithEndpoint(addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() }) // nothing to lose
	publisher := func(packed bool) func(n int) {
		p := client.Publisher(benchTopic)
		p.PublishSettings.CountThreshold, p.PublishSettings.DelayThreshold, p.PublishSettings.EnableCompression = size, time.Minute, packed
		b.Cleanup(p.Stop)
		return func(n int) {
			for range n / size {
				results := make([]*google.PublishResult, size)
				for i, m := range req.Messages {
					results[i] = p.Publish(b.Context(), &google.Message{Data: m.Data, Attributes: m.Attributes})
				}
				for _, r := range results {
					if _, err := r.Get(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
	return []bare{
		{"client", publisher(false)}, {"client_packed", publisher(true)},
		{"stub_packed", stub(grpc.UseCompressor(gzip.Name))}, {"stub", stub()},
	}
}

// BenchmarkDrain sends a backlog through the whole agent to a cloud on loopback, and compares it with the bare
// clients.
func BenchmarkDrain(b *testing.B) {
	b.Run("SNS", func(b *testing.B) {
		url := quickSNS(b)
		drain(b, awsConfig, newSNS(b, url), 20_000, []bare{bareSNS(b, url)})
	})
	b.Run("PubSub", func(b *testing.B) {
		addr := startQuickPubSub(b)
		drain(b, gcpConfig, newPubSub(b, addr), 20_000, barePubSub(b, addr))
	})
}

// BenchmarkOnline measures the time from a sample's offer to its acceptance, with a cloud that answers at once.
func BenchmarkOnline(b *testing.B) {
	const sweeps = 120
	b.Run("SNS", func(b *testing.B) { online(b, awsConfig, newSNS(b, quickSNS(b)), sweeps) })
	b.Run("PubSub", func(b *testing.B) { online(b, gcpConfig, newPubSub(b, startQuickPubSub(b)), sweeps) })
}
