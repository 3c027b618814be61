package sns

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"noi-agent/sinks"
)

// rule is the outcome of an error code of AWS. In code a star at either end stands for any text. If text is not empty,
// it must be in the message too.
type rule struct {
	code, text string
	outcome    sinks.Outcome
	clock      bool // the gateway's clock is the likely cause: the result's code is CodeClock
	stale      bool // the credentials have expired: they are read again before the next attempt
}

// rules returns the table of the errors of SNS and the token services; the first match counts. Sources: SNS API
// reference (PublishBatch errors, common errors), STS common errors.
//
// A refusal of a message may be final only if the message itself is the cause. An error about the topic or the caller
// waits for the operator: otherwise a mistake in a configuration would delete the backlog.
func rules() []rule {
	return []rule{
		{code: "SignatureDoesNotMatch", text: "Signature expired", outcome: sinks.Retry, clock: true},
		{code: "SignatureDoesNotMatch", text: "Signature not yet current", outcome: sinks.Retry, clock: true},
		{code: "InvalidSignatureException", text: "Signature expired", outcome: sinks.Retry, clock: true},
		{code: "InvalidSignatureException", text: "Signature not yet current", outcome: sinks.Retry, clock: true},
		{code: "RequestTimeTooSkewed", outcome: sinks.Retry, clock: true},
		{code: "RequestInTheFuture", outcome: sinks.Retry, clock: true},
		{code: "RequestExpired", outcome: sinks.Retry, clock: true},

		{code: "*Throttl*", outcome: sinks.Retry},
		{code: "RequestLimitExceeded", outcome: sinks.Retry},
		{code: "TooManyRequests*", outcome: sinks.Retry},
		{code: "SlowDown", outcome: sinks.Retry},
		{code: "ConcurrentAccess*", outcome: sinks.Retry},
		{code: "RequestTimeout*", outcome: sinks.Retry},
		{code: "Internal*", outcome: sinks.Retry}, // InternalError, InternalFailure, InternalServerError
		{code: "ServiceUnavailable*", outcome: sinks.Retry},
		{code: "IDPCommunicationError*", outcome: sinks.Retry}, // STS, about the provider of the web identity

		{code: "AuthorizationError*", outcome: sinks.Wait},
		{code: "AccessDenied*", outcome: sinks.Wait},
		{code: "AuthFailure", outcome: sinks.Wait},
		{code: "InvalidClientTokenId", outcome: sinks.Wait},
		{code: "InvalidAccessKeyId", outcome: sinks.Wait},
		{code: "InvalidIdentityToken*", outcome: sinks.Wait},
		{code: "SignatureDoesNotMatch", outcome: sinks.Wait},
		{code: "InvalidSignature*", outcome: sinks.Wait},
		{code: "IncompleteSignature*", outcome: sinks.Wait},
		{code: "MissingAuthenticationToken*", outcome: sinks.Wait},
		{code: "ExpiredToken*", outcome: sinks.Retry, stale: true},
		{code: "UnrecognizedClient*", outcome: sinks.Wait},
		{code: "OptInRequired", outcome: sinks.Wait},
		{code: "InvalidSecurity*", outcome: sinks.Wait},
		{code: "KMS*", outcome: sinks.Wait}, // the topic's key: disabled, deleted, or not allowed for us
		{code: "NotFound*", outcome: sinks.Wait},
		{code: "ResourceNotFound*", outcome: sinks.Wait},
		{code: "EndpointDisabled", outcome: sinks.Wait},
		{code: "InvalidAction", outcome: sinks.Wait}, // the server at the endpoint is not SNS

		{code: "InvalidParameter*", text: "TopicArn", outcome: sinks.Wait},
		{code: "InvalidParameter*", text: "TargetArn", outcome: sinks.Wait},
		{code: "InvalidParameter*", text: "MessageGroupId", outcome: sinks.Wait}, // topic and ARN disagree about FIFO
		{code: "InvalidParameter*", outcome: sinks.Reject},
		{code: "ParameterValueInvalid*", outcome: sinks.Reject},
		{code: "BatchRequestTooLong*", outcome: sinks.Reject},
		{code: "BatchEntryIdsNotDistinct*", outcome: sinks.Reject},
		{code: "InvalidBatchEntryId*", outcome: sinks.Reject},
		{code: "TooManyEntriesInBatchRequest*", outcome: sinks.Reject},
		{code: "EmptyBatchRequest*", outcome: sinks.Reject},
		{code: "RequestEntityTooLarge", outcome: sinks.Reject},
	}
}

// find looks a code up. Some services write their name before the code:
// AWS.SimpleNotificationService.TooManyEntriesInBatchRequest.
func find(code, text string) (rule, bool) {
	code = code[strings.LastIndexByte(code, '.')+1:]
	for _, r := range rules() {
		if matches(r.code, code) && strings.Contains(text, r.text) {
			return r, true
		}
	}
	return rule{}, false
}

func matches(pattern, code string) bool {
	head, front := strings.CutPrefix(pattern, "*")
	word, back := strings.CutSuffix(head, "*")
	switch {
	case front && back:
		return strings.Contains(code, word)
	case back:
		return strings.HasPrefix(code, word)
	default:
		return code == word
	}
}

// stale reports whether a code means that the credentials have expired.
func stale(code string) bool {
	r, ok := find(code, "")
	return ok && r.stale
}

// clockHint is added to texts if the gateway's own clock is the likely cause.
const clockHint = " (is the gateway's clock right?)"

// judge converts an answer of AWS to a result. For a code that is not in the table the HTTP status decides: 408, 425,
// 429 and 5xx are retried, any other 4xx waits for the operator, and everything else is retried.
func judge(code, text string, status int) sinks.Result {
	// AWS explains a wrong signature by repeating the request's headers, session token included.
	text, _, _ = strings.Cut(text, "The Canonical String")
	r, known := find(code, text)
	switch {
	case known && r.clock:
		return sinks.Failed(r.outcome, sinks.CodeClock, code+": "+strings.TrimSpace(text)+clockHint)
	case known:
		return sinks.Failed(r.outcome, code, text)
	case status >= 400 && status < 500 && !passes(status):
		return sinks.Failed(sinks.Wait, code, text)
	default:
		return sinks.Failed(sinks.Retry, code, text)
	}
}

// passes reports whether a 4xx status is no fault of the request itself: the request took too long, came too early, or
// was one of too many.
func passes(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests
}

// codeStatus is the begin of the code of an answer without a code of AWS: "HTTP 403".
const codeStatus = "HTTP "

// foreign is the result of an answer that is not AWS's: status, the first words of its body, and its probable sender.
func foreign(err error, status int) sinks.Result {
	text := fmt.Sprintf("HTTP status %d %s, and no answer of AWS in it", status, http.StatusText(status))
	if words := firstWords(err); words != "" {
		text += ": \"" + words + "\""
	}
	text += " (does a captive portal or a proxy answer, or is the endpoint not AWS?)"
	return judge(codeStatus+strconv.Itoa(status), text, status)
}

// mostWords is how much of a foreign answer is shown, in bytes.
const mostWords = 120

// firstWords returns the begin of a refusal's body without HTML; "" if the body was empty, or was not kept.
func firstWords(err error) string {
	var re *smithyhttp.ResponseError
	if !errors.As(err, &re) || re.Response == nil || re.Response.Response == nil {
		return ""
	}
	body, ok := re.Response.Body.(*refusalBody)
	if !ok {
		return ""
	}
	return sinks.Clean(withoutTags(string(body.head)), mostWords)
}

// withoutTags returns the text of HTML, exact enough for its first words.
func withoutTags(html string) string {
	var out strings.Builder
	for html != "" {
		text, rest, tagged := strings.Cut(html, "<")
		out.WriteString(text + " ")
		if !tagged {
			break
		}
		tag, after, _ := strings.Cut(rest, ">")
		html = after
		for _, silent := range []string{"style", "script"} {
			if strings.HasPrefix(strings.ToLower(tag), silent) {
				_, html, _ = strings.Cut(after, "</")
				html = "</" + html
			}
		}
	}
	return out.String()
}

// unexplained reports whether the SDK has found no error of AWS in an answer.
func unexplained(api smithy.APIError) bool {
	const unknown = "UnknownError" // of the SDK
	code, text := api.ErrorCode(), api.ErrorMessage()
	return (code == "" || code == unknown) && (text == "" || text == unknown)
}

// classify turns the error of a whole request into a result.
func classify(ctx context.Context, err error) sinks.Result {
	var api smithy.APIError
	status := httpStatus(err)
	if errors.As(err, &api) && unexplained(api) && status != 0 {
		return withAfter(foreign(err, status), err)
	}
	if errors.As(err, &api) {
		return withAfter(judge(api.ErrorCode(), api.ErrorMessage(), status), err)
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if fault, ok := sinks.ProxyFault(err); ok {
		return fault
	}
	var (
		cert  x509.CertificateInvalidError
		proxy *sinks.ProxyRefusal
	)
	switch {
	case errors.As(err, &cert) && cert.Reason == x509.Expired:
		return sinks.Failed(sinks.Retry, sinks.CodeClock, cert.Error()+clockHint)
	case errors.As(err, &proxy):
		return sinks.Failed(sinks.Retry, sinks.CodeNetwork, proxy.Error())
	}
	if text := networkText(err); text != "" {
		return sinks.Failed(sinks.Retry, sinks.CodeNetwork, text)
	}
	if status != 0 {
		return withAfter(foreign(err, status), err)
	}
	// such an error does not end without an operator
	return sinks.Failed(sinks.Wait, codeSetting, "no request was sent: "+innermost(err).Error())
}

// codeSetting is the code if the SDK sends no request because of its settings.
const codeSetting = "EndpointError"

// withAfter adds the wait that the answer asks for.
func withAfter(r sinks.Result, err error) sinks.Result {
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) && re.Response != nil && r.Outcome != sinks.Reject {
		r.After = sinks.RetryAfter(re.Response.Header)
	}
	return r
}

func ended(ctx context.Context) sinks.Result {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return sinks.Failed(sinks.Retry, sinks.CodeTimeout, "no answer of SNS in time")
	}
	return sinks.Failed(sinks.Retry, sinks.CodeCanceled, "ended before SNS had answered")
}

func httpStatus(err error) int {
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) {
		return re.HTTPStatusCode()
	}
	return 0
}

// networkText returns the error of the network, without the texts that SDK and HTTP client put around it; "" if err is
// not of the network.
func networkText(err error) string {
	var (
		op   *net.OpError
		dns  *net.DNSError
		ue   *url.Error
		send *smithyhttp.RequestSendError
		late net.Error
	)
	switch {
	case errors.As(err, &op):
		return sinks.NetworkText(op)
	case errors.As(err, &dns):
		return dns.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer was complete"
	case errors.As(err, &ue):
		return ue.Err.Error()
	case errors.As(err, &send):
		return send.Err.Error()
	case errors.As(err, &late) && late.Timeout():
		return "the answer was not complete in time"
	default:
		return ""
	}
}

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
