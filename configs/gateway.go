package configs

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// lookUpLimit is the time limit for looking up a host's addresses: the agent may start before the network.
const lookUpLimit = 2 * time.Second

// lookUp returns the addresses of a host's name; nil if they are not known now.
func lookUp(host string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), lookUpLimit)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil // the daemon starts without a network too; the connection reports the error later
	}
	return addresses
}

// sameGateway reports whether two host:port are the same device: the ports are the same, and the hosts have an address
// in common. It looks a name up only if the ports are the same.
func sameGateway(a, b string, lookUp func(host string) []string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	if _, err := netip.ParseAddr(hostA); err == nil {
		hostA, hostB = hostB, hostA // if one is an address, it is the second
	}
	known := addressesOf(hostB, lookUp)
	return slices.ContainsFunc(addressesOf(hostA, lookUp), func(x string) bool { return slices.Contains(known, x) })
}

// thisMachine replaces the loopback addresses of this machine in addressesOf.
const thisMachine = "loopback"

// addressesOf returns the addresses of a host, each in one spelling.
func addressesOf(host string, lookUp func(host string) []string) []string {
	host = strings.TrimSuffix(host, ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 §6.3
		return []string{thisMachine}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return []string{spelling(addr)}
	}
	var list []string
	for _, text := range lookUp(host) {
		if addr, err := netip.ParseAddr(text); err == nil {
			list = append(list, spelling(addr))
		}
	}
	return list
}

func spelling(addr netip.Addr) string {
	addr = addr.Unmap()
	if addr.IsUnspecified() || addr == netip.IPv6Loopback() || addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return thisMachine
	}
	return addr.String()
}
