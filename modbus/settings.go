package modbus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Settings of a port. Zero fields mean the settings with which the controllers are delivered: 9600 baud, 8 data bits,
// no parity, 2 stop bits. All other settings of the port stay as the driver has set them.
type Settings struct {
	// path of the device, best under /dev/serial/by-id, which is the same after replugging, or under by-path for
	// adapters without serial numbers
	Port       string
	Baud       int    // bits per second; 0: 9600
	DataBits   int    // 5 to 8; 0: 8. RTU itself needs 8
	StopBits   int    // 1 or 2; 0: 2
	Parity     string // none, even or odd; empty: none
	RS485      RS485  // what switches a two-wire line; zero: the adapter itself
	DTR        string // level while the port is open, on or off; empty: the driver's level after opening, mostly on
	RTS        string // the same; must be empty if RS485 switches RTS
	LowLatency string // auto: if a USB adapter offers it; on: required, else Open fails; off: unchanged; empty: off

	// Of a network port only.
	ConnectDelay time.Duration // time after connecting without a request; 0: the first request goes at once
	// check, or ignore for tcp:// devices that answer with id 0 or the next number; empty: check
	TransactionID string
}

// RS485 decides what switches the transceiver of a two-wire line between sending and receiving. Most adapters switch by
// themselves. Others, and many built-in ports, are switched by RTS.
type RS485 struct {
	Mode string // off; kernel: the serial driver switches; rts: this package switches, around each write; empty: off
	// from the switch to the first bit, 0 and up; kernel: rounded up to ms, with most drivers at most 100 ms
	Before   time.Duration
	After    time.Duration // from the last bit to the switch back, the same
	Polarity string        // logical level of RTS while sending: high (set) or low; empty: high
}

// The words of RS485.Mode and of the other choices.
const (
	rs485Off    = "off"
	rs485Kernel = "kernel"
	rs485RTS    = "rts"

	levelHigh = "high"
	levelLow  = "low"

	wordOn   = "on"
	wordOff  = "off"
	wordAuto = "auto"
)

// withDefaults fills in the zero fields. Without an RS-485 mode there are no delays.
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
	if s.RS485.Mode == "" || s.RS485.Mode == rs485Off {
		s.RS485 = RS485{Mode: rs485Off, Polarity: s.RS485.Polarity}
	}
	if s.RS485.Polarity == "" {
		s.RS485.Polarity = levelHigh
	}
	if s.LowLatency == "" {
		s.LowLatency = wordOff
	}
	return s
}

// check refuses unknown words. The defaults must be filled in before.
func (s Settings) check() error {
	for _, w := range []struct {
		what, word string
		words      []string
	}{
		{"rs485", s.RS485.Mode, []string{rs485Off, rs485Kernel, rs485RTS}},
		{"rs485 polarity", s.RS485.Polarity, []string{levelHigh, levelLow}},
		{"dtr", s.DTR, []string{"", wordOn, wordOff}},
		{"rts", s.RTS, []string{"", wordOn, wordOff}},
		{"low latency", s.LowLatency, []string{wordAuto, wordOn, wordOff}},
		{"transaction id", s.TransactionID, []string{"", wordCheck, wordIgnore}},
	} {
		if !slices.Contains(w.words, w.word) {
			return fmt.Errorf("%s %q is none of %s", w.what, w.word,
				strings.TrimPrefix(strings.Join(w.words, ", "), ", "))
		}
	}
	if s.RS485.Before < 0 || s.RS485.After < 0 {
		return errors.New("an rs485 delay is below 0")
	}
	if s.RTS != "" && s.RS485.Mode != rs485Off {
		return fmt.Errorf("rts %s contradicts rs485 %s, which moves RTS itself", s.RTS, s.RS485.Mode)
	}
	return nil
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

// WireTime returns how long chars characters take without a pause between them.
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
