package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"noi-agent/status/api"
)

// decodeStrictly reads one JSON object with known keys only.
func decodeStrictly(body io.Reader, into any, example string) error {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return &bodyError{err}
		}
		return fmt.Errorf("want %s: %w", example, &bodyError{err})
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return errors.New("want one JSON object and nothing behind it")
	}
	return nil
}

// badBody is the answer to a body that cannot be used: 413 if it is too large, 408 if it did not arrive in time
// (RFC 9110 §15.5.9), otherwise 400.
func badBody(err error) *api.Error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return api.NewError(http.StatusRequestEntityTooLarge, err.Error(), "")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return api.NewError(http.StatusRequestTimeout, err.Error(), "send the request again, the whole body at once")
	default:
		return api.NewError(http.StatusBadRequest, err.Error(), "")
	}
}

// bodyError is an error of a body whose text uses the words of JSON and HTTP, not of Go.
type bodyError struct{ err error }

func (e *bodyError) Unwrap() error { return e.err }

func (e *bodyError) Error() string {
	var kind *json.UnmarshalTypeError
	var tooLarge *http.MaxBytesError
	text := e.err.Error()
	switch {
	case errors.As(e.err, &tooLarge):
		return fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(e.err, os.ErrDeadlineExceeded):
		return "the body did not arrive in time"
	case errors.Is(e.err, io.EOF):
		return "the body is empty"
	case errors.Is(e.err, io.ErrUnexpectedEOF):
		return "the body ends too early"
	case errors.As(e.err, &kind) && kind.Field == "":
		return "the body is " + kind.Value + ", not an object"
	case errors.As(e.err, &kind):
		return fmt.Sprintf("%s: %s does not fit here", kind.Field, kind.Value)
	case strings.HasPrefix(text, "json: unknown field "):
		return "unknown key " + strings.TrimPrefix(text, "json: unknown field ")
	default:
		return text
	}
}
