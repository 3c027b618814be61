package publish

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"noi-agent/configs"
	"noi-agent/sinks"
)

// The simulated fleet: every gateway samples its objects at each full minute of UTC, as the agent does.
const (
	simInterval = time.Minute
	simOutage   = 2 * time.Minute // begins after two minutes of work
)

// policy decides about a gateway's attempts. circuit is the policy of the agent. The naive policies are below.
type policy interface {
	window(full int) int
	failed(now time.Duration, r sinks.Result) time.Duration
	succeeded(now time.Duration)
	idle()
	takePause() time.Duration
}

// naive tries again after a fixed time, or after a time that doubles up to a minute. It has no jitter, and sends the
// backlog at once.
type naive struct {
	doubles  bool
	failures int
}

func (n *naive) window(full int) int      { return full }
func (n *naive) succeeded(time.Duration)  { n.failures = 0 }
func (n *naive) idle()                    {}
func (n *naive) takePause() time.Duration { return 0 }
func (n *naive) failed(time.Duration, sinks.Result) time.Duration {
	if !n.doubles {
		return 5 * time.Second
	}
	n.failures++
	return min(time.Second<<min(n.failures-1, maxDoublings), capNetwork)
}

// ours returns the policy of a gateway with the code of the agent.
func ours(pacing, spread time.Duration) func(id string) policy {
	in := &configs.Integration{ID: "FFjU28MMaL3W9B9hhhhH", Pacing: pacing, CatchUp: configs.CatchUp{Spread: spread}}
	return func(id string) policy {
		c := newCircuit(newBackoff(id, in), newPacing(id, in))
		c.ever, c.since = true, -24*time.Hour // it has worked for a day
		return &c
	}
}

// fleet is a simulation in virtual time: no goroutines, one event in flight for each gateway.
type fleet struct {
	gateways []simulated
	events   eventQueue
	full     int           // messages in a full request
	objects  int           // objects of each gateway
	capacity int           // requests a second that the cloud accepts, more are throttled; 0: no limit
	up       time.Duration // when the link of all gateways is back

	requests  []int // number that reached the cloud, by second
	refused   int   // number of refused requests
	back      []time.Duration
	delivered int
}

type simulated struct {
	policy policy
	flow   flow
	phase  time.Duration // from the full minute until its samples are in the outbox: the line, the commit
	rtt    time.Duration
	sent   int   // messages
	onWay  int   // messages of the requests in flight
	air    int   // requests in flight
	clean  int   // requests in a row that were accepted
	fault  uint8 // of a request, while other requests are in flight; 0: none

	failing bool // the last attempt failed
	caught  bool
}

type fleetRun struct {
	gateways, full, capacity int
	objects, inFlight        int // of each gateway
	outage, tail             time.Duration
	policy                   func(id string) policy
}

// simulate runs a fleet through two minutes of work, an outage, and the time after it.
func simulate(r fleetRun) *fleet {
	f := &fleet{full: r.full, capacity: r.capacity, objects: r.objects, up: simOutage + r.outage,
		gateways: make([]simulated, r.gateways)}
	end := f.up + r.tail
	f.requests = make([]int, int(end/time.Second)+1)
	for i := range f.gateways {
		own := rand.New(rand.NewPCG(uint64(i), 42))
		f.gateways[i] = simulated{
			policy: r.policy(simID(i)),
			flow:   newFlow(r.inFlight),
			phase:  time.Duration(own.Int64N(int64(1200 * time.Millisecond))), // time of one slave at 9600 bit/s
			rtt:    200*time.Millisecond + time.Duration(own.Int64N(int64(400*time.Millisecond))),
		}
		f.events.push(event{at: f.gateways[i].phase, id: int32(i)})
	}
	for len(f.events) > 0 {
		e := f.events.pop()
		if e.at >= end {
			break
		}
		f.happen(e)
	}
	return f
}

// The kinds of events: a gateway checks its outbox, or gets an answer.
const (
	looks uint8 = iota
	accepted
	throttled
	unreached
)

// happen is a forwarder's loop, cut into parts at its waits.
func (f *fleet) happen(e event) {
	g := &f.gateways[e.id]
	if e.kind != looks {
		g.air, g.onWay = g.air-1, g.onWay-int(e.messages)
	}
	switch e.kind {
	case accepted:
		f.accepted(g, e)
	case throttled, unreached:
		if g.fault == 0 && !g.failing {
			g.flow.failed(e.at)
		}
		g.fault, g.failing, g.clean = e.kind, true, 0
	}
	switch {
	case g.fault == 0:
		f.launch(g, e)
	case g.air == 0: // all requests in flight had the same fault
		r := sinks.Result{Outcome: sinks.Retry, Code: "Throttling"}
		if g.fault == unreached {
			r.Code = sinks.CodeNetwork
		}
		g.fault = 0
		f.later(e, g.policy.failed(e.at, r), looks)
	}
}

func (f *fleet) accepted(g *simulated, e event) {
	n := int(e.messages)
	g.sent += n
	f.delivered += n
	g.clean, g.failing = g.clean+1, false
	g.policy.succeeded(e.at)
	g.flow.answered(e.at, g.rtt, n)
	if !g.caught && e.at > f.up && f.sampled(g, e.at)-g.sent <= f.objects {
		g.caught = true
		f.back = append(f.back, e.at-f.up)
	}
}

// launch starts requests until one must wait.
func (f *fleet) launch(g *simulated, e event) {
	for {
		pending := f.sampled(g, e.at) - g.sent - g.onWay
		switch {
		case g.air > 0 && (g.air >= f.abreast(g) || min(pending, g.policy.window(f.full)) < f.full):
			return // waits for an answer; a request that is not full waits too
		case pending == 0:
			g.policy.idle()
			f.later(e, simInterval-(e.at-g.phase)%simInterval, looks)
			return
		case g.air == 0:
			if rest := g.policy.takePause(); rest > 0 {
				f.later(e, rest, looks)
				return
			}
		}
		f.send(g, e, min(pending, g.policy.window(f.full)))
	}
}

// abreast returns how many requests of a gateway may be in flight: a message of an object waits for the one before.
func (f *fleet) abreast(g *simulated) int {
	if g.clean >= trustAfter {
		return g.flow.now
	}
	return min(g.flow.now, max(1, f.objects/f.full))
}

func (f *fleet) send(g *simulated, e event, messages int) {
	g.flow.launched(e.at, g.air == 0)
	g.air, g.onWay, e.messages = g.air+1, g.onWay+messages, uint16(messages)
	if e.at >= simOutage && e.at < f.up {
		f.later(e, time.Second, unreached)
		return
	}
	second := int(e.at / time.Second)
	if f.requests[second]++; f.capacity > 0 && f.requests[second] > f.capacity {
		f.refused++
		f.later(e, g.rtt, throttled)
		return
	}
	f.later(e, g.rtt, accepted)
}

func (f *fleet) later(e event, wait time.Duration, kind uint8) {
	f.events.push(event{at: e.at + wait, id: e.id, kind: kind, messages: e.messages})
}

// sampled returns how many messages a gateway has had until at.
func (f *fleet) sampled(g *simulated, at time.Duration) int {
	return (int((at-g.phase)/simInterval) + 1) * f.objects
}

// peak returns the most requests in a second since the link is back.
func (f *fleet) peak() int { return slices.Max(f.requests[f.up/time.Second:]) }

// caught99 returns the time from the return of the link until 99 of 100 gateways had caught up; 0: they had not.
func (f *fleet) caught99() time.Duration {
	need := (len(f.gateways)*99 + 99) / 100
	if len(f.back) < need {
		return 0
	}
	return f.back[need-1] // they came in the order of time
}

type event struct {
	at       time.Duration
	id       int32
	messages uint16 // number in its request
	kind     uint8
}

func (e event) before(o event) bool { return e.at < o.at || e.at == o.at && e.id < o.id }

// eventQueue is a binary heap. container/heap would allocate for every event, and there are tens of millions.
type eventQueue []event

func (q *eventQueue) push(e event) {
	h := append(*q, e)
	i := len(h) - 1
	for i > 0 && e.before(h[(i-1)/2]) {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = e
	*q = h
}

func (q *eventQueue) pop() event {
	h := *q
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	for i, child := 0, 1; len(h) > 0; i, child = child, 2*child+1 {
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if child >= len(h) || !h[child].before(last) {
			h[i] = last
			break
		}
		h[i] = h[child]
	}
	*q = h
	return first
}

// simID returns the device id of the i-th gateway.
func simID(i int) string { return fmt.Sprintf("5300520006504b59%08x", i) }
