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

// sparingPort is a serial port that is read with few wake-ups, except while the line is in a hurry.
type sparingPort struct {
	*serialPort
	*reader
	hurry *bool
}

// Hurry sets whether the line has no pauses. Then a thread waits for the port by itself. Go's runtime looks at its
// poller only when a processor has nothing else to do. If both integrations are busy, that is some milliseconds late.
func (p sparingPort) Hurry(on bool) { *p.hurry = on }

// SetReadTimeout sets how long a read waits for the first byte; 0: not at all.
func (p sparingPort) SetReadTimeout(d time.Duration) error {
	return errors.Join(p.reader.SetReadTimeout(d), p.serialPort.SetReadTimeout(d))
}

// Read returns what has come; 0 bytes if nothing came until the timeout.
func (p sparingPort) Read(b []byte) (int, error) {
	if *p.hurry {
		return p.serialPort.Read(b)
	}
	return p.reader.Read(b)
}

// newSparingPort makes one of an open port. If this fails, the port is closed, but not its lock.
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

// reader reads a serial port with few wake-ups. When a thread waits in the kernel by itself, in select or read, Go's
// runtime wakes up a second one fifty times to look after it. So Go's poller waits here. It watches an epoll instance
// of ours, which is ready when the port has bytes, or at a deadline. The port is in that instance only while a read
// waits for bytes: otherwise each byte of a reply would wake up a thread. The deadline is a timer of the kernel. A
// timer of the runtime is exact to a millisecond where nothing else runs, and wakes up two threads. The calls that look
// for events never wait, so they are raw: another one also wakes up the thread that would look after it. A read is not
// raw, because a driver can be stuck in it: a raw call that does not return would stop the whole program at the next
// collection of garbage.
type reader struct {
	poll  *os.File        // the epoll instance
	wait  syscall.RawConn // of poll
	epfd  int             // the descriptor of poll
	timer int             // a timerfd
	port  int             // the descriptor that is read; another owner closes it

	patience time.Duration // of a read

	events [2]unix.EpollEvent
	found  int                   // how many of them the last look found
	err    error                 // of that look
	look   func(fd uintptr) bool // made once
}

// newReader makes one for the descriptor of an open port. No read of it waits in the kernel from now on.
func newReader(port int) (r *reader, err error) {
	if err := unix.SetNonblock(port, true); err != nil {
		return nil, fmt.Errorf("no waits: %w", err)
	}
	r = &reader{port: port, timer: -1}
	if r.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := unix.SetNonblock(r.epfd, true); err != nil { // else os.NewFile keeps it from Go's poller
		return nil, errors.Join(fmt.Errorf("epoll: %w", err), unix.Close(r.epfd))
	}
	r.poll = os.NewFile(uintptr(r.epfd), "epoll")
	r.look = r.ready
	if err := r.fill(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// fill puts the timer and the port into the epoll instance. Nobody waits for the port yet.
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

// SetReadTimeout sets how long a read waits for the first byte; 0: not at all.
func (r *reader) SetReadTimeout(d time.Duration) error {
	r.patience = d
	return nil
}

// Read returns what has come; 0 bytes if nothing came until the timeout.
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

// shortWait is the longest wait in which the thread keeps its processor, as if it computed. It takes no second wake-up,
// and the line goes on at once even if the integrations use all processors.
const shortWait = 2 * time.Millisecond

// await waits until the port has bytes, those of before included, or hangs up, but at most for d: then it is not ready.
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
	if r.events[0].Fd == int32(r.port) || r.found > 1 { // then the kernel waits for it no more
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

// watch changes for what the epoll instance waits at a descriptor.
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

// ready takes the events that there are, and reports whether there was any. If not, Go's poller waits.
func (r *reader) ready(uintptr) bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(r.epfd), uintptr(unsafe.Pointer(&r.events[0])),
		uintptr(len(r.events)), 0, 0, 0)
	r.found, r.err = int(n), nil
	if errno != 0 && errno != unix.EINTR {
		r.err = errno
	}
	return errno == 0 && n > 0 || r.err != nil
}
