package sns

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"noi-agent/sinks"
)

// Limits in addition to those of sinks.Dialer.
const (
	answerTimeout = 30 * time.Second // until the head of the answer
	idleTimeout   = 5 * time.Minute  // a sweep a minute finds the connection still open
	mostIdle      = 64               // connections; as many requests may be under way (in_flight)

	// A request of ten messages has some 5,500 bytes. It is written at once.
	writeBuffer = 8 << 10

	// One request to a token service, with its answer. The SDK lets it continue after its caller has stopped waiting,
	// and makes every later caller wait for the same answer. Without a time limit, a request that hangs would block all
	// of them for ever.
	loaderTimeout = 30 * time.Second
)

// newTransport makes connections that are counted, bounded, and go through the proxy of the environment. roots nil is
// the system's. It speaks HTTP/1.1: with it a dead connection costs one answerTimeout and is then closed, and HTTP/2
// would save nothing with AWS.
func newTransport(d sinks.Dialer, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                  sinks.Proxy,
		OnProxyConnectResponse: sinks.CheckProxy,
		DialContext:            d.DialContext,
		TLSHandshakeTimeout:    sinks.ConnectTimeout,
		ResponseHeaderTimeout:  answerTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: sinks.MaxHeader,
		MaxIdleConnsPerHost:    mostIdle,
		WriteBufferSize:        writeBuffer,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			RootCAs:    roots,
			// A resumed session saves the certificates, some 5 KB for each connection.
			ClientSessionCache: tls.NewLRUClientSessionCache(4),
		},
	}
}

// newHTTPClient returns the client a sink keeps for its life, so that a connection outlives
// a change of credentials.
func newHTTPClient(d sinks.Dialer, roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: ownBody{newTransport(d, roots)}, CheckRedirect: stayHere}
}

// stayHere follows no redirect: only a captive portal sends one, and it must not get the signed request.
func stayHere(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// newLoader returns the client for token services. The SDK puts the certificates of AWS_CA_BUNDLE only into a client of
// this type. Connections are not kept, because a token lasts an hour.
func newLoader(d sinks.Dialer, roots *x509.CertPool) *awshttp.BuildableClient {
	d = d.Question()
	return awshttp.NewBuildableClient().WithTimeout(loaderTimeout).WithTransportOptions(func(t *http.Transport) {
		own := newTransport(d, roots)
		t.Proxy, t.OnProxyConnectResponse, t.DialContext = own.Proxy, own.OnProxyConnectResponse, own.DialContext
		t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = own.TLSHandshakeTimeout, own.ResponseHeaderTimeout
		t.MaxResponseHeaderBytes = own.MaxResponseHeaderBytes
		t.TLSClientConfig, t.ForceAttemptHTTP2, t.DisableKeepAlives = own.TLSClientConfig, false, true
	})
}

// ownBody gives the transport a copy of each request's body. The SDK closes its own body as soon as the answer's head
// arrives. If the service is quick, the transport's last read of the body then fails, and the transport closes the
// connection, which costs a TLS handshake. With a copy the transport can also send the request again if an idle
// connection is dead.
//
// It passes on a limited part of each answer, and keeps the begin of a refusal for its explanation.
type ownBody struct{ next *http.Transport }

// RoundTrip is part of http.RoundTripper.
func (t ownBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.GetBody != nil { // the body of a pattern's request is a copy already
		return t.answer(t.next.RoundTrip(r))
	}
	var sent bytes.Buffer // at most maxBytes, form-encoded
	sent.Grow(int(max(0, r.ContentLength)) + bytes.MinRead)
	_, err := sent.ReadFrom(r.Body)
	_ = r.Body.Close() // read to its end, nothing left to go wrong
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	body, own := sent.Bytes(), r.WithContext(r.Context()) // a copy; the transport changes no header of it
	own.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	own.Body = io.NopCloser(bytes.NewReader(body))
	return t.answer(t.next.RoundTrip(own))
}

func (ownBody) answer(resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return resp, err
	}
	resp.Body = sinks.BoundBody(resp.Body)
	if resp.StatusCode >= http.StatusMultipleChoices {
		resp.Body = &refusalBody{ReadCloser: resp.Body}
	}
	return resp, nil
}

// maxHead is how much of a refusal is kept, in bytes: the first lines of a page of HTML show what it is.
const maxHead = 2 << 10

// refusalBody is the body of a refusal that keeps its head.
type refusalBody struct {
	io.ReadCloser
	head []byte
}

// Read is part of io.Reader.
func (b *refusalBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.head = append(b.head, p[:min(n, maxHead-len(b.head))]...)
	return n, err
}

// CloseIdleConnections is called by the method of that name of http.Client.
func (t ownBody) CloseIdleConnections() { t.next.CloseIdleConnections() }

// ownTransport returns the transport of a client of our own; ok is false before there is one.
func (s *Sink) ownTransport() (t *http.Transport, ok bool) {
	if s.http == nil {
		return nil, false
	}
	own, ok := s.http.Transport.(ownBody)
	return own.next, ok
}
