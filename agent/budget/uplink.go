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
	connection = 1_500 // bytes for a new connection with a resumed TLS session
	keptFor    = 300   // seconds for which an idle connection is kept; a later request needs a new connection
)

// CostOf returns the bytes that messages of a shape cost at a cloud. cloud is the type of the integration.
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
	Bytes          float64 // at its sockets, upload plus download
	Objects, Units int     // sent objects, and their slaves; an object of two controllers counts twice
}

// TrafficOf predicts the traffic of one integration, which need not be in the configuration.
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

// shapeOf returns the shape of an integration's messages.
func shapeOf(in *configs.Integration) sinks.Shape {
	return sinks.Shape{
		Batch: in.Envelope == configs.EnvelopeBatch, Gzip: in.Compress == configs.CompressGzip, Ordered: in.Ordered(),
	}
}

// asSampled returns the log interval unchanged, because every sample is sent.
func asSampled(every time.Duration) time.Duration { return every }

// beat returns the time between two samples of an object that never changes, as the function beats of package agent
// decides.
func beat(heartbeat, every time.Duration) time.Duration {
	return max(every, (heartbeat+every/10)/every*every)
}

// stream has the samples that an integration gets, on average.
type stream struct {
	bundles        []bundle
	objects, units int // number of objects and of slaves; an object of two controllers counts twice
}

// bundle is a number of messages that are sent together.
type bundle struct {
	rate              float64 // bundles per second
	messages, samples float64 // in each bundle
}

// streamOf returns the sweeps that an integration gets. interval returns the time between two samples of an object from
// the log interval of the object.
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

// add adds the sweeps of one slave. due has the number of objects with each interval between two samples.
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

// collected returns the stream as it is sent with `publish_every`: all samples of this time in one bundle. If samples
// come less often, each bundle is sent when it comes.
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

// bytes returns the bytes per second at the sockets.
func (s stream) bytes(in *configs.Integration, cost sinks.Cost) (sum float64) {
	s = s.collected(in.PublishEvery)
	bundles := 0.0
	attributes := float64(len(in.Attributes))
	if in.Envelope == configs.EnvelopeBatch { // a batch has at most slave, unit and device_id, and also envelope=batch
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

// full returns the most messages of a bundle that one request can have.
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
