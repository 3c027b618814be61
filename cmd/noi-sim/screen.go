package main

import (
	"encoding/json"
	"hash/maphash"
	"io"
	"sync"
)

// screen prints messages, one line each, from one goroutine, so that a slow terminal holds no lock.
type screen struct {
	out   io.Writer
	lines chan []byte
	stop  chan struct{} // closed: print what is there and end
	ended chan struct{}
	fault func(error) // called once, when out takes no more
}

// startScreen starts printing to out. fault is called from the screen's goroutine and must not wait.
func startScreen(out io.Writer, fault func(error)) *screen {
	s := &screen{out: out, lines: make(chan []byte, 256), stop: make(chan struct{}), ended: make(chan struct{}),
		fault: fault}
	go s.run()
	return s
}

// show prints a message before long. It waits while the terminal is far behind. After close it does nothing.
func (s *screen) show(body []byte) {
	select {
	case s.lines <- body:
	case <-s.stop:
	}
}

// close prints what has been shown and returns when that is done.
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

// printer writes lines until that fails.
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

// tally counts what one cloud was offered and took.
type tally struct {
	seed maphash.Seed

	mu       sync.Mutex // guards what follows
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

// counts returns how many messages were taken, how many of them were different samples, and how many were refused.
func (t *tally) counts() (taken, distinct, refused int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken, len(t.distinct), t.offered - t.taken
}

// identity returns what stays the same when a sample is sent again: all of the message but its published_at. A body
// that is no such message stands for itself.
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
