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

// Sink has the tested methods of a sink: those that the forwarder calls.
type Sink interface {
	Publish(ctx context.Context, msgs []sinks.Message) []sinks.Result
	Window() int
	Close() error
}

// Cloud is the stand-in to which the sink sends.
type Cloud interface {
	SetDown(down bool) error
	SetFault(f func(standin.Request) *standin.Fault)
	Messages() []standin.Message
}

// Rig is a sink, its cloud, and the cloud's answers.
type Rig struct {
	Cloud     Cloud
	Sink      Sink
	Denied    standin.Fault // a refusal that waits for the operator
	Throttled standin.Fault // a refusal that ends without an operator
	Invalid   standin.Fault // a refusal of one message
	Missing   standin.Fault // a topic that does not exist
	Internal  standin.Fault // a fault of the cloud itself
	TooLarge  int           // size of a body that is too large for any request
	Secrets   []string      // texts that must never be in a result
	// Denial is the exact text of Denied in a trigger row.
	Denial string
}

// patience limits waits for things that should be immediate. It only ends a test that hangs.
const patience = time.Minute

// Run tests every rule, each with its own rig. start makes the rig and registers its cleanup with t.Cleanup. A
// goroutine that still runs after that is a failure.
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

// Messages returns n messages of n keys with different bodies.
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

// Drain publishes msgs like the forwarder: it calls again with the rest, and returns one result for each. It sends
// nothing twice.
func Drain(t *testing.T, s Sink, msgs []sinks.Message) []sinks.Result {
	t.Helper()
	var all []sinks.Result
	for len(all) < len(msgs) {
		all = append(all, publish(t, s, msgs[len(all):])...)
	}
	return all
}

// publish is one call of Publish, with a check of the contract of each call.
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

// wantTaken fails unless the cloud has accepted exactly these messages, in this order.
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
