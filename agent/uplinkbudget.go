package agent

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
)

// UplinkBudget is what an integration is to cost at its sockets, up and down, in megabytes (10^6 bytes) in 30 days. The two differ with
// `when: change` only: how often something changes nobody knows beforehand.
type UplinkBudget struct {
	Least float64 // nothing changes: the heartbeat alone, nothing without one
	Most  float64 // every sample is sent
}

// uplinkCost is what is paid in bytes up and down. Measured against loopback with sweeps of 1 to 48 objects, and 300 added to each
// request for TLS and credentials (an SNS request with one entry is 1,150 up, with ten 5,480). Pub/Sub packs whole requests, so what
// one message costs hangs on its neighbours: these figures are within a fifth of what was measured, from 1 message to 1,000.
type uplinkCost struct {
	request   float64
	message   float64
	sample    float64 // beside its message
	attribute float64 // of a message
}

// costOf returns what an integration pays; the number after each plus is what comes down.
func costOf(in *configs.Integration) uplinkCost {
	type kind struct{ cloud, envelope, compress string }
	return map[kind]uplinkCost{
		{configs.AWS, configs.EnvelopeSingle, configs.CompressNone}: {669 + 400, 481 + 80, 0, 255},
		{configs.AWS, configs.EnvelopeBatch, configs.CompressNone}:  {669 + 400, 563 + 80, 35, 255},
		{configs.AWS, configs.EnvelopeBatch, configs.CompressGzip}:  {669 + 400, 510 + 80, 12, 255},
		{configs.GCP, configs.EnvelopeSingle, configs.CompressNone}: {820 + 150, 9.5 + 20, 0, 1.4},
		{configs.GCP, configs.EnvelopeBatch, configs.CompressNone}:  {820 + 150, 10 + 20, 4, 1.4},
		{configs.GCP, configs.EnvelopeBatch, configs.CompressGzip}:  {820 + 150, 200 + 20, 9, 1.4},
	}[kind{in.Type, in.Envelope, in.Compress}]
}

const (
	snsRequest, gcpRequest = 10, 1000 // most messages of one
	connection             = 1_500    // bytes of another one, with a resumed TLS session
	keptFor                = 300      // seconds for which an idle one is kept: each request after that pays for another
)

// PredictUplink predicts what the integrations cost, by id. What is sent early, as alarms are, what is sent again, and backlogs come on
// top. A `model: auto` slave counts nothing.
func PredictUplink(config *configs.Config, catalog *objects.Catalog) map[string]UplinkBudget {
	out := map[string]UplinkBudget{}
	for i := range config.Integrations {
		in := &config.Integrations[i]
		if !in.Enabled {
			continue
		}
		predict := func(interval func(time.Duration) time.Duration) float64 {
			s := streamOf(config, catalog, in, interval)
			return s.bytes(in) * 30 * secondsPerDay / 1e6
		}
		every := predict(func(d time.Duration) time.Duration { return d })
		b := UplinkBudget{Least: every, Most: every}
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

// streamOf returns the sweeps that an integration gets when the samples of an object are so far apart as interval makes of its log
// interval.
func streamOf(config *configs.Config, catalog *objects.Catalog, in *configs.Integration, interval func(time.Duration) time.Duration) (s stream) {
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

// collected returns the stream as `publish_every` sends it: what comes in that time at once, or what is rarer as it comes.
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
func (s stream) bytes(in *configs.Integration) (sum float64) {
	s = s.collected(in.PublishEvery)
	cost, bundles := costOf(in), 0.0
	attributes := float64(len(in.Attributes))
	if in.Envelope == configs.EnvelopeBatch { // envelope=batch beside slave, unit and device_id
		attributes = min(4, attributes+1)
		if len(in.Attributes) == 0 {
			attributes = 0
		}
	}
	for _, b := range s.bundles {
		const rounding = 1e-9
		requests := math.Ceil(b.messages/s.full(in, b) - rounding)
		sum += b.rate * (cost.request*requests + (cost.message+cost.attribute*attributes)*b.messages + cost.sample*b.samples)
		bundles += b.rate
	}
	if bundles < 1.0/keptFor {
		sum += bundles * connection
	}
	return sum
}

// full is how many messages one request of a bundle has at most. Where order is kept it has each key once (FIFO), or one key only.
func (s stream) full(in *configs.Integration, b bundle) float64 {
	samples, keys := math.Inf(1), s.objects
	if in.Envelope == configs.EnvelopeBatch {
		samples, keys = batchWindow, s.units
	}
	if rate := in.CatchUp.Rate; rate > 0 {
		samples = min(samples, float64(burst*rate))
	}
	most := gcpRequest
	switch {
	case in.Type == configs.AWS && strings.HasSuffix(in.TopicARN, ".fifo"):
		most = min(snsRequest, keys)
	case in.Type == configs.AWS:
		most = snsRequest
	case in.Ordering && keys > 1:
		most = 1
	}
	return max(1, min(float64(most), math.Floor(samples*b.messages/b.samples)))
}
