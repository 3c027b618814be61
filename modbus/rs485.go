package modbus

import (
	"errors"
	"fmt"
	"io"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// serialRS485 is struct serial_rs485 of linux/serial.h, 32 bytes on every architecture.
type serialRS485 struct {
	flags       uint32
	delayBefore uint32    // ms; delay_rts_before_send
	delayAfter  uint32    // ms; delay_rts_after_send
	_           [5]uint32 // addresses of nine-bit protocols, and padding
}

// Flags of serialRS485.
const (
	rs485Enabled      = 1 << 0 // SER_RS485_ENABLED
	rs485RTSOnSend    = 1 << 1 // SER_RS485_RTS_ON_SEND: RTS is set while sending
	rs485RTSAfterSend = 1 << 2 // SER_RS485_RTS_AFTER_SEND: RTS is set while not sending
)

var (
	errNoRS485      = errors.New("its driver does not switch RS-485")
	errRS485Refused = errors.New("its driver does not take the RS-485 settings")
)

// kernelForm returns the settings for the driver.
func (r RS485) kernelForm() serialRS485 {
	s := serialRS485{flags: rs485Enabled | rs485RTSOnSend, delayBefore: milliseconds(r.Before),
		delayAfter: milliseconds(r.After)}
	if r.Polarity == levelLow {
		s.flags = rs485Enabled | rs485RTSAfterSend
	}
	return s
}

// milliseconds rounds up, because with too little time a transceiver cuts bits off.
func milliseconds(d time.Duration) uint32 {
	return uint32((d + time.Millisecond - 1) / time.Millisecond)
}

// rs485Driver is a serial driver that may know RS-485. Set leaves in s what the driver made of it.
type rs485Driver interface {
	getRS485(s *serialRS485) error
	setRS485(s *serialRS485) error
}

func (t tty) getRS485(s *serialRS485) error { return t.ioctl(unix.TIOCGRS485, unsafe.Pointer(s)) }
func (t tty) setRS485(s *serialRS485) error { return t.ioctl(unix.TIOCSRS485, unsafe.Pointer(s)) }

// startKernelRS485 makes the driver switch the line. The mode stays after the descriptor is closed, and even after the
// process ends. restore sets the mode of before: a configuration that changes back to `off`, which sets nothing, then
// has the port as it was.
func startKernelRS485(d rs485Driver, r RS485) (restore func(), err error) {
	var before serialRS485
	if err := d.getRS485(&before); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoRS485, err)
	}
	asked := r.kernelForm()
	got := asked
	if err := d.setRS485(&got); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoRS485, err)
	}
	restore = func() { _ = d.setRS485(&before) } // it fails only if the port is gone; then there is nothing to restore
	if err := got.differs(asked); err != nil {
		restore()
		return nil, err
	}
	return restore, nil
}

// differs returns what a driver has left out. Drivers since Linux 6.0 drop what the chip cannot do without
// an error, and shorten delays to 100 ms.
func (s serialRS485) differs(asked serialRS485) error {
	const levels = rs485RTSOnSend | rs485RTSAfterSend
	switch {
	case s.flags&rs485Enabled == 0:
		return errNoRS485
	case s.flags&levels != asked.flags&levels:
		return fmt.Errorf("%w: RTS has the other level while it sends", errRS485Refused)
	case s.delayBefore < asked.delayBefore:
		return fmt.Errorf("%w: %d ms before sending are its most", errRS485Refused, s.delayBefore)
	case s.delayAfter < asked.delayAfter:
		return fmt.Errorf("%w: %d ms after sending are its most", errRS485Refused, s.delayAfter)
	}
	return nil
}

// stopKernelRS485 ends a mode that an earlier program, or this program before a crash, has left on. With this mode the
// driver would change RTS at the same time as the agent. A driver without this mode has nothing to stop.
func stopKernelRS485(d rs485Driver) error {
	var s serialRS485
	if d.getRS485(&s) != nil || s.flags&rs485Enabled == 0 {
		return nil
	}
	s.flags &^= rs485Enabled
	if err := d.setRS485(&s); err != nil {
		return fmt.Errorf("end the driver's RS-485 mode: %w", err)
	}
	return nil
}

// rtsPort is the part of a port that rtsSender needs to switch the line.
type rtsPort interface {
	io.Writer
	SetRTS(set bool) error
	Drain() error
}

// rtsSender sends with RTS at the sending level, and at the listening level from the last bit on.
type rtsSender struct {
	port     rtsPort
	settings Settings // with defaults
}

// sendingLevel reports whether RTS is set while sending.
func (s Settings) sendingLevel() bool { return s.RS485.Polarity != levelLow }

// Write returns when the frame has left and the line is free: after both delays and the time on the wire. It frees the
// line after every failure too, because a transceiver that stays on would disturb all other devices.
func (s *rtsSender) Write(p []byte) (n int, err error) {
	sending := s.settings.sendingLevel()
	defer func() {
		if rerr := s.port.SetRTS(!sending); rerr != nil {
			err = errors.Join(err, fmt.Errorf("switch RTS to listen: %w", rerr))
		}
	}()
	if err := s.port.SetRTS(sending); err != nil {
		return 0, fmt.Errorf("switch RTS to send: %w", err)
	}
	pause(s.settings.RS485.Before)
	if n, err = s.port.Write(p); err != nil {
		return n, err
	}
	// The driver of a UART knows when the last bit has left. The driver of a USB adapter only knows when the adapter
	// has the bytes, and then no bit is on the wire yet. So Write waits for both, the drain and the wire time. They run
	// at the same time, because the slave may answer after t3.5.
	wire := time.NewTimer(s.settings.WireTime(n))
	defer wire.Stop()
	if err := drain(s.port); err != nil {
		return n, fmt.Errorf("drain: %w", err)
	}
	<-wire.C
	pause(s.settings.RS485.After)
	return n, nil
}

// drain waits until the driver has sent everything. The kernel never restarts TCSBRK, so any signal to the process
// may end it early.
func drain(port rtsPort) error {
	for {
		if err := port.Drain(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// pause waits on a timer; zero does not even yield.
func pause(d time.Duration) {
	if d > 0 {
		<-time.NewTimer(d).C
	}
}
