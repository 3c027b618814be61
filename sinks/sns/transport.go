package sns

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Bounds of a connection, for a cellular modem that may need seconds to wake its radio. The
// longest silence of a healthy link seen so far is below ten seconds.
const (
	dialTimeout   = 15 * time.Second
	tlsTimeout    = 15 * time.Second
	answerTimeout = 30 * time.Second // until the head of the answer
	idleTimeout   = 5 * time.Minute  // a sweep a minute finds the connection still open

	// The default of 15 s would send a probe four times a minute over a metered link.
	keepAlive = 2 * time.Minute
)

// newHTTPClient returns the client a sink keeps for its life, so that a connection outlives
// a change of credentials. It speaks HTTP/1.1: there a dead connection costs one answerTimeout
// and is gone, and SNS offers nothing that HTTP/2 would make cheaper. roots nil is the system's.
func newHTTPClient(roots *x509.CertPool) *http.Client {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: answerTimeout,
		IdleConnTimeout:       idleTimeout,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			RootCAs:    roots,
			// A resumed session saves the certificates, some 5 KB for each connection.
			ClientSessionCache: tls.NewLRUClientSessionCache(4),
		},
	}
	return &http.Client{
		Transport: ownBody{transport},
		// Only a captive portal redirects here, and it must not get the signed request.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ownBody gives the transport a copy of each request's body. The SDK closes its own as soon as
// the answer's head is there; when the service is quick, the transport then finds its last read
// of the body failed and throws the connection away, at the price of a TLS handshake. A copy can
// also be sent again by the transport itself where an idle connection turns out to be dead.
type ownBody struct{ next *http.Transport }

// RoundTrip is part of http.RoundTripper.
func (t ownBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return t.next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body) // at most maxBytes, form-encoded
	_ = r.Body.Close()              // read to its end, nothing left to go wrong
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	own := r.Clone(r.Context())
	own.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	own.Body = io.NopCloser(bytes.NewReader(body))
	return t.next.RoundTrip(own)
}

// CloseIdleConnections is called by the method of that name of http.Client.
func (t ownBody) CloseIdleConnections() { t.next.CloseIdleConnections() }
