package poll

import (
	"noi-agent/objects"
	"time"
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
