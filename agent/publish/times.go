package publish

import (
	"context"
	"slices"
	"strconv"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/store"
)

// outgoing is a delivery with the time it is published with.
type outgoing struct {
	*store.Delivery
	corrected time.Time // the corrected Sample.SampledAt; zero: it needs no correction
	estimated bool      // its exact time will never be known
	key       string    // "line/unit/object": messages of one key go in order
}

// mark adds the attribute of an estimated time, even if the integration does not list it.
func (o *outgoing) mark(attributes []sinks.Attribute) []sinks.Attribute {
	if o.estimated {
		attributes = append(attributes, sinks.Attribute{Name: "clock", Value: "estimated"})
	}
	return attributes
}

// keyOf is the key of a sample's message.
func keyOf(d *store.Delivery) string {
	return d.Source.Line + "/" + strconv.Itoa(int(d.Source.UnitID)) + "/" + d.Sample.Object // at once: for each sample
}

// keys are the keys of the messages that were sent: one for each object, so they are made once.
type keys map[named]string

type named struct {
	line   string
	unit   uint8
	object string
}

// of is keyOf.
func (k keys) of(d *store.Delivery) string {
	name := named{d.Source.Line, d.Source.UnitID, d.Sample.Object}
	key, ok := k[name]
	if !ok {
		key = keyOf(d)
		k[name] = key
	}
	return key
}

// timed gives a delivery its time, which is the same in messages, exports, replays and the status. It changes d.
func timed(d *store.Delivery, key string) outgoing {
	o := outgoing{Delivery: d, key: key}
	var at time.Time
	if at, o.estimated = d.Stamp.Time(d.Sample.SampledAt); !at.Equal(d.Sample.SampledAt) {
		o.Sample.SampledAt, o.corrected = at, at
	}
	return o
}

// correctTimes gives deliveries their time, and returns those that may be sent now: the ones before the first that must
// wait for the clock. So the order is kept. hold is the remaining wait of this first one. correctTimes changes pending.
// It appends to ready.
func (f *Forwarder) correctTimes(ready []outgoing, pending []store.Delivery) (_ []outgoing, hold time.Duration) {
	f.clock.Wall.Look()
	_, up := f.clock.Wall.Read()
	most := f.clock.Wall.MaxWait()
	ready = slices.Grow(ready, len(pending))
	for i := range pending {
		d := &pending[i]
		waited := up - d.Stamp.Uptime
		o := timed(d, f.keys.of(d))
		switch s := d.Stamp; {
		case !s.Unsure || !s.SameBoot || s.Uptime < 0:
		case f.clock.Wall.Unsettled() && waited < clock.ProbeUnsure: // the time of the boot will soon be known better
			return ready, clock.ProbeUnsure - waited
		case o.estimated && waited < most:
			return ready, most - waited
		}
		ready = append(ready, o)
	}
	return ready, 0
}

// waitForClock waits until the clock is right, or until the first sample has waited for max_wait. Meanwhile it does
// work that needs no clock, because a clock may never become right.
func (f *Forwarder) waitForClock(ctx context.Context, most time.Duration, turned <-chan struct{}) bool {
	if worked, goesOn := f.meanwhile(ctx); worked {
		return goesOn
	}
	f.view.turn(IntegrationClock, f.clock.Now())
	end := f.wait(ctx, wait{most: most, turned: turned, asked: f.replays.asked})
	return end != draining && end != stopped
}

// blamed returns the state of an integration whose last attempt failed. If a certificate is not valid yet, and the
// clock is not known to be right, the state is that the integration waits for the clock.
func (f *Forwarder) blamed(state string, r sinks.Result) string {
	_, v := f.clock.Wall.Look()
	if !v.Good && r.ClockFault() {
		return IntegrationClock
	}
	return state
}

// SampledAt is the time at which a sample was taken, as in its message. The range of an export or a replay is compared
// with it.
func SampledAt(d *store.Delivery) time.Time {
	at, _ := d.Stamp.Time(d.Sample.SampledAt)
	return at
}

func SampleID(deviceID string, d *store.Delivery) string {
	return objects.SampleID(deviceID, d.Store, d.Run, d.Sample.N)
}

// Millis is RFC 3339 in UTC with exactly three decimals.
const Millis = "2006-01-02T15:04:05.000Z"
