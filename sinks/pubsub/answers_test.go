package pubsub_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
)

// TestEveryAnswerHasItsOutcome sends each code over the wire, as the answer to a request of one message.
func TestEveryAnswerHasItsOutcome(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	sink := mustNew(t, pubsub.Options{Endpoint: cloud.Addr()})
	for _, c := range []struct {
		code, text string
		want       sinks.Outcome
	}{
		{"PermissionDenied", "User not authorized to perform this action.", sinks.Wait},
		{"Unauthenticated", "no", sinks.Wait},
		{"NotFound", "Resource not found (resource=MainSolarData).", sinks.Wait},
		{"FailedPrecondition", "no", sinks.Wait},
		{"Unimplemented", "no", sinks.Wait},
		{"AlreadyExists", "no", sinks.Wait},
		{"OutOfRange", "no", sinks.Wait},
		{"InvalidArgument", "Invalid resource name given (name=projects/x).", sinks.Wait},
		{"InvalidArgument", "User project specified in the request is invalid.", sinks.Wait},

		{"Unavailable", "no", sinks.Retry},
		{"DeadlineExceeded", "no", sinks.Retry},
		{"ResourceExhausted", "no", sinks.Retry},
		{"Internal", "no", sinks.Retry},
		{"Aborted", "no", sinks.Retry},
		{"Unknown", "no", sinks.Retry},
		{"Canceled", "no", sinks.Retry},
		{"DataLoss", "no", sinks.Retry},

		{"InvalidArgument", "The value for attributes is too large.", sinks.Reject},
	} {
		cloud.SetFault(standin.Always(standin.Fault{Code: c.code, Text: c.text}))
		got := sink.Publish(t.Context(), sinktest.Messages(1))[0]
		if got.Outcome != c.want || got.Error() != c.code+": "+c.text {
			t.Errorf("%s %q: %s (%s), want %s", c.code, c.text, got.Outcome, got.Error(), c.want)
		}
	}
}

func TestServiceIsAskedOncePerPublish(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	sink := mustNew(t, pubsub.Options{Endpoint: cloud.Addr()})
	for _, code := range []string{"Unavailable", "Internal", "ResourceExhausted", "PermissionDenied"} {
		cloud.SetFault(standin.Always(standin.Fault{Code: code, Text: "no"}))
		before := len(cloud.Requests())
		for range 5 {
			_ = sink.Publish(t.Context(), sinktest.Messages(2))
		}
		if n := len(cloud.Requests()) - before; n != 5 {
			t.Errorf("%s: %d requests for 5 attempts: another part of the client retries too", code, n)
		}
	}
}

// Without a limit of ours the client library would try a dead server until the context ends, and this context never
// ends.
func TestDeadServerIsToldAtOnce(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	sink := mustNew(t, pubsub.Options{Endpoint: cloud.Addr()})
	if err := cloud.SetDown(true); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		got := sink.Publish(context.Background(), sinktest.Messages(1))[0]
		if want := "Unavailable: dial tcp " + cloud.Addr() + ": connect: connection refused"; got.Outcome != sinks.Retry || got.Error() != want {
			t.Fatalf("%s\n got %s\nwant %s", got.Outcome, got.Error(), want)
		}
	}
}

// A peer that accepts the connection and does not answer must not block Publish longer than its context.
func TestSilentPeerEndsWithTheContext(t *testing.T) {
	cleanEnv(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			cancel()
			defer func() { _ = conn.Close() }() // nothing to lose
		}
	}()
	sink := mustNew(t, pubsub.Options{Endpoint: l.Addr().String()})
	got := sink.Publish(ctx, sinktest.Messages(1))[0]
	if got.Outcome != sinks.Retry || got.Error() != "Canceled: ended before Pub/Sub had answered" {
		t.Errorf("%s (%s)", got.Outcome, got.Error())
	}
	if err := errors.Join(sink.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	<-done
}

// One of a thousand messages is bad: the others arrive in order, and the search for the bad one needs few requests.
func TestBadMessageIsFoundInAFullWindow(t *testing.T) {
	cleanEnv(t)
	for _, bad := range []int{0, 1, 499, 500, 998, 999} {
		cloud := mustStart(t)
		sink := mustNew(t, pubsub.Options{Endpoint: cloud.Addr()})
		msgs := sinktest.Messages(1000)
		msgs[bad].Body = nil // the service refuses a request with an empty message in it
		var rejected []int
		for i, r := range sinktest.Drain(t, sink, msgs) {
			if r.Outcome == sinks.Reject {
				rejected = append(rejected, i)
			}
		}
		if diff := cmp.Diff([]int{bad}, rejected); diff != "" || len(cloud.Messages()) != 999 {
			t.Errorf("rejected, want %d alone: %s; %d at the cloud", bad, diff, len(cloud.Messages()))
		}
		if n := len(cloud.Requests()); n > 70 {
			t.Errorf("%d requests to find message %d", n, bad)
		}
	}
}

func TestMalformedTopicIsRefused(t *testing.T) {
	for _, c := range []struct{ project, topic, part string }{
		{"", "", "no project"},
		{"", "MainSolarData", "no project"},
		{"test-project", "", "3 to 255 characters"},
		{"", "projects/test-project/topics", "want projects/PROJECT/topics/NAME"},
		{"", "projects//topics/MainSolarData", "want projects/PROJECT/topics/NAME"},
		{"", "projects/test-project/subscriptions/MainSolarData", "want projects/PROJECT/topics/NAME"},
		{"", "projects/test-project/topics/a/b", "want projects/PROJECT/topics/NAME"},
		{"other", topic, `not of project "other"`},
		{"p", "1abc", `not '1'`},
		{"p", "ab", "3 to 255 characters"},
		{"p", "main solar", `not ' '`},
	} {
		sink, err := pubsub.New(pubsub.Options{ProjectID: c.project, Topic: c.topic})
		if err == nil || sink != nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%q of %q: %v, want %q", c.topic, c.project, err, c.part)
		}
	}
	for _, o := range []pubsub.Options{
		{Topic: topic}, {ProjectID: "test-project", Topic: "MainSolarData"}, {ProjectID: "test-project", Topic: topic},
		{Topic: "projects/example.com:solar/topics/a-b_c.d~e+f%20"},
	} {
		if _, err := pubsub.New(o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
