package modbus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// serialStruct is struct serial_struct of linux/serial.h: 72 bytes on 64-bit machines, 60 bytes on 32-bit machines.
// An address and a C long are as wide as a uintptr. The fields are no Go pointers, because they hold addresses of the
// kernel.
type serialStruct struct {
	kind          int32 // type
	line          int32
	port          uint32
	irq           int32
	flags         int32
	xmitFIFOSize  int32
	customDivisor int32
	baudBase      int32
	closeDelay    uint16
	ioType        int8
	reserved      int8
	hub6          int32
	closingWait   uint16
	closingWait2  uint16
	iomemBase     uintptr
	iomemRegShift uint16
	portHigh      uint32
	iomapBase     uintptr
}

// asyncLowLatency is ASYNC_LOW_LATENCY of linux/tty_flags.h. Any user who may open the port may set it.
const asyncLowLatency = 1 << 13

var (
	errNoLowLatency = errors.New("its driver has no low latency mode")
	errLatencyTimer = errors.New("its latency timer cannot be set")
)

// latencyDriver is a serial driver that may know the low latency flag.
type latencyDriver interface {
	getSerial(s *serialStruct) error
	setSerial(s *serialStruct) error
}

func (t tty) getSerial(s *serialStruct) error { return t.ioctl(unix.TIOCGSERIAL, unsafe.Pointer(s)) }
func (t tty) setSerial(s *serialStruct) error { return t.ioctl(unix.TIOCSSERIAL, unsafe.Pointer(s)) }

// lowLatency makes a USB adapter pass on each byte at once. Without it an FTDI chip collects bytes for 16 ms, which is
// longer than a short reply on the wire. Mode auto sets only USB adapters, and never fails. Mode on sets any port, and
// fails if the driver has no such mode.
func lowLatency(mode string, d latencyDriver, sys string) error {
	switch {
	case mode == wordOn:
		return hurry(d, sys)
	case mode == wordAuto && usbAdapter(sys):
		_ = hurry(d, sys) // without it the port works too, a little slower
	}
	return nil
}

// deviceFolder returns the directory of the device in sysfs. It finds the device by number, because a port may have any
// name in a container. The directory is the same as /sys/class/tty/NAME/device.
func deviceFolder(number uint64) string {
	return fmt.Sprintf("/sys/dev/char/%d:%d/device", unix.Major(number), unix.Minor(number))
}

// usbAdapter reports whether a device is a USB serial converter.
func usbAdapter(sys string) bool {
	bus, err := os.Readlink(filepath.Join(sys, "subsystem"))
	return err == nil && filepath.Base(bus) == "usb-serial"
}

// hurry sets the driver's flag. With FTDI this also sets the chip's timer to 1 ms. If there is such a timer, hurry
// makes sure that it has 1 ms.
func hurry(d latencyDriver, sys string) error {
	flagged := setLowLatency(d)
	timer := filepath.Join(sys, "latency_timer")
	text, err := os.ReadFile(timer)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return flagged
	case err == nil && isLeastLatency(string(text)):
		return nil
	}
	if err := writeTimer(timer); err != nil {
		return fmt.Errorf("%w: %w", errLatencyTimer, err)
	}
	return nil
}

// isLeastLatency reports whether a timer has 1 ms, the shortest time of FTDI chips.
func isLeastLatency(text string) bool {
	text = strings.TrimSpace(text)
	return text == "1" || text == "0"
}

// writeTimer never creates the file, which is a part of sysfs.
func writeTimer(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("1")
	return errors.Join(err, f.Close())
}

// setLowLatency sets the flag, and reads it back, because some drivers accept the call and do nothing.
func setLowLatency(d latencyDriver) error {
	var s serialStruct
	if err := d.getSerial(&s); err != nil {
		return fmt.Errorf("%w: %w", errNoLowLatency, err)
	}
	if s.flags&asyncLowLatency != 0 {
		return nil
	}
	s.flags |= asyncLowLatency
	if err := d.setSerial(&s); err != nil {
		return fmt.Errorf("%w: %w", errNoLowLatency, err)
	}
	var after serialStruct
	if err := d.getSerial(&after); err != nil || after.flags&asyncLowLatency == 0 {
		return errNoLowLatency
	}
	return nil
}
