package sinks

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Outcome says what is to become of a message after an attempt.
type Outcome uint8

// The outcomes. The zero Outcome is none of them, so that a result that was not filled in can never
// be taken for a delivery.
const (
	Accepted Outcome = iota + 1 // the cloud has it, under Result.MessageID
	Retry                       // network, throttling, a fault of the cloud: try again soon
	Wait                        // an operator has to act first: credentials, rights, topic. Keep it, try slowly
	Reject                      // this very message is malformed or too large: never send it again
)

// String returns the outcome as logs and status print it.
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Retry:
		return "retry"
	case Wait:
		return "wait"
	case Reject:
		return "reject"
	default:
		return "none"
	}
}

// Codes that no cloud sends: we name with them what stopped a message on this side.
const (
	CodeNetwork            = "NetworkError"       // no connection, or it broke (SNS; Pub/Sub says Unavailable)
	CodeTimeout            = "Timeout"            // no answer before the attempt's time was up
	CodeCanceled           = "Canceled"           // the caller ended the attempt
	CodeMissingCredentials = "MissingCredentials" // none found in any of the places that were looked at
	CodeCredentials        = "CredentialsError"   // found, and cannot be used
	CodeCAFile             = "CAFileError"        // ca_file of the integration is missing or of no use
	CodeNoResult           = "NoResult"           // the cloud's answer does not mention the message
	CodeClosed             = "Closed"             // the sink was closed before
	CodeConfiguration      = "Configuration"      // no sink can be made of the integration's configuration
	// the proxy wants another user or password, or its setting makes no sense
	CodeProxy = "ProxyError"

	// The gateway's clock and the cloud's do not agree: a certificate is not valid yet, or not any
	// more, or a signature's time is off. It is Retry, and passes once the clock has been set; a
	// certificate that has really expired looks the same from here. Text has what the cloud said.
	CodeClock = "ClockError"
)

// Result is what became of one message.
type Result struct {
	Outcome   Outcome
	MessageID string // the cloud's id; set when accepted
	Code      string // the cloud's error code, or one of ours; "" when accepted
	Text      string // the cloud's own words for it; "" when accepted. Never holds a secret

	// After is the least wait before the next attempt that the cloud asked for (Retry-After of HTTP,
	// google.rpc.RetryInfo of gRPC), up to MaxAfter; 0 when it asked for none.
	After time.Duration

	// Skewed says that the gateway's clock is away from the cloud's, though this message may have been dealt with all
	// the same.
	Skewed bool
}

// CAFileRemedy is what to do about CodeCAFile.
func CAFileRemedy() string {
	return "Correct ca_file of the integration, or put the PEM file there and let the daemon's user read it. Then: " +
		"systemctl reload noi-agent."
}

// MaxAfter is the longest wait that is taken from a cloud, or from what stands in for one: a captive
// portal is not to keep a gateway quiet for a day.
const MaxAfter = time.Hour

// Error returns "Code: Text", the way trigger rows show it; "" for an accepted message.
func (r Result) Error() string {
	if r.Text == "" {
		return r.Code
	}
	return r.Code + ": " + r.Text
}

// Unreached reports whether no cloud was reached by the attempt. A cloud that has asked for a wait was.
func (r Result) Unreached() bool {
	if r.Outcome != Retry || r.After > 0 {
		return false
	}
	switch r.Code {
	case CodeNetwork, CodeTimeout, "Unavailable", "DeadlineExceeded": // the latter two are gRPC's, and so Pub/Sub's
		return true
	default:
		return false
	}
}

// ClockFault reports whether the result says that the gateway's clock and the cloud's do not agree.
func (r Result) ClockFault() bool {
	const notYet = "certificate has expired or is not yet valid" // crypto/x509
	return r.Skewed || r.Code == CodeClock || strings.Contains(r.Text, notYet)
}

// Bounds of what a cloud may put into a trigger row, a log line and a step, in bytes.
const (
	maxText = 1024 // the longest refusals seen (a policy with two ARNs) stay below 600
	maxCode = 128  // the longest code of AWS has some 60
	maxID   = 256  // message ids have 36 (SNS) or some 20 (Pub/Sub)
)

// Clean makes what a cloud, or anybody in its place, has said fit to be shown, logged and kept: one line of at most
// that many bytes, and no character that a terminal obeys or that is invisible. All that comes from a cloud passes
// here.
func Clean(text string, most int) string {
	cut := len(text) > 4*most // before anything is done with it: it may be large
	if cut {
		text = text[:4*most]
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.Co) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text, cut = strings.ToValidUTF8(text[:most], ""), true
	}
	if cut {
		text += "…"
	}
	return text
}

// Failed returns a result that is not a delivery, with code and text in the cloud's words, cleaned.
func Failed(o Outcome, code, text string) Result {
	return Result{Outcome: o, Code: Clean(code, maxCode), Text: Clean(text, maxText)}
}

// Taken returns the result of a message that the cloud has accepted under id.
func Taken(id string) Result { return Result{Outcome: Accepted, MessageID: Clean(id, maxID)} }

// RetryAfter reads the Retry-After header of an answer (RFC 9110 §10.2.3), which is a number of seconds
// or a date. A date is held against the answer's own: the gateway's clock may be wrong. It returns 0
// when there is none, or none that makes sense.
func RetryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return BoundAfter(time.Duration(seconds) * time.Second)
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return BoundAfter(until.Sub(now))
}

// BoundAfter puts a wait into what Result.After may be.
func BoundAfter(d time.Duration) time.Duration { return max(0, min(d, MaxAfter)) }

// Repeat returns n times the same result, for a request that failed as a whole.
func Repeat(r Result, n int) []Result {
	out := make([]Result, n)
	for i := range out {
		out[i] = r
	}
	return out
}

// Narrow calls send with n, the number of messages to put into one request. When the cloud
// refuses that request as a whole (whole) for what a message in it says (Reject), Narrow tries
// the first half, and so on down to a single message: only a message that was refused alone is
// rejected. The caller gets the results of the last try and comes again with the rest, which
// keeps the order and bounds one call to log2(n)+1 requests.
//
// Where the cloud names the culprit itself, send returns whole = false and nothing is repeated.
func Narrow(n int, send func(n int) (results []Result, whole bool)) []Result {
	for {
		results, whole := send(n)
		if n <= 1 || !whole || results[0].Outcome != Reject {
			return results
		}
		n /= 2
	}
}
