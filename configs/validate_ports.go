package configs

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Limits for the hardware of a line.
const (
	mostDelay = time.Second     // between an RTS switch and a bit; transceivers need microseconds, radios some 100 ms
	mostGap   = 5 * time.Second // silence before a request

	mostConnectDelay = 30 * time.Second // the slowest gateways need some seconds
)

// meansNothing is the error text for a key of a serial port at a network port.
const meansNothing = "means nothing for a network port; leave the key out"

// port checks the port of a line, and the keys of its hardware.
func (v *validator) port(path string, l *Line) {
	if l.Port == "" {
		v.fault(path+".port",
			"a line needs its serial port, as in /dev/ttyUSB0; better one of /dev/serial/by-id, which stays when "+
				"adapters change places, or of /dev/serial/by-path, which goes by the socket")
		v.hardware(path, l)
		return
	}
	switch scheme, _, err := parsePort(l.Port); {
	case strings.TrimSpace(l.Port) != l.Port:
		v.fault(path+".port", "%q begins or ends with a blank; write %s", l.Port, strings.TrimSpace(l.Port))
	case err != nil:
		v.fault(path+".port", "%v", err)
	case scheme != "":
		v.network(path, scheme, l)
	default:
		v.hardware(path, l)
	}
}

// hardware checks the keys of a serial port.
func (v *validator) hardware(path string, l *Line) {
	v.oneOf(path+".rs485", l.RS485, rs485Off, rs485Kernel, rs485RTS)
	v.span(path+".rs485_delay_before", l.RS485DelayBefore, 0, mostDelay)
	v.span(path+".rs485_delay_after", l.RS485DelayAfter, 0, mostDelay)
	v.oneOf(path+".rs485_polarity", l.RS485Polarity, levelHigh, levelLow)
	v.oneOf(path+".echo", l.Echo, wordAuto, wordOn, wordOff)
	v.level(path+".dtr", l.DTR)
	v.level(path+".rts", l.RTS)
	v.oneOf(path+".low_latency", l.LowLatency, wordAuto, wordOn, wordOff)
	v.onlyDefaults(path, l, "means nothing for a serial port; leave the key out", "connect_delay", "transaction_id")
	switch l.RS485 {
	case rs485Off:
		v.onlyDefaults(path, l, "means nothing with rs485: off; choose kernel or rts, or leave the key out",
			"rs485_delay_before", "rs485_delay_after", "rs485_polarity")
	case rs485Kernel, rs485RTS:
		if l.RTS != "" {
			v.fault(path+".rts", "rs485: %s controls RTS; leave the key out", l.RS485)
		}
	}
}

// network checks the keys of a network port. It adds a fault for keys that only a serial port has.
func (v *validator) network(path, scheme string, l *Line) {
	v.span(path+".connect_delay", l.ConnectDelay, 0, mostConnectDelay)
	if scheme == ModbusTCP {
		v.oneOf(path+".transaction_id", l.TransactionID, wordCheck, wordIgnore)
	} else {
		v.onlyDefaults(path, l, "is for tcp:// only: RTU frames have no transaction id; leave the key out",
			"transaction_id")
	}
	v.onlyDefaults(path, l, meansNothing,
		"rs485", "rs485_delay_before", "rs485_delay_after", "rs485_polarity", "echo", "dtr", "rts", "low_latency")
}

// onlyDefaults adds a fault for each of the keys that has another value than its default.
func (v *validator) onlyDefaults(path string, l *Line, text string, keys ...string) {
	values := func(l *Line) map[string]any {
		return map[string]any{
			"rs485": l.RS485, "rs485_delay_before": l.RS485DelayBefore, "rs485_delay_after": l.RS485DelayAfter,
			"rs485_polarity": l.RS485Polarity, "echo": l.Echo, "dtr": l.DTR, "rts": l.RTS, "low_latency": l.LowLatency,
			"connect_delay": l.ConnectDelay, "transaction_id": l.TransactionID,
		}
	}
	var plain Line
	plain.SetDefaults()
	has, usual := values(l), values(&plain)
	for _, key := range keys {
		if has[key] != usual[key] {
			v.fault(path+"."+key, "%s", text)
		}
	}
}

// level checks a level. "" is allowed: the driver sets the level.
func (v *validator) level(path, word string) {
	if word != "" {
		v.oneOf(path, word, wordOn, wordOff)
	}
}

// portPlace is the device or the address of a line's port, as far as it is known now.
type portPlace struct {
	line     string // path in the configuration
	port     string // as in the configuration
	name     string // absolute path, or host:port
	network  bool
	resolved string // path after all links; the same as name if the path does not exist yet
	device   uint64 // st_rdev; 0: no device
}

// placeOf finds the device of a port. If the path does not exist yet, only the name is known.
func placeOf(line string, l *Line) (portPlace, bool) {
	scheme, address, err := parsePort(l.Port)
	if err != nil || l.Port == "" {
		return portPlace{}, false
	}
	p := portPlace{line: line, port: l.Port}
	if scheme != "" {
		// The scheme does not count: an address accepts either Modbus TCP or RTU over TCP. An address is never equal
		// to a path, because a path begins with a slash.
		p.name, p.resolved, p.network = address, address, true
		return p, true
	}
	p.name = filepath.Clean(l.Port)
	if whole, err := filepath.Abs(p.name); err == nil {
		p.name = whole
	}
	p.resolved = p.name
	if behind, err := filepath.EvalSymlinks(p.name); err == nil {
		p.resolved = behind
	}
	if info, err := os.Stat(p.resolved); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			p.device = uint64(st.Rdev)
		}
	}
	return p, true
}

// sharedPort adds a fault if a line before has the same port: each line would read the answers for the other.
func (v *validator) sharedPort(here portPlace, before []portPlace) {
	for _, p := range before {
		switch {
		case here.name == p.name:
			v.fault(here.line+".port", "%s is the port of %s too; list all slaves of a port on one line",
				clip(here.port), p.line)
		case here.network && p.network && sameGateway(here.name, p.name, lookUp):
			v.fault(here.line+".port",
				"%s is the same gateway as %s, the port of %s, by another name; list all slaves of a gateway on one "+
					"line",
				clip(here.port), clip(p.port), p.line)
		case here.resolved == p.resolved, here.device != 0 && here.device == p.device:
			v.fault(here.line+".port",
				"%s leads to the same device as %s, the port of %s; list all slaves of a port on one line",
				clip(here.port), clip(p.port), p.line)
		default:
			continue
		}
		return
	}
}
