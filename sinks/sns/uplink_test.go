package sns_test

import (
	"testing"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

// The figures in docs/messages.md for the bytes of each envelope, on SNS: at the socket, with HTTP's headers and
// without TLS.
func TestUplinkOfEnvelopes(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	for _, c := range []struct {
		attributes            []string
		single, batch, packed float64 // most bytes a sample
	}{{nil, 680, 75, 50}, {sinks.AttributeNames(), 1900, 95, 70}} {
		meter := new(sinks.Meter)
		single, batch, packed := sinktest.Uplink(t, mustNew(t, sns.Options{Endpoint: cloud.URL(), Meter: meter}), meter, c.attributes)
		t.Logf("%d attributes: single %.1f, batch %.1f, packed %.1f bytes a sample", len(c.attributes), single, batch, packed)
		if single > c.single || batch > c.batch || packed > c.packed || packed >= batch || batch >= single {
			t.Errorf("more than %+v", c)
		}
	}
}
