package sinks

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Outcome decides what the caller does with a message after an attempt.
type Outcome uint8

// The outcomes. The zero Outcome is none of them, so an empty result never counts as a delivery.
const (
	Accepted Outcome = iota + 1 // the cloud has it, under Result.MessageID
	Retry                       // the network, throttling, or a fault of the cloud: try again soon
	Wait                        // an operator must act first (credentials, permissions, topic): keep it, try slowly
	Reject                      // this message is malformed or too large: never send it again
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

// Codes of our own: no cloud sends them. They are for failures on the gateway's side.
const (
	CodeNetwork            = "NetworkError"       // no connection, or it broke (SNS; Pub/Sub has Unavailable)
	CodeTimeout            = "Timeout"            // no answer before the attempt's time was up
	CodeCanceled           = "Canceled"           // the caller ended the attempt
	CodeMissingCredentials = "MissingCredentials" // no credentials were found in any place
	CodeCredentials        = "CredentialsError"   // credentials were found, but cannot be used
	CodeCAFile             = "CAFileError"        // ca_file of the integration is missing or not usable
	CodeNoResult           = "NoResult"           // the cloud's answer does not mention the message
	CodeClosed             = "Closed"             // the sink was closed before
	CodeConfiguration      = "Configuration"      // no sink can be made from the integration's configuration
	// the proxy requires another user or password, or its setting is malformed
	CodeProxy = "ProxyError"

	// The clocks of gateway and cloud differ: a certificate is not valid yet, or has expired, or the time of a
	// signature is wrong. The outcome is Retry, because the error ends when the clock is set. A certificate that has
	// really expired looks the same. Text has the cloud's text.
	CodeClock = "ClockError"
)

// Result is the result of one message in one attempt.
type Result struct {
	Outcome   Outcome
	MessageID string // the cloud's id; set when accepted
	Code      string // the cloud's error code, or one of ours; "" when accepted
	Text      string // the cloud's own text; "" when accepted. Never contains a secret

	// After is the shortest wait before the next attempt, as the cloud has asked (Retry-After of HTTP,
	// google.rpc.RetryInfo of gRPC), up to MaxAfter; 0: the cloud has not asked for a wait.
	After time.Duration

	// Skewed: the clocks of gateway and cloud differ. The message may be accepted in spite of this.
	Skewed bool
}

// CAFileRemedy returns the remedy for CodeCAFile.
func CAFileRemedy() string {
	return "Correct ca_file of the integration, or put the PEM file there and let the daemon's user read it. Then: " +
		"systemctl reload noi-agent."
}

// MaxAfter is the longest wait that a cloud's answer can ask for. The limit is needed because the answer may come from
// a captive portal.
const MaxAfter = time.Hour

// Error returns "Code: Text", as trigger rows show it; "" for an accepted message.
func (r Result) Error() string {
	if r.Text == "" {
		return r.Code
	}
	return r.Code + ": " + r.Text
}

// Unreached reports whether the attempt reached no cloud. A cloud that has asked for a wait was reached.
func (r Result) Unreached() bool {
	if r.Outcome != Retry || r.After > 0 {
		return false
	}
	switch r.Code {
	case CodeNetwork, CodeTimeout, "Unavailable", "DeadlineExceeded": // the last two are codes of gRPC, for Pub/Sub
		return true
	default:
		return false
	}
}

// ClockFault reports whether the cause is that the clocks of gateway and cloud differ.
func (r Result) ClockFault() bool {
	const notYet = "certificate has expired or is not yet valid" // crypto/x509
	return r.Skewed || r.Code == CodeClock || strings.Contains(r.Text, notYet)
}

// Limits of a cloud's text in a trigger row, a log line and a step, in bytes.
const (
	maxText = 1024 // the longest known refusals (a policy with two ARNs) have fewer than 600
	maxCode = 128  // the longest code of AWS has about 60
	maxID   = 256  // message ids have 36 (SNS) or about 20 (Pub/Sub)
)

// Clean returns a text from a cloud, or from a server in its place, in a form that can be shown, logged and stored: one
// line of at most that many bytes, without control characters and invisible characters. Every text from a cloud goes
// through Clean.
func Clean(text string, most int) string {
	if len(text) <= most && strings.IndexFunc(text, notPlain) < 0 {
		return text // the usual case: each message has an id, so this must be cheap
	}
	cut := len(text) > 4*most // cut first, because the text may be large
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

// notPlain reports whether a character may have to be cleaned: it is no visible character of ASCII.
func notPlain(r rune) bool { return r <= ' ' || r > '~' }

// Failed returns a result that is no delivery, with the cloud's code and text, cleaned.
func Failed(o Outcome, code, text string) Result {
	return Result{Outcome: o, Code: Clean(code, maxCode), Text: Clean(text, maxText)}
}

// Taken returns the result of a message that the cloud has accepted under id.
func Taken(id string) Result { return Result{Outcome: Accepted, MessageID: Clean(id, maxID)} }

// RetryAfter reads the Retry-After header of an answer (RFC 9110 §10.2.3), which is a number of seconds or a date. A
// date is compared with the date of the answer, because the gateway's clock may be wrong. It returns 0 if there is no
// valid header.
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

// BoundAfter limits a wait to the range of Result.After.
func BoundAfter(d time.Duration) time.Duration { return max(0, min(d, MaxAfter)) }

// Repeat returns the same result n times, for a request that failed as a whole.
func Repeat(r Result, n int) []Result {
	out := make([]Result, n)
	for i := range out {
		out[i] = r
	}
	return out
}

// Narrow calls send with n, the number of messages to put into one request. If the cloud refuses the whole request
// (whole) because of the content of a message (Reject), Narrow tries the first half, and so on down to a single
// message: only a message that was refused alone is rejected. The caller gets the results of the last request and calls
// Narrow again with the rest. This keeps the order, and limits one call to log2(n)+1 requests.
//
// If the cloud names the refused message itself, send returns whole = false, and no request is repeated.
func Narrow(n int, send func(n int) (results []Result, whole bool)) []Result {
	for {
		results, whole := send(n)
		if n <= 1 || !whole || results[0].Outcome != Reject {
			return results
		}
		n /= 2
	}
}
