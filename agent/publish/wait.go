package publish

import (
	"context"
	"noi-agent/agent/worker"
	"time"
)

// wait is a time in which a forwarder does nothing, and what ends that time early. A nil channel ends nothing.
//
//	it waits for          most         ends early by                        when the agent ends
//	something to send     the round    a new sample or gap, a replay        it ends
//	its pace, a spread    the rest     -                                    it sends at once
//	its next round        the moment   an alarm, a replay                   it sends at once
//	a right clock         max_wait     the clock, a replay                  it ends
//	the next attempt      the backoff  an operator who has acted            it tries once, but for a wait of the cloud
//	the rate of a replay  the rest     a new sample                         the replay is cut short
type wait struct {
	most    time.Duration   // monotonic; 0: as long as it takes
	changed <-chan struct{} // closed: there is a new sample in the outbox
	asked   <-chan struct{} // an operator has requested a replay or a retry
	bell    <-chan struct{} // a fault or an alarm has changed
	turned  <-chan struct{} // closed: more is known about the clock
	hurry   <-chan struct{} // an operator may have removed the cause of the failure
}

// reason is why a wait has ended.
type reason int

const (
	timeUp   reason = iota
	awake           // by one of the channels of the wait
	rung            // by the bell
	draining        // the agent ends: there will be no new samples
	stopped         // the forwarder must end now
)

// wait waits, and returns the reason for its end. A new sample in the outbox has priority over the end of the agent.
func (f *Forwarder) wait(ctx context.Context, w wait) reason {
	if worker.Over(w.changed) {
		return awake
	}
	var up <-chan time.Time
	if w.most > 0 {
		timer := time.NewTimer(w.most)
		defer timer.Stop()
		up = timer.C
	}
	select {
	case <-up:
		return timeUp
	case <-w.changed:
	case <-w.asked:
	case <-w.turned:
	case <-w.hurry:
	case <-w.bell:
		return rung
	case <-f.draining:
		return draining
	case <-ctx.Done():
		return stopped
	}
	return awake
}
