package publish

import (
	"slices"

	"noi-agent/sinks"
)

const (
	// trustAfter is how many requests in a row have to be accepted before a request may have several messages of an
	// object. Of such a request, a cloud that takes a later message and not an earlier one spoils the order.
	trustAfter = 150
	// mistrust is how many requests more it takes after a request of which a cloud took only some messages.
	mistrust = 10_000
)

// lanes keeps the messages of each object in order while several requests are in flight: the next message of an object
// goes when the one before it is settled. One goroutine owns it.
type lanes struct {
	shape sinks.Flight
	busy  map[string]bool // keys of which a message is in flight
	clean int             // requests in a row that were accepted; below 0: after one that was accepted in part

	keys  map[string]bool // of the choice under way; kept for its room
	taken []bool          // the same, by place
}

func newLanes(shape sinks.Flight) lanes {
	return lanes{shape: shape, busy: map[string]bool{}, keys: map[string]bool{}}
}

// repeats reports whether a request may have several messages of an object.
func (l *lanes) repeats() bool {
	return l.shape.OneKey || !l.shape.Distinct && l.clean >= trustAfter
}

// answered notes whether a cloud has taken a request, or wants some of its messages or all again.
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

// pick returns the places of what goes into the next request of most messages, the oldest first. As many requests as
// there are slots are to go beside one another. alone: none is in flight.
//
// Where a request may have several messages of an object, the objects are shared out among the slots: else a controller
// with 52 objects would fill five requests of ten, whatever waits.
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
	for keys < most && !l.shape.OneKey && len(p.places) < most { // a full request costs less than two
		keys++
		p.scan(keys, l.repeats())
	}
	if alone && !l.shape.Distinct {
		p.scan(len(p.keys), true) // fewer objects wait than a request has room for
	}
	slices.Sort(p.places)
	return p.places
}

// free counts the objects that wait and of which no message is in flight.
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

// scan adds messages up to so many keys, the oldest first. A key that is left out is left out as a whole, and so is
// what follows a message that is left out.
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
