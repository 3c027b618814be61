package publish

import (
	"fmt"
	"slices"
	"time"

	"noi-agent/agent/worker"
	"noi-agent/configs"
	"noi-agent/store"
)

// mostAhead limits how many samples are read ahead of the requests in flight.
const mostAhead = 1000

// ahead has the samples that were read of the outbox and are not in flight, the oldest first. The forwarder reads again
// when something has changed, and when these samples do not fill a request. The zero ahead has no samples.
type ahead struct {
	ready   []outgoing
	pending int           // waiting samples that were read; 0: none
	due     int           // those of them that may be sent in this round
	hold    time.Duration // how long the first sample that is not ready waits for the clock
	all     bool          // nothing more waits
	again   bool          // it was read again to fill a request, and no request has ended since

	changed <-chan struct{} // closed: there is a new sample in the outbox
	turned  <-chan struct{} // closed: more is known about the clock

	room []store.Delivery // memory of the samples that were read last
}

// mostRoom is for how many samples memory is kept: a sweep of a large controller.
const mostRoom = 128

// forget makes the forwarder read the outbox again.
func (a *ahead) forget() { *a = ahead{ready: a.ready[:0], room: a.room} }

// current reports whether the read samples are still current.
func (a *ahead) current() bool {
	return len(a.ready) > 0 && !worker.Over(a.changed) && !worker.Over(a.turned)
}

// take appends the samples at these places, ascending, to taken, and removes them.
func (a *ahead) take(taken []outgoing, places []int) []outgoing {
	left := a.ready[:0]
	for i := range a.ready {
		if len(places) > 0 && places[0] == i {
			taken, places = append(taken, a.ready[i]), places[1:]
		} else {
			left = append(left, a.ready[i])
		}
	}
	a.ready = left
	return taken
}

// read reads the samples in the outbox that wait and may be sent, without those in flight.
func (f *Forwarder) read() error {
	a := ahead{turned: f.clock.Wall.Turned()}
	limit := f.readLimit()
	room, ready := f.ahead.memory()
	pending, err := f.store.Pending(f.cfg.ID, limit, room)
	if err != nil {
		return fmt.Errorf("read what waits: %w", err)
	}
	a.changed, a.all, a.room = f.store.Changed(f.cfg.ID), len(pending) < limit, pending
	pending = f.flights.without(pending)
	due := f.whole(f.round.due(pending))
	a.pending, a.due = len(pending), len(due)
	a.ready, a.hold = f.correctTimes(ready, due)
	if worker.Over(a.turned) {
		a.ready = a.ready[:0] // the clock was judged again after these samples were read
	}
	f.ahead = a
	return nil
}

// memory returns the memory of the samples that were read last, if it is not large. The samples in flight are copies.
func (a *ahead) memory() (room []store.Delivery, ready []outgoing) {
	if cap(a.room) > mostRoom {
		return nil, nil
	}
	return a.room, a.ready[:0]
}

// readLimit is the highest useful number of deliveries in one read of the outbox.
func (f *Forwarder) readLimit() int {
	w := f.window()
	if f.cfg.Envelope == configs.EnvelopeBatch || f.flights.flow.most == 1 {
		return w
	}
	return f.flights.samples() + max(w, min(2*(1+f.abreast())*w, mostAhead))
}

// without leaves out the deliveries in flight.
func (s *flights) without(pending []store.Delivery) []store.Delivery {
	if s.n == 0 {
		return pending
	}
	return slices.DeleteFunc(pending, func(d store.Delivery) bool { return s.places[placeOf(&d)] })
}
