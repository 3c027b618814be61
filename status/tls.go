package status

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/guard"
)

// TLS is the certificate of TCP. Zero: on loopback no TLS, otherwise the agent's own certificate.
type TLS struct {
	Cert, Key string    // PEM files; "": an own certificate, kept in the state directory
	Built     time.Time // date of the build, from which an own certificate is valid; zero: not known
}

// place is where TCP is served.
type place struct {
	o           *Options
	addr        string // "127.0.0.1:8780"; "" before Listen and when there is no TCP
	outside     bool   // other machines reach it
	fingerprint string // of the certificate; "": there is no TLS
}

// secure puts TLS on a listener that needs it. answer is for clients that speak plain HTTP there.
func (p *place) secure(l net.Listener, answer func(request []byte, c net.Conn)) (net.Listener, error) {
	if !p.outside && p.o.TLS.Cert == "" {
		return l, nil
	}
	c, err := p.certificate()
	if err != nil {
		return nil, fmt.Errorf("listen for status with TLS: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}
	p.fingerprint = guard.Fingerprint(c)
	return tls.NewListener(plainListener{l, answer}, config), nil
}

func (p *place) certificate() (tls.Certificate, error) {
	if t := p.o.TLS; t.Cert != "" {
		c, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			err = fmt.Errorf("status.tls: %w", err)
		}
		return c, err
	}
	if p.o.StateDir == "" {
		return tls.Certificate{}, errors.New("there is no state directory to keep a certificate in")
	}
	c, missing, err := guard.EnsureCertificate(p.o.StateDir, p.ownHosts(), p.o.TLS.Built)
	if len(missing) > 0 {
		p.o.Logger.Warn("the endpoint's own certificate does not name all addresses of this gateway: delete "+
			guard.CertificateFile+" in the state directory and restart the agent for a new one", "missing", missing)
	}
	return c, err
}

// ownHosts returns the names and addresses in the agent's own certificate.
func (p *place) ownHosts() []string {
	var hosts []string
	if name := strings.ToLower(p.o.Hostname); name != "" {
		short, _, _ := strings.Cut(name, ".")
		hosts = append(hosts, name, short, short+".local")
	}
	hosts = append(hosts, p.o.Hosts...)
	hosts = append(hosts, "localhost", "127.0.0.1", "::1")
	hosts = append(hosts, p.reachable()...)
	var once []string
	for _, h := range hosts {
		if !slices.Contains(once, h) {
			once = append(once, h)
		}
	}
	return once
}

// reachable returns the IP addresses at which the TCP listener answers, without the loopback addresses.
func (p *place) reachable() (addresses []string) {
	bound, err := netip.ParseAddrPort(p.addr)
	if err != nil {
		return nil
	}
	if !bound.Addr().IsUnspecified() {
		if bound.Addr().IsLoopback() {
			return nil
		}
		return []string{bound.Addr().Unmap().String()}
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil // without a list of addresses there are names
	}
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().IsGlobalUnicast() {
			addresses = append(addresses, prefix.Addr().String())
		}
	}
	return addresses
}

// endpoint returns the addresses of the page for browsers, the best one first.
func (p *place) endpoint() *api.Endpoint {
	if p.addr == "" {
		return nil
	}
	scheme := "http://"
	if p.fingerprint != "" {
		scheme = "https://"
	}
	hosts := slices.Concat(p.o.Hosts, p.reachable())
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil || !p.outside || len(hosts) == 0 {
		return &api.Endpoint{Addresses: []string{scheme + p.addr}, Fingerprint: p.fingerprint}
	}
	e := &api.Endpoint{Fingerprint: p.fingerprint}
	for _, h := range hosts {
		e.Addresses = append(e.Addresses, scheme+net.JoinHostPort(h, port))
	}
	return e
}

// placed is a Reporter that adds the addresses of the endpoint to the status.
type placed struct {
	Reporter
	place *place
}

// Status implements Reporter.
func (p placed) Status() api.Status {
	status := p.Reporter.Status()
	status.Endpoint = p.place.endpoint()
	return status
}

// url returns the address of the page for a browser, for hints.
func (p *place) url() string {
	if e := p.endpoint(); e != nil {
		return e.Addresses[0]
	}
	return "http://localhost"
}
