package pubsub

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
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

// tokenTimeout limits one request to a token service.
const tokenTimeout = 30 * time.Second

// maxRefusal is how many bytes of a refusal are read. Google's refusals have about 200.
const maxRefusal = 8 << 10

// tokenService is the connection to the service that gives tokens. It keeps the last refusal itself, because the
// library turns most refusals into a text with the whole body, and a body may have secrets.
type tokenService struct {
	next http.RoundTripper

	mu     sync.Mutex // guards the fields below
	status int        // HTTP status of the last refusal; 0 for none
	body   []byte
	after  time.Duration // requested wait; 0: none
}

// newTokenService uses connections that are not kept, because a token lasts an hour.
func newTokenService(o Options) (*tokenService, error) {
	roots, err := sinks.Roots(o.CAFile)
	if err != nil {
		return nil, err
	}
	return &tokenService{next: &http.Transport{
		Proxy:                  sinks.Proxy,
		OnProxyConnectResponse: sinks.CheckProxy,
		DialContext:            o.dialer().Question().DialContext,
		MaxResponseHeaderBytes: sinks.MaxHeader,
		TLSHandshakeTimeout:    sinks.ConnectTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		DisableKeepAlives:      true,
	}}, nil
}

// client follows no redirect: only a captive portal sends one, and it must not get the subject token.
func (s *tokenService) client() *http.Client {
	return &http.Client{
		Transport: s, Timeout: tokenTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RoundTrip is part of http.RoundTripper.
func (s *tokenService) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err != nil {
		s.note(0, nil, 0)
		return resp, err
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		s.note(0, nil, 0)
		resp.Body = sinks.BoundBody(resp.Body)
		return resp, nil
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	_ = resp.Body.Close() // the rest is not needed
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", r.URL.Host, err)
	}
	s.note(resp.StatusCode, head, sinks.RetryAfter(resp.Header))
	resp.Body = io.NopCloser(bytes.NewReader(head))
	return resp, nil
}

func (s *tokenService) note(status int, body []byte, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body, s.after = status, body, after
}

func (s *tokenService) refused() (status int, body []byte, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.body, s.after
}

// token gets a token, usually from memory. ok is false if there is none; fault has the reason. If the service cannot be
// reached or fails, the outcome is Retry; if it refuses, Wait.
func (t *tokens) token(ctx context.Context) (fault sinks.Result, ok bool) {
	t.service.note(0, nil, 0)
	_, err := t.creds.Token(ctx)
	if err == nil {
		return sinks.Result{}, true
	}
	var (
		netErr net.Error
		urlErr *url.Error
		cert   x509.CertificateInvalidError
	)
	proxy, proxied := sinks.ProxyFault(err)
	status, body, after := t.service.refused()
	switch {
	case ctx.Err() != nil:
		return ended(ctx), false
	case status != 0:
		fault = refusal(t.from, status, body)
		fault.After = after
		return fault, false
	case errors.As(err, &cert) && cert.Reason == x509.Expired:
		return sinks.Failed(sinks.Retry, sinks.CodeClock, "token service: "+cert.Error()+clockHint), false
	case proxied:
		return proxy, false
	case errors.Is(err, errDevice):
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials, t.from+": "+deviceText(err)), false
	case refusesDevice(err) && t.certified:
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials,
			t.from+": the token service refuses the certificate of the device: "+remoteText(err)), false
	case errors.As(err, &urlErr):
		return sinks.Failed(sinks.Retry, sinks.CodeNetwork, "token service: "+sinks.NetworkText(urlErr.Err)), false
	case errors.As(err, &netErr):
		return sinks.Failed(sinks.Retry, sinks.CodeNetwork, "token service: "+sinks.NetworkText(netErr)), false
	default:
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials, "token of "+t.from+": "+scrub(err.Error())), false
	}
}

// refusesDevice reports whether the server has ended the TLS handshake, as it does if it does not accept the
// certificate.
func refusesDevice(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

func remoteText(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}

// deviceText returns the fault of a device's certificate, without the steps that found it.
func deviceText(err error) string {
	text := err.Error()
	if at := strings.LastIndex(text, errDevice.Error()); at > 0 {
		text = text[at:]
	}
	return text
}

// scrub removes the output of the command of an external account, because it is the token itself.
func scrub(text string) string {
	before, _, printed := strings.Cut(text, "unable to parse")
	if printed {
		return before + "its command did not print the JSON that is expected of it"
	}
	return strings.TrimPrefix(text, "credentials: ")
}

// refusal quotes only the fields of an answer that are meant for people.
func refusal(from string, status int, body []byte) sinks.Result {
	code, text := explanation(body)
	if code == "" {
		code, text = sinks.CodeCredentials, fmt.Sprintf("HTTP status %d of the token service", status)
	}
	if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		return sinks.Failed(sinks.Retry, code, text)
	}
	text += " (" + from + ")"
	if strings.Contains(text, "reasonable timeframe") { // Google's words for a token signed at a wrong time
		return sinks.Failed(sinks.Retry, sinks.CodeClock, code+": "+text+clockHint)
	}
	return sinks.Failed(sinks.Wait, code, text)
}

// explanation reads the two forms of a refusal: that of OAuth (RFC 6749 §5.2), and that of Google's own services,
// which impersonation uses.
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
