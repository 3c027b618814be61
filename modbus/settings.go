package modbus

import "time"

// Settings are those of a serial port. Zero fields mean what the controllers ship with:
// 9600 baud, 8 data bits, no parity, 2 stop bits.
type Settings struct {
	Port     string // path of the device, best one under /dev/serial/by-id, which survives replugging
	Baud     int    // bits per second; 0: 9600
	DataBits int    // 5 to 8; 0: 8. RTU itself needs 8
	StopBits int    // 1 or 2; 0: 2
	Parity   string // none, even or odd; empty: none
}

// withDefaults fills in the zero fields.
func (s Settings) withDefaults() Settings {
	if s.Baud <= 0 {
		s.Baud = 9600
	}
	if s.DataBits == 0 {
		s.DataBits = 8
	}
	if s.StopBits == 0 {
		s.StopBits = 2
	}
	if s.Parity == "" {
		s.Parity = "none"
	}
	return s
}

// CharBits returns the bits of one character on the wire: start, data, parity and stop. 11 at 8N2.
func (s Settings) CharBits() int {
	s = s.withDefaults()
	bits := 1 + s.DataBits + s.StopBits
	if s.Parity != "none" {
		bits++
	}
	return bits
}

// CharTime returns how long one character takes: 1.146 ms at 9600 8N2.
func (s Settings) CharTime() time.Duration { return s.WireTime(1) }

// WireTime returns how long chars characters take when they follow one another without a pause.
func (s Settings) WireTime(chars int) time.Duration {
	bits := time.Duration(chars * s.CharBits())
	return bits * time.Second / time.Duration(s.withDefaults().Baud)
}

// Silence returns t3.5, the pause that separates frames: 3.5 characters up to 19200 baud, then
// a fixed 1.75 ms (MODBUS over Serial Line V1.02 §2.5.1.1).
func (s Settings) Silence() time.Duration {
	if s.withDefaults().Baud > 19200 {
		return 1750 * time.Microsecond
	}
	return s.WireTime(7) / 2
}
