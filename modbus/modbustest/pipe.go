package modbustest

import (
	"errors"
	"sync"
	"syscall"
	"time"
)

// ErrClosed is the error of a Pipe's methods after Close.
var ErrClosed = errors.New("pipe is closed")

// Pipe is a serial port in memory with slaves. It has no goroutine: it works during calls of Write and Read, and
// sleeps on timers, so that it works in the virtual time of testing/synctest.
type Pipe struct {
	clock func() time.Time
	wake  chan struct{}

	mu      sync.Mutex // guards the fields below; not held while a read waits
	wire    wire
	timeout time.Duration
	open    bool
	gone    bool
	written []byte
}

// NewPipe returns a closed port whose bytes travel at baud, with charBits bits a character (11 at 8N2). With baud 0
// bytes take no time. Dial opens the port.
func NewPipe(baud, charBits int, slaves ...*Slave) *Pipe {
	return &Pipe{clock: time.Now, wake: make(chan struct{}, 1),
		wire: wire{char: charTime(baud, charBits), slaves: slaves}}
}

// Dial opens the port. It fails with ENODEV while the port is unplugged.
func (p *Pipe) Dial() (*Pipe, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil, syscall.ENODEV
	}
	p.open = true
	return p, nil
}

// Close closes the port. Bytes on their way stay on their way. A waiting read returns.
func (p *Pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = false
	p.stir()
	return nil
}

// Unplug makes the port fail like an unplugged adapter, until Plug. The slaves' bytes are lost.
func (p *Pipe) Unplug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.wire.out = nil
	p.stir()
}

// Plug makes Dial succeed again.
func (p *Pipe) Plug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = false
}

// stir wakes a waiting read.
func (p *Pipe) stir() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Inject puts bytes on the line towards the reader, like another sender. They arrive at once, or after the bytes that
// are on their way.
func (p *Pipe) Inject(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wire.send(p.wire.after(p.clock()), b, Fault{})
	p.stir()
}

// Overhear puts a whole request of another master on the line, as on a two-wire bus. The reader gets the request and
// the slaves' replies.
func (p *Pipe) Overhear(request []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wire.overhear(p.clock(), request)
	p.stir()
}

// Written returns all bytes written to the port so far.
func (p *Pipe) Written() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]byte(nil), p.written...)
}

// SetReadTimeout sets the timeout of the next reads.
func (p *Pipe) SetReadTimeout(d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timeout = d
	return nil
}

// Write sends bytes to the slaves. It returns at once, like a port with a buffer.
func (p *Pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.failure(); err != nil {
		return 0, err
	}
	p.written = append(p.written, b...)
	p.wire.feed(p.clock(), b)
	return len(b), nil
}

// Read returns the bytes that have arrived, at least one, or (0, nil) after the read timeout.
func (p *Pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	deadline := p.clock().Add(p.timeout)
	p.mu.Unlock()
	for {
		n, until, err := p.poll(b, deadline)
		if n > 0 || err != nil {
			return n, err
		}
		wait := until.Sub(p.clock())
		if wait <= 0 {
			return 0, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		}
		timer.Stop()
	}
}

// poll takes the bytes that have arrived. If there are none, it returns the time until which none can arrive.
func (p *Pipe) poll(b []byte, deadline time.Time) (int, time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.failure(); err != nil {
		return 0, deadline, err
	}
	if n := p.wire.take(p.clock(), b); n > 0 {
		return n, deadline, nil
	}
	if at, ok := p.wire.next(); ok && at.Before(deadline) {
		return 0, at, nil
	}
	return 0, deadline, nil
}

func (p *Pipe) failure() error {
	switch {
	case p.gone:
		return syscall.EIO
	case !p.open:
		return ErrClosed
	default:
		return nil
	}
}
