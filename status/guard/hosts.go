package guard

import (
	"net"
	"net/netip"
	"strings"
)

// Hosts are the names by which the endpoint may be asked for. A page of a foreign name that resolves to this gateway
// has an Origin equal to its Host, so only a list of our own names can distinguish it from ours.
type Hosts struct{ names map[string]bool }

// NewHosts returns the list: localhost, the name of this machine, the same with .local, and more. IP addresses are on
// every list, because they cannot be forged.
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

// Allows reports whether a Host header, or the host of a URL, is on the list. Its port is ignored: a tunnel may have
// another one.
func (h Hosts) Allows(host string) bool {
	name, bracketed := withoutPort(host)
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Is6() == bracketed && ip.Zone() == "" && !ip.Unmap().IsUnspecified()
	}
	name = plainName(name)
	return !bracketed && (name == "localhost" || strings.HasSuffix(name, ".localhost") || h.names[name])
}

// AllowsOnSocket is Allows for the unix socket, where a name without a dot is enough: programs that ask over a socket
// make up the name, and no name without a dot is for sale.
func (h Hosts) AllowsOnSocket(host string) bool {
	name, bracketed := withoutPort(host)
	return h.Allows(host) || !bracketed && name != "" && !strings.ContainsAny(name, ".:")
}

// withoutPort returns the name in host, and whether it stood in brackets as IPv6 addresses do.
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

// plainName is a name as it is compared: DNS knows no case, and a dot at the end only says that the name is whole.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
