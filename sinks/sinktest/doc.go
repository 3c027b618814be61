// Package sinktest is the conformance suite of sinks: what the forwarder relies on, tried against
// a stand-in of the cloud with the real SDK client (see standin).
//
// It promises that a sink which passes Run
//   - takes a prefix and answers for each message in it, in order;
//   - distinguishes an outage (Retry), a refusal (Wait) and a bad message (Reject), in the cloud's
//     words, and goes on by itself when the cause has gone;
//   - rejects a bad message alone, whatever its neighbours are;
//   - is back when its context ends, and leaves nothing running, neither then nor after Close.
//
// RunNetwork tries what goes wrong on the way: peers, names, certificates, proxies, with the sink's own
// TLS and the environment's proxy. It listens to everything a sink says, and no secret may be in it.
//
// It refuses to look inside a sink: what a cloud alone has (entries that fail one by one, gzip) is
// tried beside the sink.
//
// Example:
//
//	func TestConformance(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Rig { … })
//	}
package sinktest
