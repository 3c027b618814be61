package modbus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// serialPort is an open port and the lock that excludes other programs.
type serialPort struct {
	modemPort
	path    string
	number  uint64    // of the device, st_rdev
	out     io.Writer // sends: the port itself, or an rtsSender before it
	restore func()    // restores the RS-485 mode of the driver; nil: the mode was not changed
}

// Write sends p. It returns once the driver has the bytes, and with RS485 mode rts once they have left.
func (p *serialPort) Write(b []byte) (int, error) { return p.out.Write(b) }

// Close closes the port, then gives up the lock.
func (p *serialPort) Close() error {
	if p.restore != nil {
		p.restore()
	}
	return errors.Join(p.Port.Close(), p.tty.file.Close())
}

// Gone reports whether the path no longer leads to the open device: the path is missing, or leads to another device.
// This happens when a USB adapter gets a new number while the old one is still open. Then only opening the port again
// helps. If the path cannot be read for another reason, Gone is false.
func (p *serialPort) Gone() bool {
	var st unix.Stat_t
	if err := unix.Stat(p.path, &st); err != nil {
		return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
	}
	return st.Mode&unix.S_IFMT != unix.S_IFCHR || uint64(st.Rdev) != p.number
}

// OpenSerial opens and locks a serial port. Until the port is closed or this process ends, no other program that locks
// its ports can open it, and no child process inherits it. When OpenSerial returns, the hardware is set as requested
// (RS-485, DTR, RTS, low latency). Errors are *OpenError.
//
// The Port also has a method Gone() bool, which reports whether its path now leads to another device.
func OpenSerial(s Settings) (Port, error) {
	s = s.withDefaults()
	port, err := openLocked(s)
	if err != nil {
		return nil, openError(s.Port, err)
	}
	return port, nil
}

func openLocked(s Settings) (Port, error) {
	mode, err := serialMode(s)
	if err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	// go.bug.st/serial gives no access to its descriptor. So a second descriptor has the lock. This descriptor is also
	// used for all other requests to the driver, and is read while the line has pauses.
	lock, err := lockPort(s.Port)
	if err != nil {
		return nil, err
	}
	port, err := openBehind(tty{lock}, s, mode)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return port, nil
}

// openBehind opens the port that is locked already and sets it up.
func openBehind(lock tty, s Settings, mode *serial.Mode) (Port, error) {
	number, err := lock.number()
	if err != nil {
		return nil, err
	}
	if mode.InitialStatusBits, err = initialBits(lock, s); err != nil {
		return nil, err
	}
	port, err := openPrivate(s.Port, mode)
	if err != nil {
		return nil, err
	}
	p := &serialPort{modemPort: modemPort{Port: port, tty: lock}, path: s.Port, number: number, out: port}
	if err := p.setUp(s); err != nil {
		if p.restore != nil {
			p.restore()
		}
		port.Close()
		return nil, err
	}
	return newSparingPort(p)
}

// setUp sets everything that serial.Mode does not have. RS-485 comes first: while this mode is on, a driver does not
// change RTS for us.
func (p *serialPort) setUp(s Settings) (err error) {
	switch s.RS485.Mode {
	case rs485Kernel:
		p.restore, err = startKernelRS485(p.tty, s.RS485)
	case rs485RTS:
		err = stopKernelRS485(p.tty)
		p.out = &rtsSender{port: p.modemPort, settings: s}
	}
	if err != nil {
		return err
	}
	if err := setLevels(p.modemPort, s); err != nil {
		return err
	}
	return lowLatency(s.LowLatency, p.tty, deviceFolder(p.number))
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

// lockPort opens path a first time and takes flock on it. go.bug.st/serial also sets TIOCEXCL after the port is set up.
// TIOCEXCL excludes programs that do not use flock, but not root, and with some drivers it stays set when its owner is
// killed. flock also excludes root, and ends with its owner, but excludes only programs that use flock.
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
	// os.NewFile puts a non-blocking descriptor into Go's poller. The poller would wake a thread for each piece of a
	// reply, a hundred times for a reply of a second, although no goroutine waits there.
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
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

// openPrivate opens the port, and sets close-on-exec on the descriptors that go.bug.st/serial opened without it: the
// port and its signalling pipe. ForkLock prevents that a child is forked between the two steps.
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
			continue // the descriptor that listed the folder, closed by now
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
