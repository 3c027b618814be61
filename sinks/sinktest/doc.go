// Package sinktest is the conformance suite of sinks: it tests what the forwarder relies on, against a simulated cloud
// and with the real SDK client (see standin).
//
// A sink that passes Run
//   - takes a prefix of the messages, and gives one result for each of them, in order;
//   - distinguishes an outage (Retry), a refusal (Wait) and a bad message (Reject), keeps the cloud's text, and
//     continues without a restart when the cause is gone;
//   - rejects only the bad message, and not its neighbours;
//   - returns when its context ends, and leaves nothing running, neither then nor after Close.
//
// RunNetwork tests failures of the network: peers, names, certificates, proxies, with the sink's own TLS and the
// environment's proxy. It reads all results and log lines of a sink, and fails if a secret is in them.
//
// The suite does not look inside a sink. Features of one cloud (entries that fail one by one, gzip) are tested in the
// package of the sink.
//
// In reading order:
//
//   - sinktest.go, rules.go: Run, and the rules
//   - network.go, front.go, proxy.go, certs.go: RunNetwork, and the faults of the network
//   - hostile.go: servers that send too much or never end
//   - probe.go: the steps of a probe
//   - sweep.go, compare.go: sample data; bytes of uplink beside other clients
//
// Example:
//
//	func TestConformance(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Rig { … })
//	}
package sinktest
