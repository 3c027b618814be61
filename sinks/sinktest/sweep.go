package sinktest

import (
	"math/rand/v2"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/sinks"
)

// Sweep is a sweep of the first 48 objects of a ProStar PWM, with values like those of its half-precision registers.
func Sweep(t *testing.T) sinks.Batch {
	t.Helper()
	const wanted = 48
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	family, _ := catalog.Family("PSPWM")
	b := sinks.Batch{
		PublishedAt: time.Date(2022, 6, 28, 8, 20, 29, 502e6, time.UTC), DeviceID: "5300520006504b5957343920",
		IntegrationID: "FFjU28MMaL3W9B9hhhhH",
		Store:         "00c0ffee", Run: 3,
		Source: objects.Source{Line: "rs485", UnitID: 1, Slave: "PS-PWM-30M", Firmware: "v01.04.06",
			FWVersion: "PSPWM 1.0.10"},
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, o := range family.Objects {
		if len(b.Samples) == wanted {
			break
		}
		s := objects.Sample{Object: o.Name, Value: objects.Number(float64(r.IntN(4096)) / 128),
			N: uint64(4812 + len(b.Samples)), SampledAt: b.PublishedAt}
		switch o.Kind() {
		case objects.KindText:
			s.Value = objects.Text("FLOAT")
		case objects.KindBool:
			s.Value = objects.Bool(r.IntN(2) == 1)
		case objects.KindBits:
			s.Value = objects.Bits(nil)
		}
		b.Samples = append(b.Samples, s)
	}
	return b
}

// Singles returns a sweep as one message for each sample, with these attributes.
func Singles(b sinks.Batch, attributes []string) []sinks.Message {
	var alone []sinks.Message
	for _, s := range b.Samples {
		e := sinks.Envelope{PublishedAt: b.PublishedAt, DeviceID: b.DeviceID, IntegrationID: b.IntegrationID,
			Source: b.Source, Sample: s}
		id := objects.SampleID(b.DeviceID, b.Store, b.Run, s.N)
		alone = append(alone, sinks.Message{
			Body: sinks.AppendBody(nil, e), Attributes: sinks.Attributes(attributes, e, id), SampleID: id,
			Key: b.Source.Unit() + "/" + s.Object,
		})
	}
	return alone
}

// Batched returns a sweep as one message, with these attributes.
func Batched(b sinks.Batch, attributes []string) sinks.Message {
	return sinks.Message{Body: sinks.AppendBatch(nil, b), Attributes: b.Attributes(attributes), SampleID: b.ID(),
		Key: b.Source.Unit()}
}

// Packed is Batched in gzip.
func Packed(b sinks.Batch, attributes []string) sinks.Message {
	m := Batched(b, attributes)
	m.Body = sinks.Pack(m.Body)
	return m
}

// Uplink returns the bytes of a sample of a sweep at open sockets: as single messages, as a batch and as a packed
// batch, with these attributes.
func Uplink(t *testing.T, sink Sink, meter *sinks.Meter, attributes []string) (single, batch, packed float64) {
	t.Helper()
	b := Sweep(t)
	const rounds = 20 // some, because a meter may count a request after its answer
	cost := func(msgs ...sinks.Message) float64 {
		before := meter.Sent()
		for range rounds {
			want(t, Drain(t, sink, msgs), sinks.Accepted)
		}
		return float64(meter.Sent()-before) / float64(rounds*len(b.Samples))
	}
	cost(Messages(1)...) // opens the connection, whose first requests cost more
	return cost(Singles(b, attributes)...), cost(Batched(b, attributes)), cost(Packed(b, attributes))
}
