// Package events sends events to the clients that watch. Each client has a queue of its own. A client that reads too
// slowly gets the event resync, and must fetch everything again. It does not delay the other clients.
package events

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Topic is a set of things that can be watched.
type Topic uint8

// The topics.
const (
	Status   Topic = 1 << iota // the status and its problems
	Values                     // the latest values
	Triggers                   // rows of the trigger log
	Logs                       // lines of the log
	All      = Status | Values | Triggers | Logs
)

// topicOf returns the topic with this name; 0 if there is none.
func topicOf(word string) Topic {
	switch word {
	case "status":
		return Status
	case "values":
		return Values
	case "triggers":
		return Triggers
	case "logs":
		return Logs
	}
	return 0
}

// ParseTopics reads the names of topics, separated by commas. "" means all topics. The error lists the allowed names.
func ParseTopics(text string) (Topic, error) {
	if text == "" {
		return All, nil
	}
	var set Topic
	for word := range strings.SplitSeq(text, ",") {
		topic := topicOf(word)
		if topic == 0 {
			return 0, errors.New("want some of status, values, triggers, logs, separated by commas")
		}
		set |= topic
	}
	return set, nil
}

// Event is one thing that happened.
type Event struct {
	ID    string // "<run>-<n>"
	Name  string // "status", "values", "problem", "trigger", "log", "resync"
	Data  []byte // JSON
	topic Topic
}

// Resync is the name of the event for a watcher that has missed events. The watcher must fetch everything again.
const Resync = "resync"

const (
	kept = 256 // most events that are kept for clients that connect again
	// keptBytes is the most bytes of data in the kept events. The newest event is kept even if it is larger. All values
	// of ten controllers are 130 KB.
	keptBytes = 256 << 10
	queued    = 64 // places in the queue of a watcher, in addition to the events that it has missed
	most      = 32 // most watchers at once
)

// The errors of Join.
var (
	ErrFull = fmt.Errorf("%d streams of events are open, and more are not allowed: close one, or try again later",
		most)
	ErrClosed = errors.New("the agent is shutting down")
)

// Hub passes events to watchers. Make one with New. Its methods may be called from any goroutine.
type Hub struct {
	run uint64

	mu       sync.Mutex
	n        uint64 // number of the last event
	from     uint64 // number of the oldest kept event
	ring     [kept]Event
	bytes    int // size of the data of the kept events
	watchers map[*Watcher]bool
	closed   bool
}

// Watcher is a client that gets events. Call Leave when it has disconnected.
type Watcher struct {
	hub    *Hub
	topics Topic
	queue  chan Event
	gone   chan struct{}
}

// New returns a hub. The run makes the ids different from those of an earlier start.
func New(run uint64) *Hub { return &Hub{run: run, from: 1, watchers: map[*Watcher]bool{}} }

// Join adds a watcher of some topics. last is the id of the last event that the client has received. The watcher first
// gets the kept events after it. If last is "", or if not all events after it are kept, the watcher gets a resync
// instead. Errors are ErrFull and ErrClosed.
func (h *Hub) Join(topics Topic, last string) (*Watcher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if len(h.watchers) >= most {
		return nil, ErrFull
	}
	missed, known := h.after(last)
	w := &Watcher{h, topics, make(chan Event, queued+len(missed)), make(chan struct{})}
	h.watchers[w] = true
	if !known {
		w.resync()
	}
	for _, e := range missed {
		w.take(e)
	}
	return w, nil
}

// after returns the events after the one with this id; false if not all of them are kept. h.mu is locked.
func (h *Hub) after(id string) (missed []Event, known bool) {
	n, known := h.number(id)
	if !known {
		return nil, false
	}
	for n++; n <= h.n; n++ {
		missed = append(missed, h.ring[n%kept])
	}
	return missed, true
}

// number reads an id; false if not all events after it are kept. h.mu is locked.
func (h *Hub) number(id string) (n uint64, known bool) {
	run, rest, ok := strings.Cut(id, "-")
	if !ok || run != strconv.FormatUint(h.run, 10) {
		return 0, false
	}
	n, err := strconv.ParseUint(rest, 10, 64)
	return n, err == nil && rest == strconv.FormatUint(n, 10) && n <= h.n && n+1 >= h.from
}

// Publish sends an event to the clients that watch its topic. The data must not change afterwards.
func (h *Hub) Publish(topic Topic, name string, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	e := Event{h.id(), name, data, topic}
	h.keep(e)
	for w := range h.watchers {
		w.take(e)
	}
}

// keep puts the newest event into the ring, and drops the oldest events that exceed kept or keptBytes. h.mu is locked.
func (h *Hub) keep(e Event) {
	h.bytes += len(e.Data) - len(h.ring[h.n%kept].Data)
	h.ring[h.n%kept] = e
	if h.n >= kept {
		h.from = max(h.from, h.n-kept+1)
	}
	for ; h.bytes > keptBytes && h.from < h.n; h.from++ {
		h.bytes -= len(h.ring[h.from%kept].Data)
		h.ring[h.from%kept] = Event{}
	}
}

// id returns the id of the newest event. h.mu is locked.
func (h *Hub) id() string { return fmt.Sprintf("%d-%d", h.run, h.n) }

// Missed makes the clients that watch a topic fetch everything again.
func (h *Hub) Missed(topic Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	h.keep(Event{h.id(), Resync, []byte("{}"), topic})
	for w := range h.watchers {
		if w.topics&topic != 0 {
			w.resync()
		}
	}
}

// take puts an event into the queue of a watcher. If the queue is full, the watcher gets a resync. hub.mu is locked.
func (w *Watcher) take(e Event) {
	if w.topics&e.topic == 0 {
		return
	}
	select {
	case w.queue <- e:
	default:
		w.resync()
	}
}

// resync replaces all events in the queue by a resync. hub.mu is locked, so no other event is added meanwhile.
func (w *Watcher) resync() {
	for {
		select {
		case <-w.queue:
			continue
		default:
		}
		w.queue <- Event{w.hub.id(), Resync, []byte("{}"), All}
		return
	}
}

// Events returns the channel of the events.
func (w *Watcher) Events() <-chan Event { return w.queue }

// Gone returns a channel that is closed when the hub is closed.
func (w *Watcher) Gone() <-chan struct{} { return w.gone }

// Leave removes the watcher from its hub.
func (w *Watcher) Leave() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	delete(w.hub.watchers, w)
}

// Watched returns the topics that are watched now; 0 if there is no watcher.
func (h *Hub) Watched() (topics Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		topics |= w.topics
	}
	return topics
}

// Forget drops all kept events. It is for a time without comparisons: changes in that time have made no events, so the
// kept events are not complete.
func (h *Hub) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++ // the last id is not known any more either
	h.from, h.bytes = h.n+1, 0
	h.ring = [kept]Event{}
}

// Close ends all watchers. After it Join fails with ErrClosed.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	for w := range h.watchers {
		close(w.gone)
	}
}
