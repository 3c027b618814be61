package poll

import (
	"slices"
	"time"

	"noi-agent/objects"
)

// reading is one object's value as the line gave it, before it has a number.
type reading struct {
	object string
	unit   string
	alarm  bool     // its object is marked as one
	active []string // what of it is active then: names of bits, or of a state
	value  objects.Value
	none   bool // the reply held no value; what was missing before it is a gap all the same
	at     time.Time
	booted time.Time // moment of the boot by the clock that gave at
	// regular moments of its object, in all, up to the reply
	moments uint64
}

// Sweep is the outcome of one sweep, on its way from a poller to the sampler.
type Sweep struct {
	Source   objects.Source
	Names    []string // words by which filters may mean the slave
	Family   *objects.Family
	Nameless bool // its product code is not known: filters by product code may mean it too
	Samples  []objects.Sample
	Every    []time.Duration // the log interval of each
	Gaps     []objects.Gap   // what is missing before them: object, from, to, count and reason
	Due      []time.Duration // the log interval of the object of each gap
	BootedAt time.Time       // of the machine, by the clock that stamped the samples
	Unsure   bool            // it is not known whether that clock is right
}

// handover gives sweeps to the sampler while the line is busy. What follows takes processor time, down to the clouds;
// between two requests the line would wait for it. So a sweep is kept back until the next request is on the wire, or
// until nothing is due. The poller's goroutine owns it.
type handover struct {
	out  chan<- *Sweep // the queue of all pollers
	held []*Sweep      // the oldest first; one, except while the queue is full
}

// take keeps a sweep. False: there is no room for it.
func (h *handover) take(t *Sweep) bool {
	if len(h.out)+len(h.held) >= cap(h.out) {
		return false
	}
	h.held = append(h.held, t)
	return true
}

// give hands on what is held, as far as the queue has room. It never waits.
func (h *handover) give() {
	for len(h.held) > 0 {
		select {
		case h.out <- h.held[0]:
			h.held = slices.Delete(h.held, 0, 1)
		default: // other lines have filled it meanwhile
			return
		}
	}
}

// samples returns how many are held.
func (h *handover) samples() (n int) {
	for i := range h.held {
		n += len(h.held[i].Samples)
	}
	return n
}
