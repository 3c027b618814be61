package pubsub

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	apiv1 "cloud.google.com/go/pubsub/v2/apiv1"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"noi-agent/sinks"
)

// googleEndpoint is where Pub/Sub lives.
const googleEndpoint = "pubsub.googleapis.com:443"

// Bounds of a connection beyond those of sinks.Dialer. A dead path shows there already, by what
// is not acknowledged; pings go out only while a request is under way, and not before this, as
// Google's servers end connections that ping more often.
const (
	pingAfter   = 5 * time.Minute
	pingTimeout = 30 * time.Second
)

// connect finds credentials and a connection; ok is false when there is none, and fault says
// why. It returns at once: the connection is made by the first request.
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
	if s.client != nil {
		return sinks.Result{}, true
	}
	client, err := s.dial(ctx, host, plain)
	if err != nil {
		return sinks.Failed(sinks.Wait, "EndpointError", fmt.Sprintf("endpoint %s: %v", host, err)), false
	}
	s.client = client
	s.log.Debug("Pub/Sub client made", "topic", s.topic, "endpoint", host, "plaintext", plain)
	return sinks.Result{}, true
}

// authenticate sees to it that there is a token for the next request. Asking here and not in
// the request tells a token service that is out of reach from one that refuses us, which gRPC
// calls Unauthenticated both.
func (s *Sink) authenticate(ctx context.Context) (fault sinks.Result, ok bool) {
	if s.creds == nil {
		creds, fault, ok := findCredentials(s.o)
		if !ok {
			return fault, false
		}
		s.creds = creds
		s.log.Debug("Google credentials read", "topic", s.topic, "from", creds.from)
	}
	if fault, ok := s.creds.token(ctx); !ok {
		s.forget(fault)
		return fault, false
	}
	return sinks.Result{}, true
}

// dial makes a client over a connection of our own. The library would make one too, but with
// telemetry, with reconnections of its own pace, and in plaintext whenever PUBSUB_EMULATOR_HOST
// is set, whatever the endpoint.
func (s *Sink) dial(ctx context.Context, host string, plain bool) (*apiv1.TopicAdminClient, error) {
	opts := []grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: sinks.ConnectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithDisableServiceConfig(), // no look-up of TXT records, and no retries by their order
		grpc.WithDisableRetry(),
		grpc.WithContextDialer(s.o.dialer().DialTunnel),
	}
	if plain {
		opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	} else {
		roots, err := sinks.Roots(s.o.CAFile)
		if err != nil {
			return nil, err
		}
		opts = append(opts, grpc.WithPerRPCCredentials(s.creds), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS12,
			RootCAs:    roots,
			// A resumed session saves the certificates, some 5 KB for each connection.
			ClientSessionCache: s.sessions,
		})))
	}
	// passthrough leaves the name to the dialer, or to the proxy.
	conn, err := grpc.NewClient("passthrough:///"+host, opts...)
	if err != nil {
		return nil, fmt.Errorf("make a gRPC client: %w", err)
	}
	client, err := apiv1.NewTopicAdminClient(ctx, option.WithGRPCConn(conn))
	if err != nil {
		_ = conn.Close() // the error told is the one that matters
		return nil, fmt.Errorf("make a Pub/Sub client: %w", err)
	}
	// The options of the library are a timeout, which ctx is better at, and a retry of every
	// failure until ctx ends. None of them is wanted.
	client.CallOptions.Publish = nil
	return client, nil
}

// forget drops what may have caused a fault. A connection that did not bring an answer is made
// anew by the next attempt, and not before: left alone, gRPC would knock on its own all through
// an outage, or sit out a backoff of its own after it. Credentials are read again when they
// were refused.
func (s *Sink) forget(fault sinks.Result) {
	switch {
	case fault.Outcome == sinks.Wait:
		s.creds = nil
		s.hangUp()
	case noAnswer(fault.Code) || fault.Code == sinks.CodeClock:
		s.hangUp()
	}
}

func (s *Sink) hangUp() {
	if s.client == nil {
		return
	}
	if err := s.client.Close(); err != nil {
		s.log.Debug("close Pub/Sub client", "topic", s.topic, "err", err)
	}
	s.client = nil
}

// target returns the address to dial and whether it is spoken to in plaintext and without
// credentials: on loopback, for http://, and for whatever PUBSUB_EMULATOR_HOST names.
func target(endpoint, emulator string) (host string, plain bool) {
	switch {
	case endpoint != "":
		host = endpoint
	case emulator != "":
		host, plain = emulator, true
	default:
		return googleEndpoint, false
	}
	port := "443"
	if rest, ok := strings.CutPrefix(host, "http://"); ok {
		host, plain, port = rest, true, "80"
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "https://"), "/")
	name, _, err := net.SplitHostPort(host)
	if err != nil { // no port
		name = strings.Trim(host, "[]")
		host = net.JoinHostPort(name, port)
	}
	ip := net.ParseIP(name)
	if !strings.HasPrefix(endpoint, "https://") && (name == "localhost" || ip != nil && ip.IsLoopback()) {
		plain = true
	}
	return host, plain
}
