// Package sinks is the message on the wire and the words for a cloud's answer.
//
// It promises:
//   - the body of a message is the same to the byte whichever cloud it goes to (AppendBody);
//   - a sample keeps its identity over every attempt: Message.SampleID never changes;
//   - an answer is one of four things, and each asks for one thing of the caller (Outcome);
//   - what the cloud said is kept in its own words: "Code: Text", without the wrapping of an SDK.
//
// It refuses to know any cloud: the two that exist are sinks/sns and sinks/pubsub, and each of
// the SDKs is imported there and nowhere else.
//
// A sink, as both of them build it, has three methods. One goroutine owns it, but for Publish where Flight says that
// several calls may be under way:
//
//	Publish(ctx, msgs) []Result   // sends the longest prefix of msgs that fits one request
//	Window() int                  // how many messages are worth preparing for one Publish
//	Close() error
//
// Publish returns one result for each message it has dealt with, in their order, at least one
// and at most len(msgs); the caller comes again with the rest. It never returns an error beside
// them, never panics, and is back before ctx ends or soon after: what was on its way then is
// Retry, since it is not known whether it arrived.
//
// Beside them each has Probe, which looks at every stage of the way and publishes nothing (Step), and
// Remedy, which says what the operator has to do about a Result, with names and commands filled in.
//
// How a sink reaches its cloud is the same for both: Dialer bounds and counts its connections
// (Meter), Proxy and DialTunnel take the proxy of the environment, Roots adds a CA file.
//
// A request may be refused as a whole because of one message in it. Narrow finds that message
// without giving up its neighbours.
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
