package sns

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"noi-agent/sinks"
)

// A token service stops in the middle of its answer and keeps the connection open. The SDK continues the request
// after its caller has left, so only the timeout of the client ends it. This is a fault of the network, which no
// operator can correct.
func TestHalfAnAnswerOfATokenServiceEnds(t *testing.T) {
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<AssumeRole")
		w.(http.Flusher).Flush()
		<-gone
	}))
	defer server.Close()
	defer close(gone)
	loader := newLoader(sinks.Dialer{}, nil)
	if loader.GetTimeout() != loaderTimeout {
		t.Fatalf("the timeout of a request is %s, want %s", loader.GetTimeout(), loaderTimeout)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := loader.WithTimeout(50 * time.Millisecond).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(answer.Body)
	_ = answer.Body.Close() // the answer never ended
	if got := classify(t.Context(), err); err == nil || got.Outcome != sinks.Retry || got.Code != sinks.CodeNetwork {
		t.Errorf("%v: %s (%s)", err, got.Outcome, got.Error())
	}
}
