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
	alarm  bool     // its object is marked as an alarm
	active []string // the active alarms: names of bits, or of a state
	value  objects.Value
	none   bool // the reply has no value, but still ends a gap
	at     time.Time
	booted time.Time     // time of the boot by the clock of at
	read   time.Duration // monotonic time at which the reply arrived
	// moments: how many regular moments of its object had passed when the reply arrived, in all
	moments uint64
}

// Sweep is the outcome of one sweep, on its way from a poller to the sampler.
type Sweep struct {
	Source   objects.Source
	Names    []string // the words for the slave in filters
	Family   *objects.Family
	Nameless bool // its product code is not known, so it may belong to filters by product code
	Samples  []objects.Sample
	Every    []time.Duration // the log interval of each sample
	Gaps     []objects.Gap   // the gaps before the samples: object, from, to, count and reason
	Due      []time.Duration // the log interval of the object of each gap
	Blanks   []Blank         // the objects whose reply had no value
	BootedAt time.Time       // time of the boot, by the clock that stamped the samples
	Unsure   bool            // it is not known whether that clock is right
}

// Blank is a reply without a value: NaN, an absent sensor. It is no sample, and no sample is missing.
type Blank struct {
	Object string
	At     time.Time     // when the reply arrived
	Every  time.Duration // the log interval of the object
}

// handover gives sweeps to the sampler while the line is busy. The sampler and the integrations need processor time,
// for which the line would wait between two requests. So a sweep is kept until the next request is on the wire, or
// until nothing is due. The poller's goroutine owns it.
type handover struct {
	out  chan<- *Sweep // the queue of all pollers
	held []*Sweep      // kept sweeps, the oldest first; one, except while the queue is full
}

// take keeps a sweep. False: there is no room.
func (h *handover) take(t *Sweep) bool {
	if len(h.out)+len(h.held) >= cap(h.out) {
		return false
	}
	h.held = append(h.held, t)
	return true
}

// give hands on the kept sweeps for which the queue has room. It never waits.
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
