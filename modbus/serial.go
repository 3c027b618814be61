package modbus

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// serialPort is an open port and the lock that keeps other programs off it.
type serialPort struct {
	serial.Port
	lock *os.File
}

// Close closes the port, then gives up the lock.
func (p *serialPort) Close() error {
	return errors.Join(p.Port.Close(), p.lock.Close())
}

// OpenSerial opens and locks a serial port. No other program that locks its ports can open it until it is
// closed or we die, and no child process inherits it. Errors are *OpenError.
func OpenSerial(s Settings) (Port, error) {
	s = s.withDefaults()
	mode, err := serialMode(s)
	if err != nil {
		return nil, openError(s.Port, err)
	}
	// go.bug.st/serial keeps its descriptor to itself, so a second one carries the lock.
	lock, err := lockPort(s.Port)
	if err != nil {
		return nil, openError(s.Port, err)
	}
	port, err := openPrivate(s.Port, mode)
	if err != nil {
		lock.Close()
		return nil, openError(s.Port, err)
	}
	return &serialPort{Port: port, lock: lock}, nil
}

// serialMode translates the settings.
func serialMode(s Settings) (*serial.Mode, error) {
	parity, ok := map[string]serial.Parity{
		"none": serial.NoParity, "even": serial.EvenParity, "odd": serial.OddParity,
	}[s.Parity]
	if !ok {
		return nil, fmt.Errorf("parity %q is not none, even or odd", s.Parity)
	}
	stop, ok := map[int]serial.StopBits{1: serial.OneStopBit, 2: serial.TwoStopBits}[s.StopBits]
	if !ok {
		return nil, fmt.Errorf("%d stop bits are not 1 or 2", s.StopBits)
	}
	return &serial.Mode{BaudRate: s.Baud, DataBits: s.DataBits, Parity: parity, StopBits: stop}, nil
}

var (
	errBusy  = errors.New("another program has the port open")
	errNoTTY = errors.New("not a serial port")
)

// lockPort opens path a first time and takes flock on it. TIOCEXCL, which go.bug.st/serial
// sets, does not stop root, and stays behind on some drivers when its owner is killed; flock does neither.
func lockPort(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&os.ModeCharDevice == 0 {
		return nil, errNoTTY
	}
	// O_NONBLOCK: do not wait for a carrier. O_NOCTTY: a hang-up must not signal us.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	lock := os.NewFile(uintptr(fd), path)
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%w: %w", errNoTTY, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errBusy
		}
		return nil, err
	}
	return lock, nil
}

// openPrivate opens the port and sets close-on-exec on what go.bug.st/serial opened without it: the
// port and its signalling pipe. ForkLock keeps any child from being forked in between.
func openPrivate(path string, mode *serial.Mode) (serial.Port, error) {
	var device unix.Stat_t
	if err := unix.Stat(path, &device); err != nil {
		return nil, err
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	before, err := openDescriptors()
	if err != nil {
		return nil, err
	}
	port, err := serial.Open(path, mode)
	if err != nil {
		return nil, err
	}
	after, err := openDescriptors()
	if err != nil {
		port.Close()
		return nil, err
	}
	for _, fd := range after {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			continue // the one that listed the folder
		}
		isPort := st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == device.Rdev && fd > 2
		isPipe := st.Mode&unix.S_IFMT == unix.S_IFIFO && !slices.Contains(before, fd)
		if isPort || isPipe {
			unix.CloseOnExec(fd)
		}
	}
	return port, nil
}

// openDescriptors lists our open file descriptors.
func openDescriptors() ([]int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, fmt.Errorf("list open files: %w", err)
	}
	var fds []int
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}
