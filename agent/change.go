package agent

import (
	"math"
	"reflect"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
)

// changes decides for the integrations with `when: change` which samples say something new. The sampler owns it.
type changes struct {
	elapsed func() time.Duration // monotonic
	by      *[]configs.Integration
	watches map[string]*watch // by the id of the integration
}

// watch has the samples that one integration got last.
type watch struct {
	cfg  configs.Integration
	last map[objectKey]given
}

// given is the last sample of an object that was routed: it and not the last one seen is what the next is held against,
// so that a value that drifts is sent in time.
type given struct {
	value           objects.Value
	slave, firmware string        // another controller's value is news
	at              time.Duration // monotonic
	band            float64       // a number within it is no change
}

// follow makes the watches fit a list of integrations. What an integration was given is forgotten only where it
// changed: after an edit everything is sent once more.
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

// news reports whether an integration is to have a sample that it lists; every is the log interval of its object. From
// then on the sample is what the next is held against.
func (c *changes) news(id string, source *objects.Source, s *objects.Sample, every time.Duration) bool {
	w := c.watches[id]
	if w == nil {
		return true // it gets them all
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

// lastDigit is half of the last digit that a message shows of a number. By less than that a difference says nothing:
// 1.3 - 1.2 is more than 0.1 in binary.
const lastDigit = 5e-7

// differ reports whether b is a change after a. States and bit fields, faults and alarms among them, differ or do not;
// a number has to leave the band. What prints the same is never a change.
func differ(a, b objects.Value, band float64) bool {
	if a.Equal(b) {
		return false
	}
	if band > 0 {
		band += lastDigit
	}
	return a.Kind() != objects.KindNumber || b.Kind() != objects.KindNumber || math.Abs(b.Float()-a.Float()) > band
}

// beats reports whether a sample that is no change is due: the next one, a log interval later, would come too late.
// Samples come somewhat late now and then, by which no heartbeat is to come a log interval early.
func beats(heartbeat, since, every time.Duration) bool {
	return heartbeat > 0 && since+every > heartbeat+every/10
}
