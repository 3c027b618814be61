package pubsub

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"noi-agent/sinks"
)

// tokenTimeout bounds one question to a token service.
const tokenTimeout = 30 * time.Second

// maxRefusal is how much of a refusal is read, in bytes. Google's have some 200.
const maxRefusal = 8 << 10

// tokenService is the way to whoever gives out tokens. It remembers the last refusal, because the
// library turns most of them into a text, body and all, and a body may hold what is not to be shown.
type tokenService struct {
	next http.RoundTripper

	mu     sync.Mutex // guards what follows
	status int        // HTTP status of the last refusal; 0 for none
	body   []byte
}

// newTokenService asks over connections that are not kept: a token lasts an hour.
func newTokenService() *tokenService {
	return &tokenService{next: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		DisableKeepAlives:   true,
	}}
}

func (s *tokenService) client() *http.Client {
	return &http.Client{Transport: s, Timeout: tokenTimeout}
}

// RoundTrip is part of http.RoundTripper.
func (s *tokenService) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err != nil || resp.StatusCode < http.StatusMultipleChoices {
		s.note(0, nil)
		return resp, err
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	_ = resp.Body.Close() // what follows is not wanted
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", r.URL.Host, err)
	}
	s.note(resp.StatusCode, head)
	resp.Body = io.NopCloser(bytes.NewReader(head))
	return resp, nil
}

func (s *tokenService) note(status int, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body = status, body
}

func (s *tokenService) refused() (status int, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.body
}

// token asks for a token, which is usually at hand; ok is false when there is none, and fault says
// why. A service that cannot be reached or is not well is worth another try soon, one that
// refuses waits for the operator.
func (t *tokens) token(ctx context.Context) (fault sinks.Result, ok bool) {
	t.service.note(0, nil)
	_, err := t.creds.Token(ctx)
	if err == nil {
		return sinks.Result{}, true
	}
	var (
		netErr net.Error
		urlErr *url.Error
	)
	status, body := t.service.refused()
	switch {
	case ctx.Err() != nil:
		return ended(ctx), false
	case status != 0:
		return refusal(t.from, status, body), false
	case errors.As(err, &urlErr):
		return sinks.Failed(sinks.Retry, sinks.CodeNetwork, "token service: "+bareText(urlErr.Err)), false
	case errors.As(err, &netErr):
		return sinks.Failed(sinks.Retry, sinks.CodeNetwork, "token service: "+bareText(netErr)), false
	default:
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials, "token of "+t.from+": "+scrub(err.Error())), false
	}
}

// scrub keeps out what the command of an external account has printed: the token itself.
func scrub(text string) string {
	before, _, printed := strings.Cut(text, "unable to parse")
	if printed {
		return before + "its command did not print the JSON that is expected of it"
	}
	return strings.TrimPrefix(text, "credentials: ")
}

// refusal quotes the fields that are meant for telling and nothing else of an answer.
func refusal(from string, status int, body []byte) sinks.Result {
	code, text := explanation(body)
	if code == "" {
		code, text = sinks.CodeCredentials, fmt.Sprintf("HTTP status %d of the token service", status)
	}
	if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		return sinks.Failed(sinks.Retry, code, text)
	}
	text += " (" + from + ")"
	if strings.Contains(text, "reasonable timeframe") {
		text += clockHint
	}
	return sinks.Failed(sinks.Wait, code, text)
}

// explanation reads the two shapes of a refusal: OAuth's (RFC 6749 §5.2), and that of Google's
// own services, which impersonation asks.
func explanation(body []byte) (code, text string) {
	var oauth struct {
		Code string `json:"error"`
		Text string `json:"error_description"`
	}
	if json.Unmarshal(body, &oauth) == nil {
		return oauth.Code, oauth.Text
	}
	var google struct {
		Error struct {
			Code string `json:"status"`
			Text string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &google) == nil {
		return google.Error.Code, google.Error.Text
	}
	return "", ""
}
