package pubsub_test

import (
	"testing"

	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest"
)

// The figures in docs/messages.md for the bytes of each envelope, on Pub/Sub: at the socket, with HTTP/2's frames and
// without TLS. Requests are packed there, so packing a batch before saves nothing.
func TestUplinkOfEnvelopes(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	for _, c := range []struct {
		attributes            []string
		single, batch, packed float64 // most bytes a sample
	}{{nil, 30, 20, 25}, {sinks.AttributeNames(), 45, 20, 25}} {
		meter := new(sinks.Meter)
		single, batch, packed := sinktest.Uplink(t, mustNew(t, pubsub.Options{Endpoint: cloud.Addr(), Meter: meter}), meter, c.attributes)
		t.Logf("%d attributes: single %.1f, batch %.1f, packed %.1f bytes a sample", len(c.attributes), single, batch, packed)
		if single > c.single || batch > c.batch || packed > c.packed || packed < 0.9*batch || batch >= single {
			t.Errorf("more than %+v", c)
		}
	}
}
