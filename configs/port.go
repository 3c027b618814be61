package configs

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// The schemes of a port that is reached over the network.
const (
	ModbusTCP  = "tcp"     // Modbus TCP
	RTUOverTCP = "rtu+tcp" // RTU frames, with checksum, through a TCP gateway
)

// tcpPort is the registered port of Modbus TCP (MODBUS Messaging on TCP/IP V1.0b §4.3.1). RTU over TCP has none.
const tcpPort = "502"

// Network returns how the line is reached over the network, ModbusTCP or RTUOverTCP, and its host:port. Both
// are empty for a serial port.
func (l *Line) Network() (scheme, address string) {
	scheme, address, err := parsePort(l.Port)
	if err != nil {
		return "", "" // Parse refuses such a port
	}
	return scheme, address
}

const portForms = "want the path of a serial port, as in /dev/ttyUSB0, or tcp://host:502 for Modbus TCP, or " +
	"rtu+tcp://host:port for RTU frames through a TCP gateway"

// parsePort splits the port of a line into scheme and address. A path has neither: both are "".
func parsePort(port string) (scheme, address string, err error) {
	scheme, rest, ok := strings.Cut(port, "://")
	if !ok {
		before, _, colon := strings.Cut(port, ":")
		if colon && (before == ModbusTCP || before == RTUOverTCP) {
			return "", "", fmt.Errorf("%s, not %q; begin it with %s://HOST", portForms, clip(port), before)
		}
		return "", "", isPath(port)
	}
	usual := ""
	switch scheme {
	case ModbusTCP:
		usual = tcpPort
	case RTUOverTCP:
	default:
		return "", "", fmt.Errorf("%s, not %q", portForms, clip(port))
	}
	address, err = hostPort(scheme, rest, usual)
	if err != nil {
		return "", "", err
	}
	return scheme, address, nil
}

// isPath returns an error for a port that can never be the path of a serial port on Linux. Whether the device is
// there now does not matter: a person may have unplugged the adapter.
func isPath(port string) error {
	number, com := strings.CutPrefix(strings.ToUpper(port), "COM")
	_, service, _ := net.SplitHostPort(port) // "" without a colon
	_, notAddress := netip.ParseAddr(port)
	switch {
	case com && isPort(strings.TrimSuffix(number, ":")), strings.Contains(port, `\`):
		return fmt.Errorf("%s is a port of Windows; on Linux write the path of the adapter, as in "+
			"/dev/serial/by-id/usb-…; ls /dev/serial/by-id lists the adapters of a gateway", clip(port))
	case strings.HasPrefix(port, "tty") && !strings.Contains(port, "/"):
		return fmt.Errorf("%s is not a path; did you mean /dev/%s? Better is its name under /dev/serial/by-id, which "+
			"stays when adapters change places", clip(port), clip(port))
	case notAddress == nil, isPort(service) && !strings.Contains(port, "/"):
		return fmt.Errorf("%s, not %q; begin it with tcp:// or rtu+tcp://", portForms, clip(port))
	default:
		return nil
	}
}

// hostPort checks the host and the port of a network port. It returns them in one spelling. If the port is left out, it
// is usual; if usual is "", this is an error.
func hostPort(scheme, text, usual string) (string, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Is6() {
		return "", fmt.Errorf("an IPv6 address stands in brackets; write %s://[%s]:%s", scheme, clip(text),
			firstOf(usual, "port"))
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil && usual != "" {
		host, port, err = net.SplitHostPort(text + ":" + usual)
	}
	switch bracketed := strings.HasPrefix(text, "["); {
	case err != nil && isHost(text, false):
		return "", fmt.Errorf("the port is missing; write %s://%s:port, with the gateway's port", scheme, clip(text))
	case err != nil:
		return "", fmt.Errorf("want %s://host:%s, not %q behind %s://", scheme, firstOf(usual, "port"), clip(text),
			scheme)
	case !isHost(host, bracketed):
		return "", fmt.Errorf("%q is no host; want a name or an IP address, IPv6 in brackets, and nothing behind the "+
			"port", clip(host))
	case !isPort(port) || port == "0":
		return "", fmt.Errorf("%q is no port; want 1 to 65535", clip(port))
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	return net.JoinHostPort(strings.ToLower(host), port), nil
}

// hostForm matches a host name: RFC 1123 §2.1, and underscores, which some routers allow.
var hostForm = form(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// endsInNumber matches a mistyped address: no name ends in a number (RFC 3696 §2).
var endsInNumber = form(`(^|\.)[0-9]+\.?$`)

const mostHost = 253 // bytes; RFC 1035 §2.3.4

// isHost reports whether text is a host's name or address. In brackets, only an IPv6 address is valid.
func isHost(text string, bracketed bool) bool {
	addr, err := netip.ParseAddr(text)
	if err == nil || bracketed {
		return err == nil && bracketed == addr.Is6()
	}
	return len(text) <= mostHost && hostForm().MatchString(text) && !endsInNumber().MatchString(text)
}
