package budget

import (
	"maps"
	"math"
	"slices"
	"time"

	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/sinks"
)

// UplinkRange is the predicted cost of an integration at its sockets, upload plus download, in megabytes (10^6 bytes)
// in 30 days. Minimum and maximum differ only with `when: change`, because it is not known how often values change.
type UplinkRange struct {
	Least float64 // nothing changes: only the heartbeats, 0 without a heartbeat
	Most  float64 // every sample is sent
}

const (
	connection = 1_500 // bytes of another one, with a resumed TLS session
	keptFor    = 300   // seconds for which an idle connection is kept: each request after that needs a new one
)

// CostOf returns what messages of a shape cost at a cloud, by the type of an integration.
type CostOf func(cloud string, shape sinks.Shape) sinks.Cost

// Uplink predicts the cost of the integrations, by id. Messages that are sent early because of alarms, repeats and
// backlogs are not included. A slave with `model: auto` is not counted.
func Uplink(config *configs.Config, catalog *objects.Catalog, costOf CostOf) map[string]UplinkRange {
	out := map[string]UplinkRange{}
	for i := range config.Integrations {
		in := &config.Integrations[i]
		if !in.Enabled {
			continue
		}
		predict := func(interval func(time.Duration) time.Duration) float64 {
			s := streamOf(config, catalog, in, interval)
			return s.bytes(in, costOf(in.Type, shapeOf(in))) * 30 * secondsPerDay / 1e6
		}
		every := predict(asSampled)
		b := UplinkRange{Least: every, Most: every}
		if in.When == configs.WhenChange {
			b.Least = 0
			if in.Heartbeat > 0 {
				b.Least = predict(func(d time.Duration) time.Duration { return beat(in.Heartbeat, d) })
			}
		}
		out[in.ID] = b
	}
	return out
}

// Traffic is the highest traffic of an integration in a day, also of a paused one. A slave with `model: auto` is not
// counted.
type Traffic struct {
	Messages       float64
	Bytes          float64 // at its sockets, up and down
	Objects, Units int     // that it sends, and the slaves from which they come; two controllers' objects are two
}

// TrafficOf predicts what one integration sends. It need not be one of the configuration's.
func TrafficOf(config *configs.Config, catalog *objects.Catalog, in *configs.Integration, costOf CostOf) Traffic {
	s := streamOf(config, catalog, in, asSampled)
	t := Traffic{Objects: s.objects, Units: s.units}
	for _, b := range s.bundles {
		t.Messages += b.rate * b.messages * secondsPerDay
	}
	if t.Messages > 0 {
		t.Bytes = s.bytes(in, costOf(in.Type, shapeOf(in))) * secondsPerDay
	}
	return t
}

// shapeOf returns how an integration's messages are made.
func shapeOf(in *configs.Integration) sinks.Shape {
	return sinks.Shape{
		Batch: in.Envelope == configs.EnvelopeBatch, Gzip: in.Compress == configs.CompressGzip, Ordered: in.Ordered(),
	}
}

// asSampled leaves the log interval as it is: every sample is sent.
func asSampled(every time.Duration) time.Duration { return every }

// beat returns how far apart the samples are of an object that never changes: what beats lets through.
func beat(heartbeat, every time.Duration) time.Duration {
	return max(every, (heartbeat+every/10)/every*every)
}

// stream is what an integration gets in the long run.
type stream struct {
	bundles        []bundle
	objects, units int // from which it comes; two controllers' are two
}

// bundle is what is sent together.
type bundle struct {
	rate              float64 // how often, a second
	messages, samples float64 // each time
}

// streamOf returns the sweeps that an integration gets when the samples of an object are so far apart as interval makes
// of its log interval.
func streamOf(config *configs.Config, catalog *objects.Catalog, in *configs.Integration,
	interval func(time.Duration) time.Duration) (s stream) {
	for i := range config.Lines {
		line := &config.Lines[i]
		for j := range line.Slaves {
			slave := &line.Slaves[j]
			family, ok := slave.Family(catalog)
			if !ok || !line.Enabled {
				continue
			}
			due := map[time.Duration]int{}
			for _, p := range slave.Polled(family) {
				if wants(in, line, slave, p.Object.Name) {
					due[interval(p.Interval)]++
					s.objects++
				}
			}
			s.units += min(1, len(due))
			s.add(due, in.Envelope == configs.EnvelopeBatch)
		}
	}
	return s
}

// add appends the sweeps of one slave; due is how many objects have each interval.
func (s *stream) add(due map[time.Duration]int, batch bool) {
	for _, m := range moments(slices.Sorted(maps.Keys(due))) {
		b := bundle{rate: m.Rate}
		for _, d := range m.Intervals {
			b.samples += float64(due[d])
		}
		b.messages = b.samples
		if batch {
			b.messages = 1
		}
		s.bundles = append(s.bundles, b)
	}
}

// collected returns the stream as `publish_every` sends it: what comes in that time at once, or what is rarer as it
// comes.
func (s stream) collected(every time.Duration) stream {
	var rate, messages, samples float64
	for _, b := range s.bundles {
		rate, messages, samples = rate+b.rate, messages+b.rate*b.messages, samples+b.rate*b.samples
	}
	if every == 0 || rate == 0 {
		return s
	}
	rate = min(rate, 1/every.Seconds())
	s.bundles = []bundle{{rate, messages / rate, samples / rate}}
	return s
}

// bytes returns what the stream costs in a second.
func (s stream) bytes(in *configs.Integration, cost sinks.Cost) (sum float64) {
	s = s.collected(in.PublishEvery)
	bundles := 0.0
	attributes := float64(len(in.Attributes))
	if in.Envelope == configs.EnvelopeBatch { // envelope=batch beside slave, unit and device_id
		attributes = min(4, attributes+1)
		if len(in.Attributes) == 0 {
			attributes = 0
		}
	}
	for _, b := range s.bundles {
		const rounding = 1e-9
		requests := math.Ceil(b.messages/s.full(in, cost, b) - rounding)
		sum += b.rate * (cost.Request*requests + (cost.Message+cost.Attribute*attributes)*b.messages +
			cost.Sample*b.samples)
		bundles += b.rate
	}
	if bundles < 1.0/keptFor {
		sum += bundles * connection
	}
	return sum
}

// full is how many messages one request of a bundle has at most.
func (s stream) full(in *configs.Integration, cost sinks.Cost, b bundle) float64 {
	samples, keys := math.Inf(1), s.objects
	if in.Envelope == configs.EnvelopeBatch {
		samples, keys = publish.BatchWindow, s.units
	}
	if rate := in.CatchUp.Rate; rate > 0 {
		samples = min(samples, float64(publish.Burst*rate))
	}
	return max(1, min(float64(cost.Most(keys)), math.Floor(samples*b.messages/b.samples)))
}
