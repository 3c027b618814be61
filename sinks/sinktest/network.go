package sinktest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest/standin"
)

// Place is where and how a sink reaches its cloud.
type Place struct {
	Host     string        // host:port
	TLS      bool          // with TLS, and so with credentials
	CAFile   string        // the authority of the cloud's certificate; "": a certificate of no trusted authority
	Resolver *net.Resolver // to be used by the sink; nil: the system's
	Meter    *sinks.Meter  // to be used by the sink; nil: none
	Logger   *slog.Logger  // to be used by the sink
}

// Site is a cloud, and a function that makes sinks which reach it at a Place.
type Site struct {
	Cloud   Cloud
	Addr    string // where it listens, in plaintext
	New     func(t *testing.T, p Place) Sink
	Secrets []string // texts that must never be in a result or a log line
}

// RunNetwork tests the faults between a sink and its cloud: peers that do not answer, connections that break, answers
// that come too late, names that do not resolve, certificates, proxies. start makes a cloud and registers its
// cleanup. No byte leaves the machine.
func RunNetwork(t *testing.T, start func(t *testing.T) Site) {
	for _, c := range []struct {
		rule string
		try  func(t *testing.T, s *site)
	}{
		{"PeerThatSaysNothingEndsWithTheContext", silentPeer},
		{"ResetAfterAnyByteLosesNothing", reset},
		{"AnswerAfterTheCallerLeftIsNobodysAnswer", lateAnswer},
		{"NameThatDoesNotResolveIsRetry", noSuchName},
		{"NameServerThatSaysNothingEndsWithTheContext", silentNameServer},
		{"CertificateOfAnotherTimeIsTheClock", certificateTimes},
		{"CertificateOfAnotherHostIsRefused", wrongHost},
		{"CertificateOfAStrangerIsRefused", stranger},
		{"OldTLSIsRefused", oldTLS},
		{"CAFileThatCannotBeReadWaits", badCAFile},
		{"MeterCountsWhatTheSocketsSaw", metering},
		{"ProxyOfTheEnvironmentIsTaken", proxied},
		{"ProxyThatOnlySomebodyCanMendWaits", proxyWaits},
		{"ProxyThatRefusesIsNamedWithoutItsPassword", proxyRefuses},
		{"AttributeThatIsNotUTF8Arrives", notUTF8},
	} {
		t.Run(c.rule, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) })
			s := &site{Site: start(t)}
			c.try(t, s)
			s.checkSecrets(t)
			if s.said.Len() == 0 {
				t.Error("nothing was said: the rule did not listen")
			}
		})
	}
}

// site is a Site that records the output of its sinks.
type site struct {
	Site
	mu   sync.Mutex // guards said
	said bytes.Buffer
}

// Write is part of io.Writer: log lines and results.
func (s *site) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(p)
}

// sink makes a sink for a place. It logs everything, and is closed at the end.
func (s *site) sink(t *testing.T, p Place) Sink {
	t.Helper()
	p.Logger = slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
	sink := &listened{Sink: s.New(t, p), to: s}
	t.Cleanup(func() { _ = sink.Close() }) // a rule that tests Close calls it itself
	return sink
}

// listened records the results of a sink.
type listened struct {
	Sink
	to *site
}

// Publish is part of Sink.
func (l *listened) Publish(ctx context.Context, msgs []sinks.Message) []sinks.Result {
	results := l.Sink.Publish(ctx, msgs)
	for _, r := range results {
		_, _ = l.to.Write([]byte(r.Outcome.String() + " " + r.Error() + "\n")) // into memory
	}
	return results
}

func (s *site) checkSecrets(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.Secrets {
		if strings.Contains(s.said.String(), secret) {
			t.Errorf("a secret (%.4s…) is in:\n%s", secret, s.said.String())
		}
	}
}

// until publishes msgs again and again, like the forwarder, until all are accepted.
func until(t *testing.T, sink Sink, msgs []sinks.Message) {
	t.Helper()
	for tries := 0; len(msgs) > 0; tries++ {
		if tries > 20 {
			t.Fatalf("%d messages are not accepted after %d attempts", len(msgs), tries)
		}
		for _, r := range publish(t, sink, msgs) {
			if r.Outcome != sinks.Accepted {
				break
			}
			msgs = msgs[1:]
		}
	}
}

// eventually waits for a condition that only needs another goroutine to run.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(patience); !holds(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func silentPeer(t *testing.T, s *site) {
	front := StartFront(t, s.Addr, nil)
	sink := s.sink(t, Place{Host: front.Addr()})
	ctx, cancel := context.WithCancel(t.Context())
	front.Silence(cancel)
	want(t, publishCtx(ctx, t, sink, Messages(3)), sinks.Retry)
	wantTaken(t, s.Cloud, nil)
	front.Silence(nil)
	front.DropAll() // HTTP keeps a connection that was opened after its request had been abandoned
	until(t, sink, Messages(3))
	wantTaken(t, s.Cloud, Messages(3))
}

// reset breaks each connection after so many bytes from the cloud.
func reset(t *testing.T, s *site) {
	front := StartFront(t, s.Addr, nil)
	for cut := 0; cut < 700; cut += 35 {
		sink := s.sink(t, Place{Host: front.Addr()})
		msgs := Messages(3)
		for i := range msgs {
			msgs[i].Body = append([]byte(nil), msgs[i].Body...)
			msgs[i].SampleID += base64.RawURLEncoding.EncodeToString([]byte{byte(cut / 35)})
		}
		taken := len(s.Cloud.Messages())
		front.Cut(cut)
		results := publish(t, sink, msgs)
		for i, r := range results {
			if r.Outcome != sinks.Retry && r.Outcome != sinks.Accepted {
				t.Fatalf("cut after %d bytes, message %d: %s (%s)", cut, i, r.Outcome, r.Error())
			}
			if r.Outcome == sinks.Accepted && len(s.Cloud.Messages()) < taken+i+1 {
				t.Fatalf("cut after %d bytes: message %d is said to have arrived, and has not", cut, i)
			}
		}
		front.Cut(-1)
		until(t, sink, msgs)
		if err := sink.Close(); err != nil {
			t.Fatal(err)
		}
		got := s.Cloud.Messages()[taken:]
		if n := len(got); n < 3 || string(got[n-1].Body) != string(msgs[2].Body) {
			t.Fatalf("cut after %d bytes: the cloud has %d messages of 3", cut, n)
		}
	}
}

// lateAnswer makes the cloud accept the messages and answer after the caller has gone. The late answer must not be
// taken for the answer to the next window.
func lateAnswer(t *testing.T, s *site) {
	front := StartFront(t, s.Addr, nil)
	sink := s.sink(t, Place{Host: front.Addr()})
	msgs := Messages(5)
	until(t, sink, msgs[:1]) // the connection is open
	ctx, cancel := context.WithCancel(t.Context())
	s.Cloud.SetFault(func(standin.Request) *standin.Fault {
		front.Hold(cancel) // held back from now on: the answer
		return nil
	})
	want(t, publishCtx(ctx, t, sink, msgs[1:3]), sinks.Retry)
	s.Cloud.SetFault(nil)
	front.Hold(nil)
	until(t, sink, msgs[1:])
	got := s.Cloud.Messages()
	if n := len(got); n != 7 || string(got[n-1].Body) != string(msgs[4].Body) { // two of five arrived twice
		t.Errorf("the cloud has %d messages", n)
	}
}

// nameServer is a resolver whose only server is on loopback. It always answers "no such name", or does not answer.
func nameServer(t *testing.T, asked func(), answer bool) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return // closed
			}
			asked()
			if n > 12 && answer { // RFC 1035 §4.1.1: the same question, with QR set and RCODE 3
				buf[2], buf[3] = buf[2]|0x84, buf[3]&0xF0|3
				_, _ = server.WriteTo(buf[:n], from) // fails if the client has gone
			}
		}
	}()
	t.Cleanup(func() {
		_ = server.Close() // nothing to lose
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "udp", server.LocalAddr().String())
		if err == nil { // Go's resolver waits for its own five seconds, even when the caller has gone
			context.AfterFunc(ctx, func() { _ = conn.Close() }) // nothing to lose
		}
		return conn, err
	}}
}

func noSuchName(t *testing.T, s *site) {
	sink := s.sink(t, Place{Host: "cloud.invalid:8085", Resolver: nameServer(t, func() {}, true)})
	for range 2 {
		results := publish(t, sink, Messages(2))
		want(t, results, sinks.Retry)
		if !strings.Contains(results[0].Text, "lookup cloud.invalid") ||
			!strings.Contains(results[0].Text, "no such host") {
			t.Errorf("does not say that the name is not known: %s", results[0].Error())
		}
	}
	wantTaken(t, s.Cloud, nil)
}

func silentNameServer(t *testing.T, s *site) {
	ctx, cancel := context.WithCancel(t.Context())
	sink := s.sink(t, Place{Host: "cloud.invalid:8085", Resolver: nameServer(t, cancel, false)})
	want(t, publishCtx(ctx, t, sink, Messages(2)), sinks.Retry)
}

func certificateTimes(t *testing.T, s *site) {
	ca := NewAuthority(t)
	config := ServerConfig(ca.Good(t, "127.0.0.1"))
	now := config.Certificates
	front := StartFront(t, s.Addr, config)
	sink := s.sink(t, Place{Host: front.Addr(), TLS: true, CAFile: ca.File})
	for _, c := range []struct{ from, to time.Duration }{{-2 * time.Hour, -time.Hour}, {time.Hour, 2 * time.Hour}} {
		config.Certificates = []tls.Certificate{ca.Certificate(t, "127.0.0.1", c.from, c.to)}
		results := publish(t, sink, Messages(2))
		want(t, results, sinks.Retry)
		if results[0].Code != sinks.CodeClock ||
			!strings.Contains(results[0].Text, "x509: certificate has expired or is not yet valid") {
			t.Errorf("valid from %s to %s: %s", c.from, c.to, results[0].Error())
		}
	}
	wantTaken(t, s.Cloud, nil)
	config.Certificates = now // as after the clock was set
	until(t, sink, Messages(2))
	wantTaken(t, s.Cloud, Messages(2))
}

func wrongHost(t *testing.T, s *site) {
	ca := NewAuthority(t)
	front := StartFront(t, s.Addr, ServerConfig(ca.Good(t, "cloud.example")))
	refusesTLS(t, s, Place{Host: front.Addr(), TLS: true, CAFile: ca.File}, "x509: ")
}

func stranger(t *testing.T, s *site) {
	ca := NewAuthority(t)
	front := StartFront(t, s.Addr, ServerConfig(NewAuthority(t).Good(t, "127.0.0.1")))
	refusesTLS(t, s, Place{Host: front.Addr(), TLS: true, CAFile: ca.File}, "x509: ")
	refusesTLS(t, s, Place{Host: front.Addr(), TLS: true}, "x509: ")
}

func oldTLS(t *testing.T, s *site) {
	ca := NewAuthority(t)
	config := ServerConfig(ca.Good(t, "127.0.0.1"))
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	front := StartFront(t, s.Addr, config)
	place := Place{Host: front.Addr(), TLS: true, CAFile: ca.File}
	refusesTLS(t, s, place, "protocol version")
	config.MaxVersion = tls.VersionTLS12
	until(t, s.sink(t, place), Messages(2)) // the oldest allowed version
	wantTaken(t, s.Cloud, Messages(2))
}

// refusesTLS fails unless the sink stops at the certificate and reports it, and does not report a fault of the clock.
func refusesTLS(t *testing.T, s *site, p Place, text string) {
	t.Helper()
	results := publish(t, s.sink(t, p), Messages(2))
	want(t, results, sinks.Retry)
	if results[0].Code == sinks.CodeClock || !strings.Contains(results[0].Text, text) {
		t.Errorf("got %s, want it to say %q", results[0].Error(), text)
	}
	wantTaken(t, s.Cloud, nil)
}

func badCAFile(t *testing.T, s *site) {
	ca := NewAuthority(t)
	front := StartFront(t, s.Addr, ServerConfig(ca.Good(t, "127.0.0.1")))
	results := publish(t, s.sink(t, Place{Host: front.Addr(), TLS: true, CAFile: ca.File + ".not"}), Messages(2))
	want(t, results, sinks.Wait)
	if results[0].Code != sinks.CodeCAFile || sinks.CauseOf(results[0].Error()) != sinks.CauseSetUp ||
		!strings.Contains(results[0].Text, "ca_file "+ca.File+".not: not there") {
		t.Errorf("got %s", results[0].Error())
	}
}

func metering(t *testing.T, s *site) {
	ca := NewAuthority(t)
	front := StartFront(t, s.Addr, ServerConfig(ca.Good(t, "127.0.0.1")))
	meter := new(sinks.Meter)
	sink := s.sink(t, Place{Host: front.Addr(), TLS: true, CAFile: ca.File, Meter: meter})
	for range 3 {
		want(t, Drain(t, sink, Messages(5)), sinks.Accepted)
	}
	EqualCounts(t, meter, 0, front.Counts)
	if front.Accepted() != 1 || meter.Sent() < 1000 || meter.Received() < 500 {
		t.Errorf("%d connections, %d bytes sent, %d received", front.Accepted(), meter.Sent(), meter.Received())
	}
}

// EqualCounts fails if the meter of a sink differs from the counts at the other ends of its connections: the Counts
// of Fronts and Proxies. slack is the allowed difference, in bytes: 0 while the connections are open. At the end of a
// connection each side may write a TLS alert of 24 to 31 bytes that the other side no longer reads.
func EqualCounts(t *testing.T, m *sinks.Meter, slack int, others ...func() (sent, received uint64)) {
	t.Helper()
	eventually(t, "both sides count the same", func() bool {
		var sent, received uint64
		for _, counts := range others {
			s, r := counts()
			if s == 0 || r == 0 {
				return false
			}
			sent, received = sent+s, received+r
		}
		return near(m.Sent(), received, slack) && near(m.Received(), sent, slack)
	})
}

func near(a, b uint64, slack int) bool { return max(a, b)-min(a, b) <= uint64(slack) }

// proxied sends to a name that only the proxy knows.
func proxied(t *testing.T, s *site) {
	ca := NewAuthority(t)
	front := StartFront(t, s.Addr, ServerConfig(ca.Good(t, "cloud.example")))
	proxy := StartProxy(t, front.Addr(), "Basic "+base64.StdEncoding.EncodeToString([]byte("noi:pass word")))
	t.Setenv("HTTPS_PROXY", "http://noi:pass%20word@"+proxy.Addr())
	meter := new(sinks.Meter)
	resolver := nameServer(t, func() { t.Error("a name is looked up beside the proxy") }, true)
	sink := s.sink(t, Place{Host: "cloud.example:443", TLS: true, CAFile: ca.File, Meter: meter, Resolver: resolver})
	want(t, Drain(t, sink, Messages(3)), sinks.Accepted)
	wantTaken(t, s.Cloud, Messages(3))
	if asked := strings.Join(proxy.Asked(), " "); asked != "cloud.example:443" {
		t.Errorf("the proxy was to connect to %q", asked)
	}
	EqualCounts(t, meter, 0, proxy.Counts)

	for _, except := range []string{"cloud.example", "other.example,.example", "*"} {
		t.Setenv("NO_PROXY", except)
		results := publish(t, s.sink(t, Place{Host: "cloud.example:443", TLS: true, CAFile: ca.File,
			Resolver: nameServer(t, func() {}, true)}), Messages(1))
		if want(t, results, sinks.Retry); !strings.Contains(results[0].Text, "no such host") {
			t.Errorf("NO_PROXY %s: %s", except, results[0].Error())
		}
	}
	if n := len(proxy.Asked()); n != 1 {
		t.Errorf("the proxy was asked %d times, in spite of NO_PROXY", n)
	}
}

// behindProxy is a place that can be reached only through a proxy.
func behindProxy(t *testing.T) Place {
	t.Helper()
	resolver := nameServer(t, func() { t.Error("a name is looked up beside the proxy") }, true)
	return Place{Host: "cloud.example:443", TLS: true, Resolver: resolver}
}

// proxyWaits: a password that the proxy does not accept, and a malformed variable, wait for the operator. After the
// correction the same sink works.
func proxyWaits(t *testing.T, s *site) {
	ca := NewAuthority(t)
	front := StartFront(t, s.Addr, ServerConfig(ca.Good(t, "cloud.example")))
	proxy := StartProxy(t, front.Addr(), "Basic "+base64.StdEncoding.EncodeToString([]byte("noi:right")))
	place := behindProxy(t)
	place.CAFile = ca.File
	sink := s.sink(t, place)
	for _, c := range []struct{ url, text string }{
		{"http://noi:hunter2@" + proxy.Addr(),
			"proxy " + proxy.Addr() + " does not connect to cloud.example:443: HTTP 407 Proxy Authentication Required"},
		{"http://" + proxy.Addr(), "HTTP 407 Proxy Authentication Required"},
		{"http://noi:hunter2@%zz", "HTTPS_PROXY is malformed"},
		{"ftp://noi:hunter2@" + proxy.Addr(), "HTTPS_PROXY is malformed"},
	} {
		t.Setenv("HTTPS_PROXY", c.url)
		results := publish(t, sink, Messages(2))
		want(t, results, sinks.Wait)
		if r := results[0]; r.Code != sinks.CodeProxy || !strings.Contains(r.Text, c.text) ||
			strings.Contains(r.Text, "hunter2") {
			t.Errorf("%s: %s", c.url, r.Error())
		}
	}
	wantTaken(t, s.Cloud, nil)
	t.Setenv("HTTPS_PROXY", "http://noi:right@"+proxy.Addr())
	until(t, sink, Messages(2))
	wantTaken(t, s.Cloud, Messages(2))
}

// proxyRefuses: a proxy cannot reach the cloud, or a captive portal is in its place.
func proxyRefuses(t *testing.T, s *site) {
	portal := httptest.NewServer(http.NotFoundHandler())
	defer portal.Close()
	t.Setenv("HTTPS_PROXY", strings.Replace(portal.URL, "http://", "http://noi:hunter2@", 1))
	results := publish(t, s.sink(t, behindProxy(t)), Messages(2))
	want(t, results, sinks.Retry)
	text := results[0].Error()
	if !strings.Contains(text,
		"proxy "+portal.Listener.Addr().String()+" does not connect to cloud.example:443: HTTP 404") ||
		strings.Contains(text, "hunter2") {
		t.Errorf("got %s", text)
	}
}

// notUTF8 sends invalid UTF-8, as a controller may have in its product code. The only effect is a replacement
// character in its place: the message is not lost, and does not block others.
func notUTF8(t *testing.T, s *site) {
	msgs := Messages(2)
	msgs[0].Attributes = []sinks.Attribute{{Name: "slave", Value: "PS-\xff\xfePWM"}}
	msgs[0].Key = "rs485/1/\xff"
	want(t, Drain(t, s.sink(t, Place{Host: s.Addr}), msgs), sinks.Accepted)
	wantTaken(t, s.Cloud, msgs)
	if got := s.Cloud.Messages()[0].Attributes["slave"]; got != "PS-\uFFFDPWM" {
		t.Errorf("attribute %q", got)
	}
}
