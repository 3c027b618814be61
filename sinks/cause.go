package sinks

import "strings"

// Cause is the reason why a cloud has not accepted a message. It decides what an operator has to do.
type Cause uint8

// The causes.
const (
	CauseOther       Cause = iota // none of the others: only the cloud's text is known
	CauseUnreachable              // no cloud was reached
	CauseClock                    // the clocks of gateway and cloud differ
	CauseCredentials              // there are no credentials, or they are not valid
	CausePermission               // the credentials may not publish to this topic
	CauseTopic                    // the topic does not exist
	CauseSetUp                    // the agent's own set-up; no cloud was asked
)

// CauseOf returns the cause of an error from Result.Error or from a trigger row, "Code: Text". It knows the codes of
// all clouds and those of this package. Sources: the tables of sinks/sns and sinks/pubsub.
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
