package publish

import (
	"slices"

	"noi-agent/sinks"
)

const (
	// trustAfter is the number of requests in a row that must be accepted before a request may have several messages of
	// an object. If a cloud accepts a later message of such a request and not an earlier one, the order is lost.
	trustAfter = 150
	// mistrust is how many more accepted requests are needed after a request of which a cloud accepted only some
	// messages.
	mistrust = 10_000
)

// lanes keeps the messages of each object in order while several requests are in flight: the next message of an object
// goes when the one before it is settled. One goroutine owns it.
type lanes struct {
	shape sinks.Flight
	busy  map[string]bool // keys with a message in flight
	clean int             // accepted requests in a row; below 0: after a request that was accepted in part

	keys  map[string]bool // keys of the present choice; kept for its room
	taken []bool          // places of the present choice; kept for its room
}

func newLanes(shape sinks.Flight) lanes {
	return lanes{shape: shape, busy: map[string]bool{}, keys: map[string]bool{}}
}

// repeats reports whether a request may have several messages of an object.
func (l *lanes) repeats() bool {
	return l.shape.OneKey || !l.shape.Distinct && l.clean >= trustAfter
}

// answered notes whether a cloud has accepted a request, or whether some or all of its messages must be sent again.
func (l *lanes) answered(results []sinks.Result) {
	var taken, left bool
	for _, r := range results {
		taken = taken || r.Outcome == sinks.Accepted
		left = left || r.Outcome == sinks.Retry || r.Outcome == sinks.Wait
	}
	switch {
	case taken && left:
		l.clean = -mistrust
	case left:
		l.clean = min(l.clean, 0)
	default:
		l.clean = min(l.clean+1, trustAfter)
	}
}

// pick returns the places of the samples for the next request, at most most messages, the oldest first. slots is the
// number of requests that may be in flight at once. alone: none is in flight.
//
// If a request may have several messages of an object, the objects are divided among the slots. Otherwise a controller
// with 52 objects would fill only five requests of ten, however many samples wait.
func (l *lanes) pick(waiting []outgoing, most, slots int, alone bool) []int {
	p := picking{lanes: l, waiting: waiting, most: most, places: make([]int, 0, min(most, len(waiting)))}
	keys := most
	switch {
	case l.shape.OneKey:
		keys = 1
	case l.repeats():
		keys = (l.free(waiting) + slots - 1) / slots
	}
	clear(l.keys)
	l.taken = append(l.taken[:0], make([]bool, len(waiting))...)
	p.scan(keys, l.repeats())
	for keys < most && !l.shape.OneKey && len(p.places) < most { // one full request costs less than two
		keys++
		p.scan(keys, l.repeats())
	}
	if alone && !l.shape.Distinct {
		p.scan(len(p.keys), true) // fewer objects wait than the request has room for
	}
	slices.Sort(p.places)
	return p.places
}

// free counts the waiting objects without a message in flight.
func (l *lanes) free(waiting []outgoing) int {
	clear(l.keys)
	for i := range waiting {
		if key := waiting[i].key; !l.busy[key] {
			l.keys[key] = true
		}
	}
	return len(l.keys)
}

// picking is the choice for one request.
type picking struct {
	*lanes
	waiting []outgoing
	most    int
	places  []int
}

// scan adds messages with at most keys different keys, the oldest first. If a message is left out, all later messages
// of its key are left out too.
func (p *picking) scan(keys int, repeats bool) {
	for i := range p.waiting {
		if len(p.places) == p.most {
			return
		}
		key := p.waiting[i].key
		mine := p.keys[key]
		if p.busy[key] || mine && !repeats || !mine && len(p.keys) >= keys || p.taken[i] {
			continue
		}
		p.keys[key], p.taken[i] = true, true
		p.places = append(p.places, i)
	}
}
