package main

import (
	"encoding/json"
	"hash/maphash"
	"io"
	"sync"
)

// screen prints messages, one line each. Only one goroutine prints, so a slow terminal does not keep a lock.
type screen struct {
	out   io.Writer
	lines chan []byte
	stop  chan struct{} // closed: print the waiting lines and end
	ended chan struct{}
	fault func(error) // called once, if a write to out fails
}

// startScreen starts a goroutine that prints to out. That goroutine calls fault, which must not wait.
func startScreen(out io.Writer, fault func(error)) *screen {
	s := &screen{out: out, lines: make(chan []byte, 256), stop: make(chan struct{}), ended: make(chan struct{}),
		fault: fault}
	go s.run()
	return s
}

// show adds a message to the lines to print. It waits while 256 lines wait to be printed. After close it does nothing.
func (s *screen) show(body []byte) {
	select {
	case s.lines <- body:
	case <-s.stop:
	}
}

// close prints the lines that still wait, and then returns.
func (s *screen) close() {
	close(s.stop)
	<-s.ended
}

func (s *screen) run() {
	defer close(s.ended)
	p := printer{out: s.out, fault: s.fault}
	for {
		select {
		case body := <-s.lines:
			p.print(body)
		case <-s.stop:
			for {
				select {
				case body := <-s.lines:
					p.print(body)
				default:
					return
				}
			}
		}
	}
}

// printer writes lines until a write fails.
type printer struct {
	out    io.Writer
	fault  func(error)
	line   []byte
	failed bool
}

func (p *printer) print(body []byte) {
	if p.failed {
		return
	}
	p.line = append(append(p.line[:0], body...), '\n')
	if _, err := p.out.Write(p.line); err != nil {
		p.failed = true
		p.fault(err)
	}
}

// tally counts the messages that one cloud got and accepted.
type tally struct {
	seed maphash.Seed

	mu       sync.Mutex // guards the fields below
	offered  int
	taken    int
	distinct map[uint64]struct{} // about 20 bytes per message while the simulation runs
}

func newTally() *tally {
	return &tally{seed: maphash.MakeSeed(), distinct: map[uint64]struct{}{}}
}

func (t *tally) offer(messages int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.offered += messages
}

func (t *tally) take(body []byte) {
	id := maphash.Bytes(t.seed, identity(body))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken++
	t.distinct[id] = struct{}{}
}

// counts returns the number of accepted messages, of different samples among them, and of refused messages.
func (t *tally) counts() (taken, distinct, refused int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken, len(t.distinct), t.offered - t.taken
}

// identity returns the part of a message that is the same each time a sample is sent: all fields but published_at. For
// a body that is not a JSON object it returns the body.
func identity(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return body
	}
	delete(fields, "published_at")
	id, err := json.Marshal(fields) // sorts the keys
	if err != nil {
		return body
	}
	return id
}
