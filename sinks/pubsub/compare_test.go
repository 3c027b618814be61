package pubsub_test

import (
	"crypto/tls"
	"testing"

	google "cloud.google.com/go/pubsub/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest"
)

// plainPublisher is the client's publisher as in its documentation, with the settings that set changes; nil: none.
// The test passes the address of this cloud and the trusted certificates.
func plainPublisher(account string, set func(*google.PublishSettings)) func(*testing.T, string, *sinktest.Authority) func(sinks.Batch) {
	return func(t *testing.T, host string, ca *sinktest.Authority) func(sinks.Batch) {
		client, err := google.NewClient(t.Context(), "test-project", option.WithEndpoint(host),
			option.WithAuthCredentialsJSON(option.ServiceAccount, []byte(account)),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: ca.Pool}))))
		if err != nil {
			t.Fatal(err)
		}
		publisher := client.Publisher(topic)
		if set != nil {
			set(&publisher.PublishSettings)
		}
		t.Cleanup(func() {
			publisher.Stop()
			_ = client.Close() // nothing to lose
		})
		return func(b sinks.Batch) {
			var results []*google.PublishResult
			for _, m := range sinktest.Singles(b, sinks.AttributeNames()) {
				attributes := map[string]string{}
				for _, a := range m.Attributes {
					attributes[a.Name] = a.Value
				}
				results = append(results, publisher.Publish(t.Context(), &google.Message{Data: m.Body, Attributes: attributes}))
			}
			for _, r := range results {
				if _, err := r.Get(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// The bytes of this sink on the uplink, compared with those of the client's own publisher.
func TestUplinkAgainstThePlainClient(t *testing.T) {
	account := serviceAccount(t)
	cleanEnv(t)
	cloud := mustStart(t)
	open := func(t *testing.T, host string, ca *sinktest.Authority) sinktest.Sink {
		return mustNew(t, pubsub.Options{Endpoint: "https://" + host, CAFile: ca.File, CredentialsFile: mustWrite(t, t.TempDir()+"/key.json", account)})
	}
	all := sinks.AttributeNames()
	singles := func(b sinks.Batch) []sinks.Message { return sinktest.Singles(b, all) }
	batch := func(b sinks.Batch) []sinks.Message { return []sinks.Message{sinktest.Batched(b, all)} }
	const plain, one = "Pub/Sub, a Publisher as it comes", "Pub/Sub, the same, a request each"
	sinktest.CompareUplink(t, cloud.Addr(), "h2", []sinktest.Way{
		{Name: plain, Open: plainPublisher(account, nil)},
		{Name: one, Open: plainPublisher(account, func(s *google.PublishSettings) { s.CountThreshold = 1 })},
		{Name: "Pub/Sub, the same, EnableCompression", Open: plainPublisher(account, func(s *google.PublishSettings) { s.EnableCompression = true }), Of: plain},
		{Name: "noi-agent", Open: sinktest.By(open, singles), Of: plain, Most: 0.12},
		{Name: "noi-agent, envelope: batch", Open: sinktest.By(open, batch), Of: plain, Most: 0.10},
		{Name: "noi-agent, envelope: batch, of a request each", Open: sinktest.By(open, batch), Of: one, Most: 0.10},
	})
}
