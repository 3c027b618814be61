package modbus

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tty is an open serial port, for requests to its driver. After the file is closed, all methods fail, and none uses a
// descriptor that may belong to another file by then.
type tty struct{ file *os.File }

// with calls do with the descriptor.
func (t tty) with(do func(fd int) error) error {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// ioctl calls an ioctl whose argument is a struct. x/sys/unix has no function for serial_rs485 and serial_struct.
func (t tty) ioctl(request uint, arg unsafe.Pointer) error {
	return t.with(func(fd int) error {
		if _, _, errno := syscall.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg)); errno != 0 {
			return errno
		}
		return nil
	})
}

// number returns the device's number, st_rdev.
func (t tty) number() (n uint64, err error) {
	err = t.with(func(fd int) error {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		n = uint64(st.Rdev)
		return nil
	})
	return n, err
}
