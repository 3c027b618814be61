package sinks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// stepEndpoint is the name of Reach's step.
const stepEndpoint = "endpoint"

// Reach opens a connection to u as a sink does, and closes it. The stages are name lookup, connection (through the
// proxy of the environment) and TLS. The step names the stage that failed. config is the TLS configuration; nil: plain
// text.
func (d Dialer) Reach(ctx context.Context, u *url.URL, config *tls.Config) Step {
	ctx, cancel := context.WithTimeout(ctx, 2*ConnectTimeout)
	defer cancel()
	addr, at, way := withPort(u), withPort(u), ""
	proxy, err := proxyFor(u)
	switch {
	case err != nil:
		return unreachable("proxy", err, ProxyRemedy())
	case proxy != nil && proxy.Scheme != "http":
		return Unsure(stepEndpoint,
			addr+" lies behind a proxy spoken to by "+proxy.Scheme+"; whether it lets anything through shows below")
	case proxy != nil:
		at, way = withPort(proxy), " through proxy "+proxy.Host
	}
	if step, ok := d.look(ctx, at); !ok {
		return step
	}
	conn, err := d.open(ctx, u, addr, at)
	if err != nil {
		return connectFault(err, at, proxy != nil)
	}
	defer func() { _ = conn.Close() }() // it was only opened for the test
	if config == nil {
		return Good(stepEndpoint, addr+way+" answers; no TLS")
	}
	return handshake(ctx, conn, addr, way, config)
}

// open connects to addr, through the proxy if there is one. For plain text it connects only to the proxy, which passes
// on requests and not connections.
func (d Dialer) open(ctx context.Context, u *url.URL, addr, at string) (net.Conn, error) {
	if u.Scheme == "https" {
		return d.DialTunnel(ctx, addr)
	}
	return d.DialContext(ctx, "tcp", at)
}

func withPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// look looks up the name in addr; ok is true if addr is already an IP address.
func (d Dialer) look(ctx context.Context, addr string) (Step, bool) {
	host, _, err := net.SplitHostPort(addr)
	if _, perr := netip.ParseAddr(host); err == nil && perr == nil {
		return Step{}, true
	}
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	resolver := d.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	if _, err := resolver.LookupHost(ctx, host); err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			return unreachable("name", err, "There is no such name: see that endpoint and region are spelled right. "+
				"If `getent hosts "+host+
				"` fails here and not elsewhere, see to the name server of this gateway (resolvectl status)."), false
		}
		return unreachable("name", err,
			"The name server does not answer: see that the uplink is up (ip route; nmcli or mmcli), and which name "+
				"server is used "+
				"(resolvectl status, /etc/resolv.conf). Try: getent hosts "+host), false
	}
	return Step{}, true
}

func connectFault(err error, at string, proxied bool) Step {
	var refusal *ProxyRefusal
	switch {
	case errors.As(err, &refusal) && refusal.wantsUser():
		return unreachable("connection", err,
			"Put the proxy's user and password into HTTPS_PROXY: http://USER:PASSWORD@"+refusal.Proxy)
	case errors.As(err, &refusal):
		return unreachable("connection", err,
			"Have the proxy allow CONNECT to "+refusal.Addr+", or name the right proxy in HTTPS_PROXY, or leave it "+
				"out.")
	case proxied:
		return unreachable("proxy", err,
			"The proxy of HTTPS_PROXY does not answer: name the right one, or leave it out where there is a way "+
				"without it.")
	}
	return unreachable("connection", err, "Nothing answers there: a firewall has to let TCP to "+at+
		" out (or set HTTPS_PROXY), and endpoint, where it is set, has to name the right host and port. Try: nc -vz "+
		""+strings.Replace(at, ":", " ", 1))
}

func handshake(ctx context.Context, conn net.Conn, addr, way string, config *tls.Config) Step {
	host, _, _ := net.SplitHostPort(addr) // joined by withPort
	config = config.Clone()
	config.ServerName = host
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return tlsFault(err, addr)
	}
	leaf := secured.ConnectionState().PeerCertificates[0]
	return Good(stepEndpoint, fmt.Sprintf("%s%s answers; %s, certificate of %s until %s", addr, way,
		tls.VersionName(secured.ConnectionState().Version),
		issuer(leaf), leaf.NotAfter.UTC().Format(time.DateOnly)))
}

func issuer(c *x509.Certificate) string {
	if len(c.Issuer.Organization) > 0 {
		return c.Issuer.Organization[0]
	}
	return c.Issuer.CommonName
}

// tlsFault returns the failed step of a TLS handshake, with its remedy.
func tlsFault(err error, addr string) Step {
	var (
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		record  tls.RecordHeaderError
	)
	show := "Look: openssl s_client -connect " + addr + " -showcerts </dev/null"
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return unreachable("TLS", err,
			"Is the gateway's clock right (date -u, timedatectl)? If not, set it: timedatectl set-ntp true. "+
				"If it is, the certificate of "+addr+" has expired: the operator of this host must renew it. "+show)
	case errors.As(err, &unknown):
		return unreachable("TLS", err,
			"Something on the way looks into TLS, or the host is one of your own: put its authority's certificate "+
				"(PEM) into a file and name it as "+
				"ca_file of the integration. Where the system's own authorities are missing: apt-get install "+
				"ca-certificates. "+show)
	case errors.As(err, &host):
		return unreachable("TLS", err,
			"Another server answers at "+addr+": a captive portal, a wrong name server, or a wrong endpoint. "+show)
	case errors.As(err, &record):
		return unreachable("TLS", err,
			"What answers at "+addr+" does not speak TLS: a captive portal, or an emulator, whose endpoint begins "+
				"with http://")
	}
	return unreachable("TLS", err, "See what stands on the way (captive portal, firewall). "+show)
}

// unreachable is a stage that failed.
func unreachable(stage string, err error, remedy string) Step {
	return Bad(stepEndpoint, Failed(Retry, stage, NetworkText(err)), remedy)
}
