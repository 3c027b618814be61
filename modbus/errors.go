package modbus

import (
	"errors"
	"fmt"
)

// The sentinels say what the caller can do next. They come wrapped, as in
// "read unit 1 0x0012+8: timeout"; ask with errors.Is.
var (
	// ErrTimeout: nothing came. The slave is off, busy, or on other settings: try again later.
	ErrTimeout = errors.New("timeout")
	// ErrFrame: something came that is not the answer: noise, a torn or foreign frame. Try again.
	ErrFrame = errors.New("bad frame")
	// ErrPort: the port failed or is closed. Nothing works until Open succeeds.
	ErrPort = errors.New("port")
	// ErrRefused: the request is not one that this package sends. Not a byte was written; asking
	// again gives the same.
	ErrRefused = errors.New("refused")
	// ErrUnasked comes beside ErrTimeout, ErrFrame or ErrPort, and is not in the text: the request itself was not
	// sent, since one before it, which was to bring the slave in step, was not answered. The error says nothing about
	// what was wanted.
	ErrUnasked = errors.New("not asked")
)

// unasked is the failure of a request that was to go before the wanted one.
type unasked struct{ error }

// Unwrap returns the failure.
func (e unasked) Unwrap() error { return e.error }

// Is reports whether ErrUnasked is meant.
func (e unasked) Is(target error) bool { return target == ErrUnasked }

// Exception is a slave's refusal. The request arrived and was understood, so the line is well;
// asking again is useful for codes 05 and 06 only. Since an exception names no address, that of a
// late answer may be taken for the present one's: learn from it only when it comes again.
type Exception struct {
	Function byte // the function that was asked, without the exception bit
	Code     byte // 1 to 11 in the specification; others are the maker's own
}

// Error names the code: "illegal data address (02)".
func (e *Exception) Error() string {
	name := ""
	switch e.Code { // MODBUS Application Protocol V1.1b3 §7
	case 0x01:
		name = "illegal function"
	case 0x02:
		name = "illegal data address"
	case 0x03:
		name = "illegal data value"
	case 0x04:
		name = "server device failure"
	case 0x05:
		name = "acknowledge"
	case 0x06:
		name = "server device busy"
	case 0x08:
		name = "memory parity error"
	case 0x0A:
		name = "gateway path unavailable"
	case 0x0B:
		name = "gateway target device failed to respond"
	default:
		name = "exception"
	}
	return fmt.Sprintf("%s (%02X)", name, e.Code)
}
