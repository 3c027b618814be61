package sinks

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/sys/unix"
)

// The time limits of a connection. A cellular modem may need seconds to wake its radio; on a healthy link the longest
// known silence is below ten seconds.
const (
	// ConnectTimeout limits each of these: name lookup and connection together, the TLS handshake, the exchange with a
	// proxy.
	ConnectTimeout = 15 * time.Second

	// Go's default of 15 s would send a probe four times a minute over a metered link.
	keepAlive = 2 * time.Minute

	// If sent data is not acknowledged for this time, the connection ends. The kernel's own limit is a quarter of an
	// hour.
	ackTimeout = 30 * time.Second
)

// Dialer opens the TCP connections of one sink. The zero Dialer is ready.
type Dialer struct {
	Meter    *Meter        // counts the bytes of the connections; nil: no count
	Resolver *net.Resolver // looks names up; nil: the system's
	Most     int64         // most bytes that are read from a connection before it fails; 0: no limit
}

// Question returns a dialer for connections with one request each, and an answer of at most MaxAnswer bytes.
func (d Dialer) Question() Dialer {
	d.Most = MaxAnswer
	return d
}

// DialContext opens a connection to addr, host:port.
func (d Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: ConnectTimeout, KeepAlive: keepAlive, Resolver: d.Resolver, Control: boundSilence}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn = d.Meter.Conn(conn)
	if d.Most > 0 {
		conn = &boundConn{Conn: conn, r: Bound(conn, d.Most)}
	}
	return conn, nil
}

// boundSilence sets ackTimeout. gRPC does this itself, but not with a metered connection.
func boundSilence(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(ackTimeout/time.Millisecond))
	}); cerr != nil {
		return cerr
	}
	return err
}

// Proxy returns the proxy for a request by the present values of HTTPS_PROXY, HTTP_PROXY and NO_PROXY; nil: no proxy,
// as always for loopback. http.ProxyFromEnvironment would read them only once in a process.
func Proxy(r *http.Request) (*url.URL, error) { return proxyFor(r.URL) }

// proxyFor is Proxy for an address. A malformed variable is an error: httpproxy would continue without a proxy,
// although a direct connection may be impossible or not allowed.
func proxyFor(u *url.URL) (*url.URL, error) {
	config := httpproxy.FromEnvironment()
	name, value := "HTTPS_PROXY", config.HTTPSProxy
	if u.Scheme == "http" {
		name, value = "HTTP_PROXY", config.HTTPProxy
	}
	if value != "" && !soundProxy(value) { // the text does not quote it, because it may have a password
		return nil, proxySetting(name + " is malformed; want a URL as in http://proxy:3128")
	}
	return config.ProxyFunc()(u)
}

// soundProxy reports whether value is host:port, or a URL with a host and a scheme of proxies. httpproxy would read
// "ftp://proxy" as a proxy with the name "ftp".
func soundProxy(value string) bool {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	return err == nil && u.Hostname() != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}

// proxySetting is the error of a variable of the environment with which no connection can be made.
type proxySetting string

// Error returns the text.
func (e proxySetting) Error() string { return string(e) }

// ProxyFault returns the result of an attempt that failed because of an error that an operator must correct: the proxy
// requires a user and password, or other ones, or its variable is malformed. ok is false for all other errors. Any
// other refusal may come from a captive portal, or from a proxy without uplink, and ends without an operator.
func ProxyFault(err error) (fault Result, ok bool) {
	var (
		setting proxySetting
		refusal *ProxyRefusal
	)
	switch {
	case errors.As(err, &setting):
		return Failed(Wait, CodeProxy, setting.Error()), true
	case errors.As(err, &refusal) && refusal.wantsUser():
		return Failed(Wait, CodeProxy, refusal.Error()), true
	}
	return Result{}, false
}

// ProxyRemedy returns the remedy for CodeProxy.
func ProxyRemedy() string {
	return "Correct HTTPS_PROXY, user and password included (http://USER:PASSWORD@HOST:PORT), where the daemon gets " +
		"its environment: systemctl edit noi-agent, then systemctl restart noi-agent."
}

// ProxyRefusal is the answer of a proxy that refuses a connection. The operator must correct the proxy, or HTTPS_PROXY.
type ProxyRefusal struct {
	Proxy  string // host:port; without the user and password that its URL may have
	Addr   string // the destination of the connection
	Status string // "407 Proxy Authentication Required"
}

// Error returns the refusal in one line.
func (e *ProxyRefusal) Error() string {
	return fmt.Sprintf("proxy %s does not connect to %s: HTTP %s", e.Proxy, e.Addr, e.Status)
}

func (e *ProxyRefusal) wantsUser() bool {
	return strings.HasPrefix(e.Status, strconv.Itoa(http.StatusProxyAuthRequired))
}

// CheckProxy is http.Transport's OnProxyConnectResponse.
func CheckProxy(_ context.Context, proxy *url.URL, connect *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyRefusal{Proxy: proxy.Host, Addr: connect.Host, Status: answer.Status}
}

// DialTunnel opens a connection to addr, through the proxy of HTTPS_PROXY if there is one. It is for gRPC, whose own
// proxy support does not allow counting the bytes.
func (d Dialer) DialTunnel(ctx context.Context, addr string) (net.Conn, error) {
	proxy, err := proxyFor(&url.URL{Scheme: "https", Host: addr})
	if err != nil {
		return nil, err
	}
	if proxy == nil {
		return d.DialContext(ctx, "tcp", addr)
	}
	if proxy.Scheme != "http" {
		return nil, proxySetting("HTTPS_PROXY: a proxy spoken to by " + proxy.Scheme +
			" does not work here, want http://host:port")
	}
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	at := proxy.Host
	if proxy.Port() == "" {
		at = net.JoinHostPort(proxy.Hostname(), "80")
	}
	conn, err := d.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if err := tunnel(ctx, conn, proxy, addr); err != nil {
		_ = conn.Close() // the returned error is more important
		return nil, err
	}
	return conn, nil
}

// tunnel asks the proxy at the other end of conn to connect it to addr (RFC 9110 §9.3.6).
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, addr string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends the waits below
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization",
			"Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return fmt.Errorf("ask proxy %s: %w", proxy.Host, err)
	}
	// Read one byte at a time: the bytes after the answer's head belong to the caller, which gets the connection.
	answer, err := http.ReadResponse(bufio.NewReaderSize(oneByte{conn}, 16), req)
	if err != nil {
		return fmt.Errorf("answer of proxy %s: %w", proxy.Host, err)
	}
	if answer.StatusCode != http.StatusOK {
		return &ProxyRefusal{Proxy: proxy.Host, Addr: addr, Status: answer.Status}
	}
	if !stop() {
		return ctx.Err()
	}
	return nil
}

type oneByte struct{ io.Reader }

// Read is part of io.Reader.
func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 1)]) }

// NetworkText returns the text of a network error without our own address. Our port changes with each attempt, and a
// text that always changes does not help in a log.
func NetworkText(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err.Error()
	}
	where := op.Op + " " + op.Net
	if op.Addr != nil {
		where += " " + op.Addr.String()
	}
	return where + ": " + op.Err.Error()
}

// Roots returns the system's certificate authorities and those of a PEM file; nil if file is "", which means only the
// system's. The error names the file and the way out.
func Roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("ca_file %s: not there", file)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("ca_file %s: not readable by this user", file)
	case err != nil:
		return nil, fmt.Errorf("ca_file %s: not readable", file)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // without the system's authorities: only those of the file
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file %s: no certificate in it; want PEM, -----BEGIN CERTIFICATE-----", file)
	}
	return pool, nil
}
