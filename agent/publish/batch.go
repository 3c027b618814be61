package publish

import (
	"slices"
	"strings"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/store"
)

const (
	// BatchWindow is the number of samples in one read of the outbox if messages are batches: ten sweeps of a large
	// controller.
	BatchWindow = 1000
	// mostBatch is the highest number of bytes of JSON in one batch, half of a request to SNS. A sweep has about 4 kB.
	mostBatch = 128 << 10
)

// parcels are messages, and how many deliveries the result of each settles. The deliveries are in the same order.
type parcels struct {
	messages []sinks.Message
	counts   []int

	bodies     []byte            // memory of the messages of single samples
	attributes []sinks.Attribute // the same
}

// reset removes the messages and keeps their memory for others.
func (p *parcels) reset() {
	p.messages, p.counts = p.messages[:0], p.counts[:0]
	p.bodies, p.attributes = p.bodies[:0], p.attributes[:0]
}

func (p *parcels) add(m sinks.Message, deliveries int) {
	p.messages, p.counts = append(p.messages, m), append(p.counts, deliveries)
}

// fill makes messages of the samples to send. They are in the memory of the messages that out had before.
func (f *Forwarder) fill(out *parcels, published time.Time, batch []outgoing) {
	out.reset()
	if f.cfg.Envelope != configs.EnvelopeBatch {
		f.singles(out, published, batch)
		return
	}
	for len(batch) > 0 {
		n := 1
		for n < len(batch) && follows(&batch[n-1], &batch[n]) {
			n++
		}
		f.pack(out, published, batch[:n], mostBatch)
		batch = batch[n:]
	}
}

// singles makes a message of each delivery. The messages of a request share their memory.
func (f *Forwarder) singles(out *parcels, published time.Time, batch []outgoing) {
	out.messages, out.counts = slices.Grow(out.messages, len(batch)), slices.Grow(out.counts, len(batch))
	out.bodies = slices.Grow(out.bodies, len(batch)*sinks.UsualBody)
	out.attributes = slices.Grow(out.attributes, len(batch)*len(f.cfg.Attributes))
	var ids strings.Builder
	ids.Grow(len(batch) * objects.UsualSampleID)
	var text [objects.UsualSampleID]byte
	for i := range batch {
		d := &batch[i]
		envelope := sinks.Envelope{
			PublishedAt: published, DeviceID: f.deviceID, IntegrationID: f.cfg.ID, Source: d.Source, Run: d.Run,
			Sample: d.Sample,
		}
		body, id, first := len(out.bodies), ids.Len(), len(out.attributes)
		out.bodies = sinks.AppendBody(out.bodies, envelope)
		ids.Write(objects.AppendSampleID(text[:0], f.deviceID, d.Store, d.Run, d.Sample.N))
		sampleID := ids.String()[id:]
		out.attributes = sinks.AppendAttributes(out.attributes, f.cfg.Attributes, envelope, sampleID)
		out.add(sinks.Message{
			Body: slices.Clip(out.bodies[body:]), Attributes: d.mark(slices.Clip(out.attributes[first:])),
			SampleID: sampleID, Key: d.key, Kind: sinks.KindOf(d.Sample),
		}, 1)
	}
}

// follows reports whether b may follow a in a batch. Dead letters may come from stores that gave their sweeps the same
// numbers; they are in the order of their first sending.
func follows(a, b *outgoing) bool {
	return a.Seq == b.Seq && a.Store == b.Store && a.Run == b.Run && a.estimated == b.estimated &&
		a.Sample.N < b.Sample.N
}

// pack adds the deliveries of one sweep as one message, or as several if one message would have more than most bytes.
func (f *Forwarder) pack(out *parcels, published time.Time, items []outgoing, most int) {
	first := &items[0]
	b := sinks.Batch{
		PublishedAt: published, DeviceID: f.deviceID, IntegrationID: f.cfg.ID, Store: first.Store, Run: first.Run,
		Source: first.Source, Samples: make([]objects.Sample, len(items)),
	}
	for i := range items {
		b.Samples[i] = items[i].Sample
	}
	body := sinks.AppendBatch(nil, b)
	if len(body) > most && len(items) > 1 {
		half := len(items) / 2
		f.pack(out, published, items[:half], most)
		f.pack(out, published, items[half:], most)
		return
	}
	if f.cfg.Compress == configs.CompressGzip {
		body = f.packer.Pack(body)
	}
	out.add(sinks.Message{
		Body: body, Attributes: first.mark(b.Attributes(f.cfg.Attributes)), SampleID: b.ID(), Key: first.Source.Unit(),
	}, len(items))
}

// whole leaves out the last pending sweep if the window may have cut it in two. It also leaves out sweeps beyond the
// window of the sink, and beyond the burst of a rate. One sweep always stays.
func (f *Forwarder) whole(pending []store.Delivery) []store.Delivery {
	if f.cfg.Envelope != configs.EnvelopeBatch {
		return pending
	}
	most := f.atRate(f.circuit.fit.window(len(pending)))
	fits, room := 0, f.circuit.window(f.sink.Window())
	for end := 1; end <= len(pending); end++ {
		last := end == len(pending)
		if last && len(pending) == BatchWindow || !last && pending[end].Seq == pending[end-1].Seq {
			continue // not the end of a sweep, or not known
		}
		if fits > 0 && (end > most || room == 0) {
			break
		}
		fits, room = end, room-1
	}
	if fits == 0 {
		return pending
	}
	return pending[:fits]
}
