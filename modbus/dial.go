package modbus

import "strings"

// Dial opens what Settings.Port names: a serial port by its path, a Modbus TCP device by tcp://host:port, or
// by rtu+tcp://host:port a gateway that passes RTU frames on as they are. Errors are *OpenError.
func Dial(s Settings) (Port, error) {
	switch {
	case strings.HasPrefix(s.Port, schemeTCP):
		return dialTCP(s)
	case strings.HasPrefix(s.Port, schemeRTU):
		return dialRTU(s)
	default:
		return OpenSerial(s)
	}
}
