package pubsub

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"noi-agent/sinks"
)

// attributed is a message with all attributes.
func attributed() sinks.Message {
	return sinks.Message{Body: []byte(`{"data":1}`), Key: "rs485/1/adc_ia", Attributes: []sinks.Attribute{
		{Name: "object", Value: "adc_ia"}, {Name: "slave", Value: "PS\xff \u20ac"}, {Name: "unit", Value: "rs485/1"},
		{Name: "device_id", Value: "5300520006504b5957343920"}, {Name: "sample_id", Value: string(make([]byte, 300))},
	}}
}

// The library can decode our request, and its own request has the same number of bytes.
func TestRequestIsThatOfTheLibrary(t *testing.T) {
	sink, err := New(Options{Topic: "projects/p/topics/topic", Ordering: true, Device: "d"})
	if err != nil {
		t.Fatal(err)
	}
	m := attributed()
	want := &pubsubpb.PubsubMessage{Data: m.Body, OrderingKey: "d/rs485/1/adc_ia", Attributes: map[string]string{}}
	for _, a := range m.Attributes {
		want.Attributes[a.Name] = valid(a.Value)
	}
	for _, m := range []sinks.Message{m, {Body: m.Body, Key: m.Key}} {
		if m.Attributes == nil {
			want.Attributes = nil
		}
		r := sink.room()
		n, wire := sink.pack(r, []sinks.Message{m, m}, []int{0, 1}), r.plain
		got := new(pubsubpb.PublishRequest)
		if err := proto.Unmarshal(wire, got); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		all := &pubsubpb.PublishRequest{Topic: "projects/p/topics/topic", Messages: []*pubsubpb.PubsubMessage{want, want}}
		if diff := cmp.Diff(all, got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
		if len(wire) != proto.Size(all) || sink.size(m) != proto.Size(want) {
			t.Errorf("%d and %d bytes, the library's are %d and %d", len(wire), sink.size(m), proto.Size(all), proto.Size(want))
		}
	}
}

// Allocations are the work of the garbage collector. A sweep of 52 objects is one request.
func TestAllocationsOfARequest(t *testing.T) {
	sink, err := New(Options{Topic: "projects/p/topics/topic"})
	if err != nil {
		t.Fatal(err)
	}
	msgs, places := make([]sinks.Message, 52), make([]int, 52)
	for i := range msgs {
		msgs[i], places[i] = attributed(), i
		msgs[i].Attributes[1].Value = "PS-PWM-30M"
	}
	got := testing.AllocsPerRun(100, func() {
		r := sink.room()
		if n := sink.pack(r, msgs, places); n != 52 || len(r.plain) < 52*300 {
			t.Fatal(n, len(r.plain))
		}
		r.packed = sink.o.Packer.Pack(r.packed[:0], r.plain)
		sink.done(r)
	})
	const most = 4 // with a map of attributes each message had 60
	if t.Logf("%.0f allocations for a request of 52 messages", got); got > most {
		t.Errorf("%.0f allocations for a request of 52 messages, want %d", got, most)
	}
}

// The content of one request must not be in the next one.
func TestPackerPacksOneRequestAfterTheOther(t *testing.T) {
	p := new(Packer)
	for _, n := range []int{100, 2_000_000, 3} {
		body := make(request, n)
		for i := range body {
			body[i] = byte(i * i >> 3)
		}
		r, err := gzip.NewReader(bytes.NewReader(p.Pack(nil, body)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes come back as %d: %v", n, len(got), err)
		}
	}
}
