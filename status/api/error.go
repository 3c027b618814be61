package api

import (
	"fmt"
	"net/http"
	"strings"
)

// ErrorPrefix is the first part of the type of each Error. The code of the error follows it.
const ErrorPrefix = "urn:noi-agent:problem:"

// Error is an answer that is an error, as application/problem+json (RFC 9457). It implements error, so that the code
// behind a handler can choose the answer.
type Error struct {
	Type  string `json:"type"`  // ErrorPrefix and a code
	Title string `json:"title"` // the same for all errors of this code
	// HTTP status, 400 to 599; left out by the command line if no daemon answered
	Status int          `json:"status,omitempty"`
	Detail string       `json:"detail"` // the reason in this case
	Hint   string       `json:"hint,omitempty"`
	Errors []FieldError `json:"errors,omitempty"` // one for each wrong field of a body

	// seconds until the client may try again, as in the header Retry-After; 0: left out
	RetryAfterS int `json:"retry_after_s,omitempty"`
}

// FieldError is an error of one field of a body.
type FieldError struct {
	Pointer string `json:"pointer"` // JSON pointer as a fragment: "#/topic_arn"; "#" is the whole body
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	Hint    string `json:"hint,omitempty"`
}

// NewError returns an error with an HTTP status, and the usual code and title of this status. hint may be "".
func NewError(status int, detail, hint string) *Error {
	code, title := usualCode(status)
	return &Error{Type: ErrorPrefix + code, Title: title, Status: status, Detail: detail, Hint: hint}
}

// Code returns the last part of the type.
func (e *Error) Code() string { return strings.TrimPrefix(e.Type, ErrorPrefix) }

// Error returns the detail, followed by a line for each wrong field.
func (e *Error) Error() string {
	text := e.Detail
	for _, f := range e.Errors {
		text += fmt.Sprintf("\n%s: %s", strings.TrimPrefix(strings.TrimPrefix(f.Pointer, "#"), "/"), f.Detail)
	}
	return text
}

// usualCode returns the code and the title of a status, for a cause without its own code.
func usualCode(status int) (code, title string) {
	switch status {
	case http.StatusBadRequest:
		return "bad_request", "The request cannot be read"
	case http.StatusUnauthorized:
		return "login_needed", "Log in to change things"
	case http.StatusForbidden:
		return "forbidden", "The request is refused"
	case http.StatusNotFound:
		return "not_found", "There is no such thing"
	case http.StatusMethodNotAllowed:
		return "method_not_allowed", "This method does not work here"
	case http.StatusRequestTimeout:
		return "too_slow", "The request did not arrive in time"
	case http.StatusConflict:
		return "conflict", "The request conflicts with what is there"
	case http.StatusPreconditionFailed:
		return "stale", "It was changed by another"
	case http.StatusRequestEntityTooLarge:
		return "too_large", "The body is too large"
	case http.StatusUnsupportedMediaType:
		return "content_type", "The content type is wrong"
	case http.StatusMisdirectedRequest:
		return "unknown_host", "This host name is not known"
	case http.StatusUnprocessableEntity:
		return "validation", "The values cannot be used"
	case http.StatusPreconditionRequired:
		return "if_match_needed", "The version to change is needed"
	case http.StatusTooManyRequests:
		return "too_many_tries", "Too many tries"
	case http.StatusServiceUnavailable:
		return "unavailable", "The agent cannot do this now"
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return "no_reply", "The controller gave no usable reply"
	default:
		return "failed", "The agent failed"
	}
}
