package modbustest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// quantum is the time for which bytes of a reply are collected, about as in an adapter. Bytes come late by up to a
// quantum and never early. The last byte of a frame comes when it is due. Without quanta the sender would wake up for
// each of 10,000 characters a second.
const quantum = time.Millisecond

// PTY is a serial line on a pseudo-terminal. Linux only.
type PTY struct {
	clock  func() time.Time
	char   time.Duration // time of one character
	path   string
	master *os.File
	slave  *os.File // kept open, so that the line stays when the program that uses it ends
	wakeup *os.File // eventfd that ends a wait

	masterFD, slaveFD, wakeupFD int

	closed  atomic.Bool
	serving sync.Mutex // held while Serve runs, and by Close
}

// OpenPTY makes a pseudo-terminal in raw mode whose bytes travel at baud, with charBits bits a character (11 at 8N2).
// With baud 0 bytes take no time. Serve runs the line, Close ends it.
func OpenPTY(baud, charBits int) (*PTY, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open pty: %w", err)
	}
	p := &PTY{clock: time.Now, char: charTime(baud, charBits), path: slave.Name(), master: master, slave: slave}
	if err := p.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("open pty: %w", err), p.Close())
	}
	return p, nil
}

func (p *PTY) prepare() (err error) {
	p.masterFD, p.slaveFD = int(p.master.Fd()), int(p.slave.Fd())
	if p.wakeupFD, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	p.wakeup = os.NewFile(uintptr(p.wakeupFD), "eventfd")
	// A reply that is not read must not block the line: bytes without room are lost, as in a UART.
	if err = unix.SetNonblock(p.masterFD, true); err != nil {
		return err
	}
	return makeRaw(p.slaveFD)
}

// makeRaw switches off all changes of bytes by the terminal, first of all the echo.
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8 | unix.CREAD | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// Path returns the device that a master opens as its serial port.
func (p *PTY) Path() string { return p.path }

// Hangup ends the line like an unplugged adapter. A program that has it open gets errors. To open it again fails too.
// Serve returns. Hangup is the same as Close.
func (p *PTY) Hangup() error { return p.Close() }

// Close ends Serve, closes the line and removes its device. It may be called again.
func (p *PTY) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	p.wake()
	p.serving.Lock()
	defer p.serving.Unlock()
	err := errors.Join(p.master.Close(), p.slave.Close())
	if p.wakeup != nil {
		err = errors.Join(err, p.wakeup.Close())
	}
	return err
}

// wake ends a wait. It may be called at any time, even after the file is closed.
func (p *PTY) wake() {
	if p.wakeup != nil {
		// fails if the wait has ended already, or the file is closed
		_, _ = p.wakeup.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// Serve lets slaves answer on the line until ctx or the line ends, which is no error. Only one Serve runs at a time.
func (p *PTY) Serve(ctx context.Context, slaves ...*Slave) error {
	p.serving.Lock()
	defer p.serving.Unlock()
	stop := context.AfterFunc(ctx, p.wake)
	defer stop()
	w := wire{char: p.char, slaves: slaves}
	var written time.Time
	for ctx.Err() == nil && !p.closed.Load() {
		readable, err := p.wait(due(&w, written))
		if err != nil {
			return fmt.Errorf("serve %s: %w", p.path, err)
		}
		if readable {
			p.receive(&w)
		}
		if p.transmit(&w) {
			written = p.clock()
		}
	}
	return nil
}

// due returns when the next chunk must be written: not before its first byte has crossed the line, at least a quantum
// after the last chunk, and at the latest with the last byte.
func due(w *wire, written time.Time) (time.Time, bool) {
	at, ok := w.next()
	if !ok {
		return at, false
	}
	if later := written.Add(quantum); at.Before(later) {
		at = later
	}
	if last := w.out[len(w.out)-1].at; last.Before(at) {
		at = last
	}
	return at, true
}

// wait returns when the master side can be read, at the time until, or when wake was called. ppoll is more exact than
// the runtime's timers, which round up to a millisecond on an idle machine.
func (p *PTY) wait(until time.Time, limited bool) (readable bool, err error) {
	var timeout *unix.Timespec
	if limited {
		ts := unix.NsecToTimespec(int64(max(0, until.Sub(p.clock()))))
		timeout = &ts
	}
	fds := []unix.PollFd{{Fd: int32(p.masterFD), Events: unix.POLLIN}, {Fd: int32(p.wakeupFD), Events: unix.POLLIN}}
	if _, err = unix.Ppoll(fds, timeout, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return false, err
	}
	var drained [8]byte
	_, _ = unix.Read(p.wakeupFD, drained[:]) // EAGAIN if wake was not the reason
	return err == nil && fds[0].Revents&unix.POLLIN != 0, nil
}

// receive gives the wire the bytes that the master side has written.
func (p *PTY) receive(w *wire) {
	var buf [512]byte
	n, err := unix.Read(p.masterFD, buf[:])
	if err != nil || n <= 0 {
		return
	}
	w.feed(p.clock(), buf[:n])
	// A killed program leaves its exclusive mode on, because the line stays open here. Then only root could open it
	// again. A real port ends the mode with the last close.
	_ = unix.IoctlSetInt(p.slaveFD, unix.TIOCNXCL, 0)
}

// transmit writes the bytes that have crossed the line by now.
func (p *PTY) transmit(w *wire) bool {
	var buf [512]byte
	n := w.take(p.clock(), buf[:])
	if n == 0 {
		return false
	}
	_, _ = unix.Write(p.masterFD, buf[:n]) // a full buffer loses bytes; Serve notices the end of the line
	return true
}
