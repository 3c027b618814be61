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

// TLS says with which certificate TCP is served. Zero: on loopback without TLS, else with an own certificate.
type TLS struct {
	Cert, Key string    // PEM files; "": an own certificate, kept in the state directory
	Built     time.Time // date of the build, from which an own certificate is good; zero: not known
}

// secure puts TLS on a listener that needs it, and returns the certificate's fingerprint; "" without TLS.
func (s *Server) secure(l net.Listener, outside bool) (net.Listener, string, error) {
	if !outside && s.o.TLS.Cert == "" {
		return l, "", nil
	}
	c, err := s.certificate()
	if err != nil {
		return nil, "", fmt.Errorf("listen for status with TLS: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}
	return tls.NewListener(l, config), guard.Fingerprint(c), nil
}

func (s *Server) certificate() (tls.Certificate, error) {
	if t := s.o.TLS; t.Cert != "" {
		c, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			err = fmt.Errorf("status.tls: %w", err)
		}
		return c, err
	}
	if s.o.StateDir == "" {
		return tls.Certificate{}, errors.New("there is no state directory to keep a certificate in")
	}
	c, missing, err := guard.EnsureCertificate(s.o.StateDir, s.ownHosts(), s.o.TLS.Built)
	if len(missing) > 0 {
		s.o.Logger.Warn("the endpoint's own certificate does not name all addresses of this gateway: delete "+
			guard.CertificateFile+" in the state directory and restart the agent for a new one", "missing", missing)
	}
	return c, err
}

// ownHosts are the names and addresses that an own certificate names.
func (s *Server) ownHosts() []string {
	var hosts []string
	if name := strings.ToLower(s.o.Hostname); name != "" {
		short, _, _ := strings.Cut(name, ".")
		hosts = append(hosts, name, short, short+".local")
	}
	hosts = append(hosts, s.o.Hosts...)
	hosts = append(hosts, "localhost", "127.0.0.1", "::1")
	hosts = append(hosts, s.reachable()...)
	var once []string
	for _, h := range hosts {
		if !slices.Contains(once, h) {
			once = append(once, h)
		}
	}
	return once
}

// reachable are the IP addresses that the TCP listener answers on, without those for this machine only.
func (s *Server) reachable() (addresses []string) {
	bound, err := netip.ParseAddrPort(s.addr)
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
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().IsGlobalUnicast() {
			addresses = append(addresses, p.Addr().String())
		}
	}
	return addresses
}

// endpoint says where browsers find the page, the best address first.
func (s *Server) endpoint() *api.Endpoint {
	if s.addr == "" {
		return nil
	}
	scheme := "http://"
	if s.fingerprint != "" {
		scheme = "https://"
	}
	hosts := slices.Concat(s.o.Hosts, s.reachable())
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil || !s.door.outside || len(hosts) == 0 {
		return &api.Endpoint{Addresses: []string{scheme + s.addr}, Fingerprint: s.fingerprint}
	}
	e := &api.Endpoint{Fingerprint: s.fingerprint}
	for _, h := range hosts {
		e.Addresses = append(e.Addresses, scheme+net.JoinHostPort(h, port))
	}
	return e
}

// placed is a Reporter that knows where the endpoint is.
type placed struct {
	Reporter
	server *Server
}

// Status implements Reporter.
func (p placed) Status() api.Status {
	status := p.Reporter.Status()
	status.Endpoint = p.server.endpoint()
	return status
}

// url is where a browser finds the page, for advice.
func (s *Server) url() string {
	if e := s.endpoint(); e != nil {
		return e.Addresses[0]
	}
	return "http://localhost"
}
