package sinks

import "strings"

// Cause is what stands behind a message that a cloud has not taken, as far as it decides what an operator has to do.
type Cause uint8

// The causes.
const (
	CauseOther       Cause = iota // none of the others: what the cloud says is all that is known
	CauseUnreachable              // no cloud was reached
	CauseClock                    // the gateway's clock and the cloud's do not agree
	CauseCredentials              // there are none, or they are not in force
	CausePermission               // they may not publish to this topic
	CauseTopic                    // there is no such topic
	CauseSetUp                    // the agent's own set-up, on this side of any cloud
)

// CauseOf finds the cause of an error as Result.Error gives it and trigger rows keep it, "Code: Text". It knows the
// codes of all clouds and those of this package. Sources: the tables of sinks/sns and sinks/pubsub.
func CauseOf(errorText string) Cause {
	code, text, _ := strings.Cut(errorText, ": ")
	if (Result{Code: code, Text: text}).ClockFault() {
		return CauseClock
	}
	code = code[strings.LastIndexByte(code, '.')+1:] // AWS.SimpleNotificationService.NotFound
	for _, r := range causes() {
		word, open := strings.CutSuffix(r.code, "*")
		if (code == word || open && strings.HasPrefix(code, word)) && strings.Contains(text, r.text) {
			return r.cause
		}
	}
	return CauseOther
}

// causes is the table of CauseOf; the first match counts. A star at the end of a code stands for anything.
func causes() []struct {
	code, text string
	cause      Cause
} {
	return []struct {
		code, text string
		cause      Cause
	}{
		{"Unauthenticated", "is the gateway's clock right?", CauseClock},
		{CodeNetwork, "", CauseUnreachable},
		{CodeTimeout, "", CauseUnreachable},
		{"Unavailable", "", CauseUnreachable},
		{"DeadlineExceeded", "", CauseUnreachable},

		{CodeMissingCredentials, "", CauseCredentials},
		{CodeCredentials, "", CauseCredentials},
		{"InvalidClientTokenId", "", CauseCredentials},
		{"InvalidAccessKeyId", "", CauseCredentials},
		{"UnrecognizedClient*", "", CauseCredentials},
		{"SignatureDoesNotMatch", "", CauseCredentials},
		{"InvalidSignature*", "", CauseCredentials},
		{"IncompleteSignature*", "", CauseCredentials},
		{"MissingAuthenticationToken*", "", CauseCredentials},
		{"InvalidIdentityToken*", "", CauseCredentials},
		{"ExpiredToken*", "", CauseCredentials},
		{"AuthFailure", "", CauseCredentials},
		{"Unauthenticated", "", CauseCredentials},

		{"AuthorizationError*", "", CausePermission},
		{"AccessDenied*", "", CausePermission},
		{"KMSAccessDenied*", "", CausePermission},
		{"PermissionDenied", "", CausePermission},

		{"NotFound*", "", CauseTopic}, // of SNS and, in gRPC, of Pub/Sub
		{"InvalidParameter*", "TopicArn", CauseTopic},
		{"InvalidArgument", "resource name", CauseTopic},

		{CodeCAFile, "", CauseSetUp},
		{CodeProxy, "", CauseSetUp},
		{CodeConfiguration, "", CauseSetUp},
		{"EndpointError", "", CauseSetUp}, // of sinks/sns: the SDK does not send with these settings
	}
}
