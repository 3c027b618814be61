package modbus

import (
	"errors"
	"fmt"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

var errNoModemLines = errors.New("it has no DTR and RTS")

// modemPort sets DTR and RTS with one ioctl each. go.bug.st/serial reads them first, which costs a round trip on USB,
// and a slave may answer in that time.
type modemPort struct {
	serial.Port
	tty tty
}

// SetDTR sets or clears DTR.
func (p modemPort) SetDTR(set bool) error { return p.move(unix.TIOCM_DTR, set) }

// SetRTS sets or clears RTS.
func (p modemPort) SetRTS(set bool) error { return p.move(unix.TIOCM_RTS, set) }

func (p modemPort) move(bit int, set bool) error {
	request := uint(unix.TIOCMBIC)
	if set {
		request = unix.TIOCMBIS
	}
	return p.tty.with(func(fd int) error { return unix.IoctlSetPointerInt(fd, request, bit) })
}

// levels returns the levels of DTR and RTS while nothing is sent: on, off, or empty if the level does not change.
func (s Settings) levels() (dtr, rts string) {
	if s.RS485.Mode != rs485RTS {
		return s.DTR, s.RTS
	}
	if s.sendingLevel() {
		return s.DTR, wordOff
	}
	return s.DTR, wordOn
}

// initialBits returns the levels for go.bug.st/serial to set first thing after opening, nil when nothing is asked. The
// kernel itself raises both in open(2), which no program can prevent. With these bits the wrong level ends as soon as
// possible: before the baud rate is set, and before any byte is sent.
func initialBits(t tty, s Settings) (*serial.ModemOutputBits, error) {
	dtr, rts := s.levels()
	if dtr == "" && rts == "" {
		return nil, nil
	}
	var now int
	err := t.with(func(fd int) (err error) {
		now, err = unix.IoctlGetInt(fd, unix.TIOCMGET)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoModemLines, err)
	}
	return &serial.ModemOutputBits{
		DTR: level(dtr, now&unix.TIOCM_DTR != 0),
		RTS: level(rts, now&unix.TIOCM_RTS != 0),
	}, nil
}

// level returns the level of a word; for the empty word the present level.
func level(word string, is bool) bool {
	if word == "" {
		return is
	}
	return word == wordOn
}

// modemLines are the two lines that the agent sets.
type modemLines interface {
	SetDTR(set bool) error
	SetRTS(set bool) error
}

// setLevels sets the requested levels again after the port is set up. A driver raises both when the baud rate changes
// from 0, and another program may have left 0.
func setLevels(lines modemLines, s Settings) error {
	dtr, rts := s.levels()
	if dtr != "" {
		if err := lines.SetDTR(dtr == wordOn); err != nil {
			return fmt.Errorf("%w: set DTR: %w", errNoModemLines, err)
		}
	}
	if rts != "" {
		if err := lines.SetRTS(rts == wordOn); err != nil {
			return fmt.Errorf("%w: set RTS: %w", errNoModemLines, err)
		}
	}
	return nil
}
