package modbus

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errHungUp comes from a read after the adapter was unplugged.
var errHungUp = errors.New("the port has hung up")

// sparingPort is a serial port that causes few wake-ups, except while the line is in a hurry.
type sparingPort struct {
	*serialPort
	*reader
	hurry *bool
}

// Hurry sets whether the line has no pauses. Then a thread of its own waits for the port. Go's runtime checks its
// poller only when a processor has nothing else to do. While the integrations use all processors, that would be some
// milliseconds late.
func (p sparingPort) Hurry(on bool) { *p.hurry = on }

// SetReadTimeout sets how long a read waits for the first byte; 0: it does not wait.
func (p sparingPort) SetReadTimeout(d time.Duration) error {
	return errors.Join(p.reader.SetReadTimeout(d), p.serialPort.SetReadTimeout(d))
}

// Read returns the bytes that have come; none if none came until the timeout.
func (p sparingPort) Read(b []byte) (int, error) {
	if *p.hurry {
		return p.serialPort.Read(b)
	}
	return p.reader.Read(b)
}

// newSparingPort makes a sparingPort from an open port. If this fails, the port is closed, but not its lock.
func newSparingPort(p *serialPort) (Port, error) {
	s := sparingPort{serialPort: p, hurry: new(bool)}
	err := p.tty.with(func(fd int) (err error) {
		s.reader, err = newReader(fd)
		return err
	})
	if err != nil {
		if p.restore != nil {
			p.restore()
		}
		p.Port.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the port and its lock.
func (p sparingPort) Close() error { return errors.Join(p.reader.close(), p.serialPort.Close()) }

// reader reads a serial port with few wake-ups. A thread that waits in the kernel, in select or read, makes Go's
// runtime wake up a second thread fifty times to watch it. So Go's poller waits here. It watches an epoll instance of
// this reader, which is ready when the port has bytes, or at a deadline. The port is in that instance only while a
// read waits for bytes: otherwise each byte of a reply would wake up a thread.
//
// The deadline is a timer of the kernel. A timer of the runtime is exact to a millisecond if nothing else runs,
// and wakes up two threads. The calls that check for events never wait, so they are raw system calls: other calls
// also wake up the thread that watches them. A read is not raw, because a driver may block in it: a raw call that
// does not return stops the whole program at the next garbage collection.
type reader struct {
	poll  *os.File        // the epoll instance
	wait  syscall.RawConn // raw access to poll
	epfd  int             // the descriptor of poll
	timer int             // a timerfd
	port  int             // the descriptor to read; its owner closes it

	patience time.Duration // timeout of a read

	events [2]unix.EpollEvent
	found  int                   // number of events that the last check found
	err    error                 // error of that check
	look   func(fd uintptr) bool // the method ready as a value, made once
}

// newReader makes a reader for the descriptor of an open port. After that no read of the port waits in the kernel.
func newReader(port int) (r *reader, err error) {
	if err := unix.SetNonblock(port, true); err != nil {
		return nil, fmt.Errorf("no waits: %w", err)
	}
	r = &reader{port: port, timer: -1}
	if r.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := unix.SetNonblock(r.epfd, true); err != nil { // otherwise os.NewFile does not add it to Go's poller
		return nil, errors.Join(fmt.Errorf("epoll: %w", err), unix.Close(r.epfd))
	}
	r.poll = os.NewFile(uintptr(r.epfd), "epoll")
	r.look = r.ready
	if err := r.fill(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// fill puts the timer and the port into the epoll instance. No goroutine waits for the port yet.
func (r *reader) fill() (err error) {
	if r.wait, err = r.poll.SyscallConn(); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if r.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	if err := r.watch(unix.EPOLL_CTL_ADD, r.timer, unix.EPOLLIN); err != nil {
		return err
	}
	return r.watch(unix.EPOLL_CTL_ADD, r.port, unix.EPOLLONESHOT)
}

// close ends all reads. The port stays open.
func (r *reader) close() error {
	r.port = -1
	err := r.poll.Close()
	if r.timer >= 0 {
		err = errors.Join(err, unix.Close(r.timer))
	}
	return err
}

// SetReadTimeout sets how long a read waits for the first byte; 0: it does not wait.
func (r *reader) SetReadTimeout(d time.Duration) error {
	r.patience = d
	return nil
}

// Read returns the bytes that have come; none if none came until the timeout.
func (r *reader) Read(p []byte) (int, error) {
	if ready, err := r.await(r.patience); !ready || err != nil || len(p) == 0 {
		return 0, err
	}
	n, err := unix.Read(r.port, p)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, errHungUp
	}
	return n, nil
}

// Sleep waits for d, above zero, to a tenth of a millisecond. It ends early when the port hangs up.
func (r *reader) Sleep(d time.Duration) error {
	if err := r.set(d); err != nil {
		return err
	}
	return r.wake()
}

// shortWait is the longest wait in which the thread keeps its processor, as in a computation. Such a wait causes no
// second wake-up, and the line continues at once even if the integrations use all processors.
const shortWait = 2 * time.Millisecond

// await waits at most d until the port has bytes or hangs up. ready includes bytes that came before. After d the port
// is not ready.
func (r *reader) await(d time.Duration) (ready bool, err error) {
	if d <= shortWait {
		return r.stay(d)
	}
	if err := r.set(d); err != nil {
		return false, err
	}
	if err := r.watch(unix.EPOLL_CTL_MOD, r.port, unix.EPOLLIN|unix.EPOLLONESHOT); err != nil {
		return false, err
	}
	if err := r.wake(); err != nil {
		return false, err
	}
	if r.events[0].Fd == int32(r.port) || r.found > 1 { // the port has fired, so the kernel no longer waits for it
		return true, r.set(0)
	}
	return false, r.watch(unix.EPOLL_CTL_MOD, r.port, unix.EPOLLONESHOT)
}

// stay is await for a short time. A signal may end it early.
func (r *reader) stay(d time.Duration) (ready bool, err error) {
	port, limit := unix.PollFd{Fd: int32(r.port), Events: unix.POLLIN}, unix.NsecToTimespec(int64(d))
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&port)), 1, uintptr(unsafe.Pointer(&limit)),
		0, 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return false, fmt.Errorf("wait: %w", errno)
	}
	return errno == 0 && n > 0, nil
}

// set starts the timer; 0 stops it.
func (r *reader) set(d time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if err := unix.TimerfdSettime(r.timer, 0, &spec, nil); err != nil {
		return fmt.Errorf("set timer: %w", err)
	}
	return nil
}

// watch changes the events for which the epoll instance waits at a descriptor.
func (r *reader) watch(op, fd int, events uint32) error {
	if err := unix.EpollCtl(r.epfd, op, fd, &unix.EpollEvent{Fd: int32(fd), Events: events}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// wake waits for the next event.
func (r *reader) wake() error {
	if err := r.wait.Read(r.look); err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	if r.err != nil {
		return fmt.Errorf("wait: %w", r.err)
	}
	return nil
}

// ready takes the waiting events, and reports whether there was any. If not, Go's poller waits.
func (r *reader) ready(uintptr) bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(r.epfd), uintptr(unsafe.Pointer(&r.events[0])),
		uintptr(len(r.events)), 0, 0, 0)
	r.found, r.err = int(n), nil
	if errno != 0 && errno != unix.EINTR {
		r.err = errno
	}
	return errno == 0 && n > 0 || r.err != nil
}
