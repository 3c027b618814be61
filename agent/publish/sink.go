package publish

import (
	"context"
	"noi-agent/sinks"
)

// Sink sends messages to one cloud. Publish sends the longest prefix of the messages that fits one request. It returns
// one result for each sent message, at least one, and returns before ctx ends or soon after. After that it reads
// neither the messages nor their bodies and attributes: later messages have the same memory.
type Sink interface {
	Publish(ctx context.Context, messages []sinks.Message) []sinks.Result
	Window() int // highest useful number of messages for one Publish, at least 1
	Close() error
}

// Broken returns a sink in the place of one that could not be made. Each Publish fails with err, so the samples stay
// in the outbox. A reload tries again to make the real sink.
func Broken(err error) Sink { return brokenSink{err} }

// brokenSink replaces a sink that could not be made. The samples stay in the outbox.
type brokenSink struct{ err error }

func (b brokenSink) Publish(_ context.Context, messages []sinks.Message) []sinks.Result {
	return sinks.Repeat(sinks.Failed(sinks.Wait, sinks.CodeConfiguration, b.err.Error()), len(messages))
}

func (b brokenSink) Window() int { return 1 }

func (b brokenSink) Close() error { return nil }

func (b brokenSink) Outdated() bool { return true } // a reload makes a new one

// Outdated reports whether the sink must be made again, because its files have changed. Its configuration may be the
// same.
func (f *Forwarder) Outdated() bool {
	s, ok := f.sink.(interface{ Outdated() bool })
	return ok && s.Outdated()
}

// refuser is a sink that learns which kinds of samples a topic refuses as such.
type refuser interface {
	Refuses() string // the kinds, in one line; "": none
}

// metered is a sink that knows the bytes of its sockets.
type metered interface {
	Traffic() (sent, received uint64) // so far
}

// traffic counts the bytes of an attempt.
func (f *Forwarder) traffic() error {
	m, ok := f.sink.(metered)
	if !ok {
		return nil
	}
	sent, received := m.Traffic()
	err := f.store.CountTraffic(f.cfg.ID, sent-f.sent, received-f.received)
	f.sent, f.received = sent, received
	return err
}
