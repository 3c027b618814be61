package pubsub

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // unpacks answers
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"noi-agent/sinks"
)

// googleEndpoint is the address of Pub/Sub.
const googleEndpoint = "pubsub.googleapis.com:443"

// Limits of a connection in addition to those of sinks.Dialer, which already ends a connection with data that is not
// acknowledged. Pings are sent only while a request runs, and not more often than this, because Google's servers end
// connections that ping more often.
const (
	pingAfter   = 5 * time.Minute
	pingTimeout = 30 * time.Second
)

// bufferSize is the size of a connection's buffers, in bytes: a packed request of a sweep has 2,500. gRPC's own
// buffers have 32 kB.
const bufferSize = 4 << 10

// windowSize is the number of bytes that may arrive before they are read: the default of HTTP/2. gRPC would measure
// the link to choose a larger number, with a ping for each answer. An answer to 1,000 messages has about 20,000
// bytes.
const windowSize = 64<<10 - 1

// connected returns the connection, with a token that is valid now. nil: there is none; fault has the reason.
func (s *Sink) connected(ctx context.Context) (conn *grpc.ClientConn, fault sinks.Result) {
	if !s.takeTurn(ctx) {
		return nil, sinks.Failed(sinks.Retry, sinks.CodeTimeout, "no token in time")
	}
	defer s.giveTurn()
	if fault, ok := s.connect(ctx); !ok {
		return nil, fault
	}
	return s.conn, sinks.Result{}
}

// takeTurn waits for the one place of turn; false when ctx ends before.
func (s *Sink) takeTurn(ctx context.Context) bool {
	select {
	case s.turn <- struct{}{}:
		return true
	default:
	}
	select {
	case s.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Sink) giveTurn() { <-s.turn }

// giveUp forgets a connection after a fault, except if another request has replaced it already.
func (s *Sink) giveUp(ctx context.Context, conn *grpc.ClientConn, fault sinks.Result) {
	if !s.takeTurn(ctx) {
		return // another request asks for a token, and learns the same
	}
	defer s.giveTurn()
	if s.conn == conn {
		s.forget(fault)
	}
}

// connect finds credentials and prepares a connection. ok is false without credentials; fault has the reason. It
// returns at once, because the first request makes the connection.
func (s *Sink) connect(ctx context.Context) (fault sinks.Result, ok bool) {
	if s.closed {
		return sinks.Failed(sinks.Retry, sinks.CodeClosed, "the sink was closed"), false
	}
	host, plain := target(s.o.Endpoint, os.Getenv("PUBSUB_EMULATOR_HOST"))
	if !plain {
		if fault, ok := s.authenticate(ctx); !ok {
			return fault, false
		}
	}
	if s.conn != nil {
		return sinks.Result{}, true
	}
	conn, err := s.dial(host, plain)
	if err != nil {
		return sinks.Failed(sinks.Wait, "EndpointError", fmt.Sprintf("endpoint %s: %v", host, err)), false
	}
	s.conn = conn
	s.log.Debug("Pub/Sub client made", "topic", s.topic, "endpoint", host, "plaintext", plain)
	return sinks.Result{}, true
}

// authenticate gets a token for the next request, if needed. It does this before the request to distinguish a token
// service that is out of reach from one that refuses: gRPC reports both as Unauthenticated.
func (s *Sink) authenticate(ctx context.Context) (fault sinks.Result, ok bool) {
	if s.creds == nil {
		creds, fault, ok := findCredentials(s.o)
		if !ok {
			return fault, false
		}
		s.creds, s.who = creds, creds.who
		s.log.Debug("Google credentials read", "topic", s.topic, "from", creds.from)
	}
	if fault, ok := s.creds.token(ctx); !ok {
		s.forget(fault)
		return fault, false
	}
	return sinks.Result{}, true
}

// dial makes our own connection. It opens with the first request. A connection of the library would have telemetry,
// would connect again at its own times, and would use plain text for every endpoint if PUBSUB_EMULATOR_HOST is set.
func (s *Sink) dial(host string, plain bool) (*grpc.ClientConn, error) {
	opts := []grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig,
			MinConnectTimeout: sinks.ConnectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithDisableServiceConfig(), // no look-up of TXT records, and no retries because of them
		grpc.WithDisableRetry(),
		grpc.WithContextDialer(s.tunnel),
		//lint:ignore SA1019 a registered compressor would be one for the whole process, made by init
		grpc.WithCompressor(packed{}),
		grpc.WithReadBufferSize(bufferSize),
		grpc.WithWriteBufferSize(bufferSize),
		grpc.WithInitialWindowSize(windowSize),
		grpc.WithMaxHeaderListSize(sinks.MaxHeader),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(sinks.MaxAnswer), // unpacked
			grpc.UseCompressor(encoding.Identity)), // only publish sends compressed data
	}
	if plain {
		opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	} else {
		roots, err := sinks.Roots(s.o.CAFile)
		if err != nil {
			return nil, err
		}
		opts = append(opts, grpc.WithPerRPCCredentials(s.creds),
			grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
				MinVersion: tls.VersionTLS12,
				RootCAs:    roots,
				// A resumed session saves the certificates, about 5 KB for each connection.
				ClientSessionCache: s.sessions,
			})))
	}
	// passthrough leaves the name to the dialer, or to the proxy.
	conn, err := grpc.NewClient("passthrough:///"+host, opts...)
	if err != nil {
		return nil, fmt.Errorf("make a gRPC client: %w", err)
	}
	return conn, nil
}

// tunnel is DialTunnel, and keeps the error of the proxy, because gRPC keeps only the text of an error.
func (s *Sink) tunnel(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := s.o.dialer().DialTunnel(ctx, addr)
	fault, _ := sinks.ProxyFault(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proxy = fault
	return conn, err
}

// classify turns the error of a request into a result.
func (s *Sink) classify(ctx context.Context, err error) sinks.Result {
	s.mu.Lock()
	proxy := s.proxy
	s.mu.Unlock()
	if ctx.Err() == nil && status.Code(err) == codes.Unavailable && proxy.Outcome != 0 {
		return proxy
	}
	return classify(ctx, err)
}

// publish calls the same method of the service as the service's own client (pubsub/v2/apiv1). That client adds retries
// and a timeout, which we do not want, telemetry, and 2.8 MB of binary. Of its additions only the header by which
// Google routes a request is needed. A small request is not compressed.
func (s *Sink) publish(ctx context.Context, conn *grpc.ClientConn, r *room) (*pubsubpb.PublishResponse, error) {
	options := []grpc.CallOption{grpc.ForceCodecV2(codec{encoding.GetCodecV2(codecName)})}
	body := r.plain
	if !r.small() {
		r.packed = s.o.Packer.Pack(r.packed[:0], r.plain)
		body, options = r.packed, append(options, grpc.UseCompressor("")) // the connection's
	}
	out := new(pubsubpb.PublishResponse)
	err := conn.Invoke(routed(ctx, "topic", s.topic), pubsubpb.Publisher_Publish_FullMethodName, body, out, options...)
	return out, err
}

// routed adds the routing header, as the service's annotations require (AIP-4222): the field of the request that
// names the resource, and its value.
func routed(ctx context.Context, field, resource string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-goog-request-params", field+"="+url.QueryEscape(resource))
}

// forget drops what may have caused a fault. After a connection without an answer, the next attempt makes a new one,
// and not earlier: gRPC itself would try to connect during the whole outage, or would wait for its own backoff after
// it. Credentials are read again if they were refused or had expired.
func (s *Sink) forget(fault sinks.Result) {
	switch {
	case fault.Outcome == sinks.Wait || fault.Code == codes.Unauthenticated.String():
		s.creds = nil
		s.hangUp()
	case noAnswer(fault.Code) || fault.Code == sinks.CodeClock:
		s.hangUp()
	}
}

func (s *Sink) hangUp() {
	if s.conn == nil {
		return
	}
	if err := s.conn.Close(); err != nil {
		s.log.Debug("close Pub/Sub client", "topic", s.topic, "err", err)
	}
	s.conn = nil
}

// target returns the address to dial. plain: plain text without credentials, for loopback, http:// and the address of
// PUBSUB_EMULATOR_HOST.
func target(endpoint, emulator string) (host string, plain bool) {
	switch {
	case endpoint != "":
		host = endpoint
	case emulator != "":
		host, plain = emulator, true
	default:
		return googleEndpoint, false
	}
	port, secured := "443", false
	if scheme, rest, ok := strings.Cut(host, "://"); ok { // a scheme is the same in capitals (RFC 3986 §3.1)
		host, secured = rest, strings.EqualFold(scheme, "https")
		if !secured {
			plain, port = true, "80"
		}
	}
	host = strings.TrimSuffix(host, "/")
	name, _, err := net.SplitHostPort(host)
	if err != nil { // no port
		name = strings.Trim(host, "[]")
		host = net.JoinHostPort(name, port)
	}
	ip := net.ParseIP(name)
	if !secured && (name == "localhost" || ip != nil && ip.IsLoopback()) {
		plain = true
	}
	return host, plain
}
