package publish

import (
	"fmt"
	"slices"
	"time"

	"noi-agent/configs"
	"noi-agent/sinks"
	"noi-agent/store"
)

// flight is one request in flight. A later request uses its memory again.
type flight struct {
	items     []outgoing
	samples   []store.Delivery // of the items
	parcels   parcels          // of the items
	published time.Time
	begun     time.Duration
	results   []sinks.Result // set when the request has ended
}

// own gives the flight copies of its samples. The next samples are read into the memory of the others.
func (fl *flight) own() {
	fl.samples = slices.Grow(fl.samples[:0], len(fl.items))
	for i := range fl.items {
		fl.samples = append(fl.samples, *fl.items[i].Delivery)
		fl.items[i].Delivery = &fl.samples[i]
	}
}

// place identifies a delivery.
type place struct {
	seq   uint64
	index int
}

func placeOf(d *store.Delivery) place { return place{d.Seq, d.Index} }

// flights are the requests of an integration that are in flight. The forwarder's goroutine owns it.
type flights struct {
	n      int
	landed chan *flight
	flow   flow
	lanes  lanes
	places map[place]bool // the deliveries in flight

	spare   []*flight      // have landed: the next requests use their memory
	settled []store.Result // memory for the results of the request that has ended last

	// After a failure no request is sent before all requests in flight have ended. Then their results are judged
	// together, because they had the same failure.
	failed []sinks.Result
	pause  time.Duration // before the next request
}

// newFlights returns the flights of an integration.
func newFlights(in *configs.Integration, sink Sink) flights {
	most, shape := 1, sinks.Flight{}
	if s, ok := sink.(interface{ Flight() sinks.Flight }); ok {
		shape = s.Flight()
	}
	if shape.Several && in.Envelope != configs.EnvelopeBatch && in.CatchUp.Rate == 0 {
		most = max(1, in.InFlight)
	}
	return flights{
		landed: make(chan *flight, most), flow: newFlow(most), lanes: newLanes(shape), places: map[place]bool{},
	}
}

// takePause returns the wait before the next request, once.
func (s *flights) takePause() time.Duration {
	pause := s.pause
	s.pause = 0
	return pause
}

// samples returns the number of samples in flight.
func (s *flights) samples() int { return len(s.places) }

// begin notes a request that is sent.
func (s *flights) begin(fl *flight) {
	s.flow.launched(fl.begun, s.n == 0)
	s.n++
	for i := range fl.items {
		s.places[placeOf(fl.items[i].Delivery)] = true
		s.lanes.busy[fl.items[i].key] = true
	}
}

// end notes a request that has ended.
func (s *flights) end(fl *flight) {
	s.n--
	for i := range fl.items {
		delete(s.places, placeOf(fl.items[i].Delivery))
		delete(s.lanes.busy, fl.items[i].key)
	}
}

// prepare returns a flight without samples.
func (s *flights) prepare() *flight {
	last := len(s.spare) - 1
	if last < 0 {
		return new(flight)
	}
	fl := s.spare[last]
	s.spare = s.spare[:last]
	return fl
}

// keep keeps the memory of a flight that has landed. Its sink has returned, and keeps nothing of the messages.
func (s *flights) keep(fl *flight) {
	if cap(fl.items) <= mostRoom {
		fl.items, fl.results = fl.items[:0], nil
		s.spare = append(s.spare, fl)
	}
}

// abreast returns the number of requests that may be in flight now. After a failure it is one, the probe.
func (f *Forwarder) abreast() int {
	if f.circuit.probes() {
		return 1
	}
	return f.flights.flow.now
}

// full reports whether no further request may be sent before one in flight has ended.
func (f *Forwarder) full() bool {
	return f.flights.n >= f.abreast() || len(f.flights.failed) > 0 || f.flights.pause > 0
}

// next sends the next request, if one is useful in addition to those in flight. Otherwise it waits until one has ended.
func (f *Forwarder) next() bool {
	s := &f.flights
	if s.flow.most == 1 {
		fl := s.prepare()
		fl.items = append(fl.items, f.ahead.ready...)
		f.ahead.forget()
		f.launch(fl)
		return true
	}
	most := f.window()
	places := s.lanes.pick(f.ahead.ready, most, f.abreast()-s.n, s.n == 0)
	// A request that is not full costs as much as a full one. So it waits until the requests in flight have ended, as
	// with one request in flight.
	if short := len(places) < most && !s.lanes.shape.OneKey; s.n > 0 && (short || len(places) == 0) {
		return f.readOrLand()
	}
	fl := s.prepare()
	fl.items = f.ahead.take(fl.items, places)
	f.launch(fl)
	return true
}

// readOrLand reads more of the outbox if this can help to fill a request. Otherwise it waits until a request has ended.
func (f *Forwarder) readOrLand() bool {
	a := &f.ahead
	if !a.all && !a.again {
		if err := f.read(); err != nil {
			f.log.Error("outbox does not answer", "error", err)
			return false
		}
		f.ahead.again = true
		return true
	}
	f.flights.flow.slack()
	return f.land(a.changed)
}

// launch sends a request with as many of the samples of a flight as fit.
func (f *Forwarder) launch(fl *flight) {
	fl.own()
	fl.published, fl.begun = f.clock.Now(), f.clock.Elapsed()
	f.fill(&fl.parcels, fl.published, fl.items)
	f.hurried()
	f.flights.begin(fl)
	send := func() {
		fl.results = f.ask(fl.parcels.messages)
		f.flights.landed <- fl
	}
	if f.abreast() == 1 { // nothing can be done before it has ended
		send()
	} else {
		go send()
	}
}

// land waits until a request has ended, or until more samples can be sent in addition to those in flight. False: the
// store does not accept the results.
func (f *Forwarder) land(more <-chan struct{}) bool {
	select {
	case fl := <-f.flights.landed:
		f.ahead.again = false
		err := f.settle(fl)
		f.flights.keep(fl)
		if err != nil {
			f.log.Error("outbox does not settle", "error", err)
			return false
		}
	case <-more:
	}
	return true
}

// settle records the results of a request that has ended, and notes what they mean for the integration.
func (f *Forwarder) settle(fl *flight) error {
	s, now, completed := &f.flights, f.clock.Elapsed(), f.clock.Now()
	s.end(fl)
	f.heard(fl.results, completed)
	settled := slices.Grow(s.settled, len(fl.items))
	for i, r := range fl.results {
		for _, d := range fl.items[len(settled) : len(settled)+fl.parcels.counts[i]] {
			settled = append(settled, store.Result{
				Seq: d.Seq, Index: d.Index, Outcome: outcomeOf(r.Outcome),
				PublishedAt: fl.published, CompletedAt: completed, MessageID: r.MessageID, Error: r.Error(),
				SampledAt: d.corrected, Estimated: d.estimated,
			})
		}
	}
	defer s.keepRoom(settled)
	if err := f.store.Settle(f.cfg.ID, settled); err != nil {
		return fmt.Errorf("settle %d results of %s: %w", len(settled), f.cfg.ID, err)
	}
	f.circuit.fit.landed(len(settled), fl.results)
	if len(settled) < len(fl.items) {
		f.ahead.forget() // the samples that must be sent again are not in it
	}
	f.weigh(fl, now, completed)
	if s.pause == 0 && len(s.failed) == 0 {
		s.pause = f.spread(f.late(fl.items[:len(settled)]), f.clock.Elapsed()-fl.begun)
	}
	return nil
}

// keepRoom keeps the memory of results, without their texts, for the next request.
func (s *flights) keepRoom(settled []store.Result) {
	if cap(settled) <= mostRoom {
		clear(settled)
		s.settled = settled[:0]
	}
}

// weigh judges the results of a request: at once if no request has failed, otherwise together with the results of all
// requests in flight.
func (f *Forwarder) weigh(fl *flight, now time.Duration, completed time.Time) {
	s := &f.flights
	s.lanes.answered(fl.results)
	accepted, failed := tally(fl.results)
	if !failed && len(s.failed) == 0 {
		s.flow.answered(now, now-fl.begun, accepted)
		s.pause = max(s.pause, f.judge(fl.results, completed))
		return
	}
	if f.ahead.forget(); len(s.failed) == 0 && !f.circuit.failing {
		s.flow.failed(now)
	}
	if s.failed = append(s.failed, fl.results...); s.n == 0 {
		s.pause = max(s.pause, f.judge(s.failed, completed))
		s.failed = nil
	}
}

// tally counts the accepted messages. failed is true if a message must be sent again.
func tally(results []sinks.Result) (accepted int, failed bool) {
	for _, r := range results {
		switch r.Outcome {
		case sinks.Accepted:
			accepted++
		case sinks.Retry, sinks.Wait:
			failed = true
		}
	}
	return accepted, failed
}
