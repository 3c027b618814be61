package publish

import (
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

// parcel is one message and the deliveries that its result settles.
type parcel struct {
	message sinks.Message
	items   []outgoing
}

// parcels makes messages of the samples to send.
func (f *Forwarder) parcels(published time.Time, batch []outgoing) (out []parcel) {
	if f.cfg.Envelope != configs.EnvelopeBatch {
		out = make([]parcel, 0, len(batch))
		for i := range batch {
			out = append(out, parcel{f.message(published, &batch[i]), batch[i : i+1]})
		}
		return out
	}
	for len(batch) > 0 {
		n := 1
		for n < len(batch) && follows(&batch[n-1], &batch[n]) {
			n++
		}
		out = f.pack(out, published, batch[:n], mostBatch)
		batch = batch[n:]
	}
	return out
}

// follows reports whether b may follow a in a batch. Dead letters may come from stores that gave their sweeps the same
// numbers; they are in the order of their first sending.
func follows(a, b *outgoing) bool {
	return a.Seq == b.Seq && a.Store == b.Store && a.Run == b.Run && a.estimated == b.estimated &&
		a.Sample.N < b.Sample.N
}

// pack appends the deliveries of one sweep as one message, or as several if one message would have more than most
// bytes.
func (f *Forwarder) pack(out []parcel, published time.Time, items []outgoing, most int) []parcel {
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
		return f.pack(f.pack(out, published, items[:half], most), published, items[half:], most)
	}
	if f.cfg.Compress == configs.CompressGzip {
		body = sinks.Pack(body)
	}
	return append(out, parcel{sinks.Message{
		Body: body, Attributes: first.mark(b.Attributes(f.cfg.Attributes)), SampleID: b.ID(), Key: first.Source.Unit(),
	}, items})
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
