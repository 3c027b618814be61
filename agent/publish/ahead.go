package publish

import (
	"fmt"
	"slices"
	"time"

	"noi-agent/agent/worker"
	"noi-agent/configs"
	"noi-agent/store"
)

// mostAhead bounds how many samples are read ahead of the requests in flight.
const mostAhead = 1000

// ahead is what was read of the outbox and is not in flight, the oldest first. It is read again when something has
// changed, and when a request cannot be filled with it. The zero ahead has nothing.
type ahead struct {
	ready   []outgoing
	pending int           // samples that wait, as far as was looked; 0: none
	due     int           // those of them that may go in this round
	hold    time.Duration // how long the first one that is not ready waits for the clock
	all     bool          // nothing more waits
	again   bool          // it was read to fill a request, and no request has landed since

	changed <-chan struct{} // closed: there is something new in the outbox
	turned  <-chan struct{} // closed: more is known about the clock
}

// forget has the outbox be read again.
func (a *ahead) forget() { *a = ahead{} }

// current reports whether what was read can be sent as it is.
func (a *ahead) current() bool {
	return len(a.ready) > 0 && !worker.Over(a.changed) && !worker.Over(a.turned)
}

// take returns what is at these places, ascending, and removes it.
func (a *ahead) take(places []int) []outgoing {
	taken := make([]outgoing, 0, len(places))
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

// read reads what waits in the outbox and may go, but for what is in flight.
func (f *Forwarder) read() error {
	a := ahead{turned: f.clock.Wall.Turned()}
	limit := f.readLimit()
	pending, err := f.store.Pending(f.cfg.ID, limit)
	if err != nil {
		return fmt.Errorf("read what waits: %w", err)
	}
	a.changed, a.all = f.store.Changed(f.cfg.ID), len(pending) < limit
	pending = f.flights.without(pending)
	due := f.whole(f.round.due(pending))
	a.pending, a.due = len(pending), len(due)
	a.ready, a.hold = f.correctTimes(due)
	if worker.Over(a.turned) {
		a.ready = nil // what is known of the clock is newer than what was read with the samples
	}
	f.ahead = a
	return nil
}

// readLimit is how many deliveries are worth asking for at once.
func (f *Forwarder) readLimit() int {
	w := f.window()
	if f.cfg.Envelope == configs.EnvelopeBatch || f.flights.flow.most == 1 {
		return w
	}
	return f.flights.samples() + max(w, min(2*(1+f.abreast())*w, mostAhead))
}

// without leaves out what is in flight.
func (s *flights) without(pending []store.Delivery) []store.Delivery {
	if s.n == 0 {
		return pending
	}
	return slices.DeleteFunc(pending, func(d store.Delivery) bool { return s.places[placeOf(&d)] })
}
