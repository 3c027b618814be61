package sinktest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest/standin"
)

// Sink is what the suite tries: the methods the forwarder calls.
type Sink interface {
	Publish(ctx context.Context, msgs []sinks.Message) []sinks.Result
	Window() int
	Close() error
}

// Cloud is the stand-in that the sink speaks to.
type Cloud interface {
	SetDown(down bool) error
	SetFault(f func(standin.Request) *standin.Fault)
	Messages() []standin.Message
}

// Rig is a sink, its cloud, and the cloud's words.
type Rig struct {
	Cloud     Cloud
	Sink      Sink
	Denied    standin.Fault // a refusal that waits for the operator
	Throttled standin.Fault // a refusal that passes
	Invalid   standin.Fault // a refusal of one message
	Missing   standin.Fault // a topic that is not there
	Internal  standin.Fault // a fault of the cloud itself
	TooLarge  int           // bytes of a body that no request can carry
	Secrets   []string      // what is never to be shown in a result
	// Denial is what Denied is to become in a trigger row, to the letter.
	Denial string
}

// patience bounds what should be immediate. No rule depends on it: it only ends a test that hangs.
const patience = time.Minute

// Run tries every rule, each with a rig of its own. start makes the rig and sees to its cleanup with
// t.Cleanup; a goroutine that is still there after that is a failure.
func Run(t *testing.T, start func(t *testing.T) Rig) {
	for _, c := range []struct {
		rule string
		try  func(t *testing.T, r Rig)
	}{
		{"AcceptedHasIDBodyAndAttributes", accepted},
		{"NoMessagesNoRequest", empty},
		{"WindowOfDistinctKeysIsOneRequest", window},
		{"OrderOfAKeyIsKept", order},
		{"OutageIsRetryAndPasses", outage},
		{"ConnectionLostBetweenRequestsHeals", reconnect},
		{"DenialWaitsInTheCloudsWords", denial},
		{"ThrottlingIsRetry", throttling},
		{"MissingTopicWaits", missingTopic},
		{"FaultOfTheCloudIsRetry", internal},
		{"FailureOfOneMessageIsNoneOfTheOthers", partial},
		{"WaitThatTheCloudAsksForIsTold", asksToWait},
		{"BadMessageIsRejectedAlone", badMessage},
		{"TooLargeIsRejectedAlone", tooLarge},
		{"EndedContextSendsNothing", endedContext},
		{"HangEndsWithTheContext", hang},
		{"AbandonedWindowDoesNotMixWithTheNext", abandoned},
		{"LostAnswerIsRetriedUnderTheSameIdentity", lostAnswer},
		{"MemoryOfMessagesIsTheCallersAgain", keepsNothing},
		{"CloseIsFinalAndHarmless", closing},
	} {
		t.Run(c.rule, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) })
			r := start(t)
			t.Cleanup(func() {
				if err := r.Sink.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			s := &site{Site: Site{Secrets: r.Secrets}}
			r.Sink = &listened{Sink: r.Sink, to: s}
			c.try(t, r)
			s.checkSecrets(t)
		})
	}
}

// Messages returns n messages of n keys, each with a body of its own.
func Messages(n int) []sinks.Message {
	msgs := make([]sinks.Message, n)
	for i := range msgs {
		msgs[i] = sinks.Message{
			Body:     fmt.Appendf(nil, `{"published_at":"2022-06-28T08:20:29.502Z","data":%d}`, i),
			SampleID: fmt.Sprintf("5300520006504b5957343920-00c0ffee-1-%d", i+1),
			Key:      fmt.Sprintf("rs485/1/object_%d", i),
		}
	}
	return msgs
}

// Drain publishes msgs the way the forwarder does, calling again with the rest, and returns one
// result for each. Nothing is tried twice.
func Drain(t *testing.T, s Sink, msgs []sinks.Message) []sinks.Result {
	t.Helper()
	var all []sinks.Result
	for len(all) < len(msgs) {
		all = append(all, publish(t, s, msgs[len(all):])...)
	}
	return all
}

// publish is one Publish, held against the contract that every call has.
func publish(t *testing.T, s Sink, msgs []sinks.Message) []sinks.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return publishCtx(ctx, t, s, msgs)
}

func publishCtx(ctx context.Context, t *testing.T, s Sink, msgs []sinks.Message) []sinks.Result {
	t.Helper()
	results := s.Publish(ctx, msgs)
	if len(results) < 1 || len(results) > len(msgs) {
		t.Fatalf("%d results for %d messages", len(results), len(msgs))
	}
	for i, r := range results {
		switch {
		case r.Outcome == sinks.Accepted && (r.MessageID == "" || r.Error() != ""):
			t.Fatalf("result %d: accepted with id %q and error %q", i, r.MessageID, r.Error())
		case r.Outcome != sinks.Accepted && (r.Code == "" || r.Text == "" || r.MessageID != ""):
			t.Fatalf("result %d: %s with code %q, text %q, id %q", i, r.Outcome, r.Code, r.Text, r.MessageID)
		}
	}
	return results
}

// want fails unless every result has the outcome.
func want(t *testing.T, results []sinks.Result, o sinks.Outcome) {
	t.Helper()
	for i, r := range results {
		if r.Outcome != o {
			t.Fatalf("result %d: %s (%s), want %s", i, r.Outcome, r.Error(), o)
		}
	}
}

// wantTaken fails unless the cloud has taken just these messages, in this order.
func wantTaken(t *testing.T, c Cloud, msgs []sinks.Message) {
	t.Helper()
	got := c.Messages()
	for i := range min(len(got), len(msgs)) {
		if string(got[i].Body) != string(msgs[i].Body) {
			t.Fatalf("message %d at the cloud: %s, want %s", i, got[i].Body, msgs[i].Body)
		}
	}
	if len(got) != len(msgs) {
		t.Fatalf("the cloud has %d messages, want %d", len(got), len(msgs))
	}
}
