package modbus

import (
	"errors"
	"fmt"
)

// The sentinels decide what the caller can do next. They come wrapped, as in "read unit 1 0x0012+8: timeout"; use
// errors.Is.
var (
	// ErrTimeout: no byte came. The slave is off, busy, or has other settings: try again later.
	ErrTimeout = errors.New("timeout")
	// ErrFrame: the received bytes are not the answer: noise, an incomplete or foreign frame. Try again.
	ErrFrame = errors.New("bad frame")
	// ErrPort: the port failed or is closed. Nothing works until Open succeeds.
	ErrPort = errors.New("port")
	// ErrRefused: this package does not send such a request. No byte was written; the same request gives the same error
	// again.
	ErrRefused = errors.New("refused")
	// ErrUnasked comes together with ErrTimeout, ErrFrame or ErrPort, and is not in the text: the request itself was
	// not sent, because the probe before it was not answered. The error says nothing about the requested registers.
	ErrUnasked = errors.New("not asked")
)

// unasked is the failure of a request that had to be sent before the wanted request.
type unasked struct{ error }

// Unwrap returns the failure.
func (e unasked) Unwrap() error { return e.error }

// Is reports whether target is ErrUnasked.
func (e unasked) Is(target error) bool { return target == ErrUnasked }

// Exception is a slave's refusal. The request arrived and was understood, so the line works. Another try helps only
// with the codes 05 and 06. An exception has no address, so a late one may be taken for the answer to the present
// request: rely on an exception only if it comes again.
type Exception struct {
	Function byte // the function of the request, without the exception bit
	Code     byte // 1 to 11 in the specification; others are defined by the manufacturer
}

// Error returns name and code: "illegal data address (02)".
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
