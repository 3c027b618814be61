package status

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestErrorsOfABodyHaveNoAddresses: a client reads the limit or the reason, and no words of Go.
func TestErrorsOfABodyHaveNoAddresses(t *testing.T) {
	_, large := io.ReadAll(http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("12345")), 4))
	slow := &net.OpError{Op: "read", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8780}, Err: os.ErrDeadlineExceeded}
	for want, err := range map[string]error{
		"the body is larger than 4 bytes": large, "the body did not arrive in time": slow, "the body ends too early": io.ErrUnexpectedEOF,
	} {
		for _, err := range []error{err, fmt.Errorf("read: %w", err)} {
			if got := (&bodyError{err}).Error(); got != want {
				t.Errorf("%v: the text is %q, want %q", err, got, want)
			}
		}
	}
}
