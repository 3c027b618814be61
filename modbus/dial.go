package modbus

import "strings"

// Dial opens the port of Settings.Port: the path of a serial port, tcp://host:port for a Modbus TCP device, or
// rtu+tcp://host:port for a gateway that passes RTU frames on unchanged. Errors are *OpenError.
func Dial(s Settings) (Port, error) { return DialOver(s, connectTCP) }

// DialOver is Dial, with connect for the TCP connections.
func DialOver(s Settings, connect Connect) (Port, error) {
	switch {
	case strings.HasPrefix(s.Port, schemeTCP):
		return dialTCP(s, connect)
	case strings.HasPrefix(s.Port, schemeRTU):
		port, err := dialNet(s, connect, schemeRTU, "")
		if err != nil {
			return nil, err // not a nil *netPort in an interface
		}
		return port, nil
	default:
		return OpenSerial(s)
	}
}
