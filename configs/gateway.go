package configs

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// lookUpLimit bounds the question for a host's addresses: a gateway may start before its network does.
const lookUpLimit = 2 * time.Second

// lookUp returns the addresses of a host's name; none when they are not known now.
func lookUp(host string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), lookUpLimit)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil // the daemon starts without its network too; the connection will say what is wrong
	}
	return addresses
}

// sameGateway reports whether two host:port lead to the same device: the port is the same, and the hosts have an
// address in common. A name is looked up only for that.
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

// thisMachine stands for the usual addresses of this machine within itself.
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
