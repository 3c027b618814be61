package guard

import (
	"net"
	"net/netip"
	"strings"
)

// Hosts are the host names under which the endpoint answers. The list is needed against a hostile page whose own name
// resolves to this gateway: its requests have an Origin that is equal to their Host, so only a list of our own names
// can distinguish them from requests of our pages.
type Hosts struct{ names map[string]bool }

// NewHosts returns a list with localhost, the name of this machine, the same name with .local, and the names in more.
// IP addresses are on every list, because they cannot be forged.
func NewHosts(machine string, more []string) Hosts {
	h := Hosts{map[string]bool{}}
	if name := plainName(machine); name != "" {
		short, _, _ := strings.Cut(name, ".")
		h.names[name], h.names[short], h.names[short+".local"] = true, true, true
	}
	for _, name := range more {
		h.names[plainName(name)] = true
	}
	delete(h.names, "")
	return h
}

// Allows reports whether a Host header, or the host of a URL, is on the list. Its port is ignored, because a tunnel may
// have another port.
func (h Hosts) Allows(host string) bool {
	name, bracketed := withoutPort(host)
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Is6() == bracketed && ip.Zone() == "" && !ip.Unmap().IsUnspecified()
	}
	name = plainName(name)
	return !bracketed && (name == "localhost" || strings.HasSuffix(name, ".localhost") || h.names[name])
}

// AllowsOnSocket is Allows for the unix socket. It also allows every name without a dot, because programs that use a
// socket invent such a name. An attacker cannot register a name without a dot.
func (h Hosts) AllowsOnSocket(host string) bool {
	name, bracketed := withoutPort(host)
	return h.Allows(host) || !bracketed && name != "" && !strings.ContainsAny(name, ".:")
}

// withoutPort returns the name in host, and whether it was in brackets, as IPv6 addresses are.
func withoutPort(host string) (name string, bracketed bool) {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1], true
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		return host, false
	}
	return name, strings.HasPrefix(host, "[")
}

// plainName returns a name for a comparison: in lower case, and without a dot at the end. DNS ignores both.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
