package status

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"noi-agent/status/api"
)

// policy lets the page load its own stylesheet and nothing else: a hostile string that ever got past the
// escaping would still find no script, image, frame or form to work with.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard sets the headers every answer carries and refuses what a browser sends for a foreign site.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if !s.flights.start() {
			fail(w, r, http.StatusServiceUnavailable, "the agent is shutting down")
			return
		}
		defer s.flights.wg.Done()
		if reason := refusal(r); reason != "" {
			s.o.Logger.Debug("status request refused", "reason", reason, "path", r.URL.Path)
			fail(w, r, http.StatusForbidden, reason)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refusal returns why r may not pass, empty when it may.
func refusal(r *http.Request) string {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok && !loopbackHost(r.Host, a.Port) {
		return fmt.Sprintf("host %q is not this endpoint: open http://127.0.0.1:%d, from elsewhere through "+
			"`ssh -L %d:127.0.0.1:%d GATEWAY` with the same port on both sides", r.Host, a.Port, a.Port, a.Port)
	}
	if o := r.Header.Get("Origin"); o != "" && !sameOrigin(o, r.Host) {
		return fmt.Sprintf("origin %q may not read this endpoint", o)
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
		return ""
	default: // cross-site, and same-site: another port of localhost is another program
		if followsLink(r) {
			return ""
		}
		return fmt.Sprintf("a %s page may not read this endpoint: type its address into the browser", site)
	}
}

// loopbackHost reports whether a Host header names this machine, with the port we are bound to or none.
func loopbackHost(host string, port int) bool {
	name := host
	if h, p, err := net.SplitHostPort(host); err == nil {
		if p != "" && p != strconv.Itoa(port) {
			return false
		}
		name = h
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		name = strings.TrimSuffix(inner, "]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Zone() == "" && ip.IsLoopback()
}

// sameOrigin compares host and port only: the same port cannot speak both http and https.
func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// followsLink reports whether a person follows a link to the page from somewhere else: the page fills the
// window then, and the other site sees nothing of it.
func followsLink(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate" && (dest == "" || dest == "document")
}

// overSocket reports whether a request comes over the unix socket, whose mode says who may.
func overSocket(r *http.Request) bool {
	_, ok := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr)
	return ok
}

// forbidden is the answer to a change that does not come over the socket. The socket's mode says who may: whoever may
// speak there could stop the daemon and open the port anyway, while over TCP every local user could keep a line busy.
func forbidden(r route) *api.Error {
	hint := "curl --unix-socket"
	if r.instead != "" {
		hint = r.instead + ", or " + hint
	}
	return api.NewError(http.StatusForbidden, "this is done over the agent's unix socket only", hint)
}
