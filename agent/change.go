package agent

import (
	"math"
	"reflect"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
)

// changes decides for the integrations with `when: change` which samples have changed. The sampler owns it.
type changes struct {
	elapsed func() time.Duration // monotonic
	by      *[]configs.Integration
	watches map[string]*watch // by the id of the integration
}

// watch has the last samples that one integration got.
type watch struct {
	cfg  configs.Integration
	last map[objectKey]given
}

// given is the last routed sample of an object. The next sample is compared with this one, and not with the last one
// taken, so that a slow drift is sent too.
type given struct {
	value           objects.Value
	slave, firmware string        // the value of another controller counts as changed
	at              time.Duration // monotonic
	band            float64       // a number within this band has not changed
}

// follow adapts the watches to a list of integrations. The watch of a changed integration begins again: after an edit
// all objects are sent once.
func (c *changes) follow(integrations *[]configs.Integration) {
	if c.by == integrations {
		return
	}
	watches := map[string]*watch{}
	for i := range *integrations {
		in := &(*integrations)[i]
		if in.When != configs.WhenChange {
			continue
		}
		if old := c.watches[in.ID]; old != nil && reflect.DeepEqual(old.cfg, *in) {
			watches[in.ID] = old
		} else {
			watches[in.ID] = &watch{cfg: *in, last: map[objectKey]given{}}
		}
	}
	c.by, c.watches = integrations, watches
}

// news reports whether an integration gets a sample; every is the log interval of its object. If so, the next sample is
// compared with this one.
func (c *changes) news(id string, source *objects.Source, s *objects.Sample, every time.Duration) bool {
	w := c.watches[id]
	if w == nil {
		return true // the integration gets all samples
	}
	key, now := objectKey{source.Unit(), s.Object}, c.elapsed()
	last, known := w.last[key]
	switch {
	case !known:
		last.band = w.cfg.Band(s.Object)
	case last.slave != source.Slave, last.firmware != source.Firmware:
	case differ(last.value, s.Value, last.band):
	case !beats(w.cfg.Heartbeat, now-last.at, every):
		return false
	}
	w.last[key] = given{s.Value, source.Slave, source.Firmware, now, last.band}
	return true
}

// lastDigit is half of the last digit of a number in a message. A smaller difference is ignored, because 1.3 - 1.2 is
// more than 0.1 in binary.
const lastDigit = 5e-7

// differ reports whether b is a change after a. A state or a bit field, also of a fault or an alarm, must only differ.
// A number must leave the band. Two values with the same text are never a change.
func differ(a, b objects.Value, band float64) bool {
	if a.Equal(b) {
		return false
	}
	if band > 0 {
		band += lastDigit
	}
	return a.Kind() != objects.KindNumber || b.Kind() != objects.KindNumber || math.Abs(b.Float()-a.Float()) > band
}

// beats reports whether an unchanged sample must be sent, because the next one, a log interval later, would be too late
// for the heartbeat. Samples are sometimes a little late; this does not make a heartbeat a log interval early.
func beats(heartbeat, since, every time.Duration) bool {
	return heartbeat > 0 && since+every > heartbeat+every/10
}
