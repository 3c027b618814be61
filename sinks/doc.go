// Package sinks has the message on the wire and the types for a cloud's answer.
//
// Promises:
//   - The body of a message is the same for every cloud, byte by byte (AppendBody).
//   - A sample keeps its identity in every attempt: Message.SampleID never changes.
//   - Each answer is one of four outcomes, and each outcome needs one action of the caller (Outcome).
//   - The cloud's own text is kept: "Code: Text", without the text of an SDK around it.
//
// The package knows no cloud: sinks/sns and sinks/pubsub each have one cloud, and only they import the SDKs.
//
// A sink, as both of them build it, has three methods. One goroutine owns it. If Flight.Several is set, several
// goroutines may call Publish at once:
//
//	Publish(ctx, msgs) []Result   // sends the longest prefix of msgs that fits one request
//	Window() int                  // how many messages are worth preparing for one Publish
//	Close() error
//
// Publish returns one result for each message that it has handled, in order: at least one and at most len(msgs). The
// caller calls Publish again with the rest. Publish never returns an error beside the results, never panics, and
// returns before ctx ends or soon after. A message that is on its way when ctx ends gives Retry, because it may have
// arrived or not.
//
// A sink keeps no message: after Publish has returned, it reads neither the messages nor the memory of their bodies and
// attributes, not even for a request that was given up. The caller uses this memory for the next messages. Texts
// (SampleID, Key, values of attributes) never change.
//
// Each sink also has Probe, which tests every step of the way to the cloud and publishes nothing (Step), and Remedy,
// which returns what the operator has to do about a Result, with names and commands filled in.
//
// Both sinks reach their cloud in the same way: Dialer limits and counts the connections (Meter), Proxy and DialTunnel
// use the proxy of the environment, Roots adds a CA file.
//
// A cloud may refuse a whole request because of one message in it. Narrow finds this message without rejecting its
// neighbours.
//
// In reading order:
//
//   - message.go, batch.go, kind.go, record.go: the bodies, and the form of an export
//   - result.go, cause.go, refusals.go: the answers of a cloud, and what is learnt from them
//   - flight.go, cost.go: how many requests a sink allows at once; what messages cost
//   - dial.go, reach.go, meter.go, bound.go: connections, their bytes and their limits
//   - step.go: the steps of a probe
//
// Example:
//
//	body := sinks.AppendBody(nil, sinks.Envelope{PublishedAt: now(), DeviceID: id, Source: src, Sample: s})
//	for len(msgs) > 0 {
//		results := sink.Publish(ctx, msgs)
//		settle(msgs[:len(results)], results)
//		msgs = msgs[len(results):]
//	}
package sinks
