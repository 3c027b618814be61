package pubsub

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"noi-agent/sinks"
)

// rule is the outcome of a gRPC code. If text is not empty, it must be in the message too.
type rule struct {
	code    codes.Code
	text    string
	outcome sinks.Outcome
}

// rules returns the table of the errors of Pub/Sub; the first match counts. Source: "Error codes" of the Pub/Sub
// documentation, and google.rpc.Code for what it does not list.
//
// A refusal may be final only if the message itself is the cause. An error about the topic waits for the operator:
// otherwise a mistake in a configuration would delete the backlog.
func rules() []rule {
	return []rule{
		{codes.PermissionDenied, "", sinks.Wait},
		{codes.Unauthenticated, "", sinks.Wait},
		{codes.NotFound, "", sinks.Wait},           // no such topic, or project
		{codes.FailedPrecondition, "", sinks.Wait}, // the topic's key or schema, or billing, is off
		{codes.Unimplemented, "", sinks.Wait},      // the server at the endpoint is not Pub/Sub
		{codes.AlreadyExists, "", sinks.Wait},      // not an answer to a publish request
		{codes.OutOfRange, "", sinks.Wait},         // likewise

		{codes.Unavailable, "", sinks.Retry},
		{codes.DeadlineExceeded, "", sinks.Retry},
		{codes.ResourceExhausted, "", sinks.Retry},
		{codes.Internal, "", sinks.Retry},
		{codes.Aborted, "", sinks.Retry},
		{codes.Unknown, "", sinks.Retry},
		{codes.Canceled, "", sinks.Retry},
		{codes.DataLoss, "", sinks.Retry},

		{codes.InvalidArgument, "resource name", sinks.Wait}, // the topic, not the message
		{codes.InvalidArgument, "User project", sinks.Wait},  // the credentials' quota_project_id
		{codes.InvalidArgument, "", sinks.Reject},
	}
}

// noAnswer reports whether a code means that the connection brought no answer. The service itself may also answer
// Unavailable; a new connection is right then too, because it may reach another of its machines.
func noAnswer(code string) bool {
	return code == codes.Unavailable.String() || code == codes.DeadlineExceeded.String() ||
		code == codes.Canceled.String()
}

// clockHint is added to texts if the gateway's own clock is the likely cause.
const clockHint = " (is the gateway's clock right?)"

// classify turns the error of a request into a result.
func classify(ctx context.Context, err error) sinks.Result {
	st, _ := status.FromError(err) // not a status: Unknown, with err's text
	if ctx.Err() != nil {
		return ended(ctx)
	}
	text := plainText(st.Message())
	if strings.Contains(text, "x509: certificate has expired or is not yet valid") {
		return sinks.Failed(sinks.Retry, sinks.CodeClock, text+clockHint)
	}
	result := sinks.Failed(sinks.Retry, st.Code().String(), text)
	for _, r := range rules() {
		if r.code == st.Code() && strings.Contains(text, r.text) {
			result.Outcome = r.outcome
			break
		}
	}
	if expired(st) {
		result = sinks.Failed(sinks.Retry, st.Code().String(), text+clockHint)
	}
	if result.Outcome != sinks.Reject {
		result.After = after(st)
	}
	return result
}

// expired reports whether a token was refused because it has expired (google.api.ErrorReason). By the gateway's clock
// it has not expired, because it would have been renewed. The next attempt makes another token, by the clock of that
// moment.
func expired(st *status.Status) bool {
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetReason() == "ACCESS_TOKEN_EXPIRED" {
			return st.Code() == codes.Unauthenticated
		}
	}
	return false
}

// after returns the wait that the answer asks for, google.rpc.RetryInfo; 0 when it asks for none.
func after(st *status.Status) time.Duration {
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return sinks.BoundAfter(info.GetRetryDelay().AsDuration())
		}
	}
	return 0
}

// ended is the result of a request that the caller has ended. It is not known whether the request arrived.
func ended(ctx context.Context) sinks.Result {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return sinks.Failed(sinks.Retry, codes.DeadlineExceeded.String(), "no answer of Pub/Sub in time")
	}
	return sinks.Failed(sinks.Retry, codes.Canceled.String(), "ended before Pub/Sub had answered")
}

// plainText returns the error of the network without the text that gRPC puts around it:
//
//	connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:8085: connect: connection refused"
func plainText(s string) string {
	const open = `connection error: desc = "`
	before, rest, ok := strings.Cut(s, open)
	if !ok {
		return s
	}
	rest = strings.TrimSuffix(rest, `"`)
	rest = strings.TrimPrefix(rest, "transport: ")
	rest = strings.TrimPrefix(rest, "Error while dialing: ")
	if strings.HasPrefix(before, "last") || before == "" {
		return rest
	}
	return before + rest
}
