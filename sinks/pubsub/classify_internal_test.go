package pubsub

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"noi-agent/sinks"
)

// Google's text is the same for an expired token and for one without permission. The reason in the answer shows the
// difference.
func TestExpiredTokenIsMadeAnewAndTriedAgain(t *testing.T) {
	for reason, want := range map[string]sinks.Outcome{"ACCESS_TOKEN_EXPIRED": sinks.Retry, "ACCOUNT_STATE_INVALID": sinks.Wait} {
		st, err := status.New(codes.Unauthenticated, "Request had invalid authentication credentials.").
			WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "googleapis.com"})
		if err != nil {
			t.Fatal(err)
		}
		sink, err := New(Options{Topic: "projects/test-project/topics/MainSolarData"})
		if err != nil {
			t.Fatal(err)
		}
		sink.creds = new(tokens)
		got := classify(t.Context(), st.Err())
		sink.forget(got)
		if got.Outcome != want || got.Code != "Unauthenticated" || sink.creds != nil {
			t.Errorf("%s: %s (%s), want %s; credentials kept: %t", reason, got.Outcome, got.Error(), want, sink.creds != nil)
		}
	}
}
