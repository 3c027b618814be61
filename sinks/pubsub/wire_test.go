package pubsub_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest"
)

// sweep returns n realistic messages with all attributes.
func sweep(n int) []sinks.Message {
	e := sinks.Envelope{
		PublishedAt: time.Date(2022, 6, 28, 8, 20, 29, 502e6, time.UTC), DeviceID: "5300520006504b5957343920", IntegrationID: "FFjU28MMaL3W9B9hhhhH",
		Source: objects.Source{Line: "rs485", UnitID: 1, Slave: "PS-PWM-30M", Firmware: "v01.04.06", FWVersion: "PSPWM 1.0.10"},
	}
	names := []string{"adc_vbterm", "adc_ia", "adc_il", "T_batt", "charge_state", "array_fault"}
	msgs := make([]sinks.Message, n)
	for i := range msgs {
		e.Sample = objects.Sample{
			Object: names[i%len(names)], Value: objects.Number(12 + float64(i)/256), N: uint64(i + 1),
			SampledAt: e.PublishedAt.Add(time.Duration(i) * time.Second),
		}
		id := objects.SampleID(e.DeviceID, "00c0ffee", 1, e.Sample.N)
		msgs[i] = sinks.Message{
			Body: sinks.AppendBody(nil, e), Attributes: sinks.Attributes(sinks.AttributeNames(), e, id), SampleID: id,
			Key: e.Source.Unit() + "/" + e.Sample.Object,
		}
	}
	return msgs
}

func TestRequestsArePackedOnTheWire(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	sink := mustNew(t, pubsub.Options{Endpoint: cloud.Addr()})
	for _, n := range []int{48, 1000} {
		if got := len(sink.Publish(t.Context(), sweep(n))); got != n {
			t.Fatalf("%d of %d in one request", got, n)
		}
	}
	for i, most := range []int{40, 30} { // bytes a sample; the body alone has about 270
		r := cloud.Requests()[i]
		if per := r.WireBytes / len(r.Messages); r.Compression != "gzip" || per > most {
			t.Errorf("%d messages: compression %q, %d bytes a sample of %d, want %d", len(r.Messages), r.Compression, per, r.BodyBytes/len(r.Messages), most)
		}
	}
}

func TestSmallRequestGoesUnpacked(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	sink := mustNew(t, pubsub.Options{Endpoint: cloud.Addr()})
	if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Accepted {
		t.Fatal(r.Error())
	}
	if r := cloud.Requests()[0]; r.Compression != "identity" {
		t.Errorf("%d bytes, compression %q", r.BodyBytes, r.Compression)
	}
}

func TestWindowIsBoundedByCountAndSize(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	sink := mustNew(t, pubsub.Options{Endpoint: cloud.Addr()})
	if diff := cmp.Diff(1000, sink.Window()); diff != "" {
		t.Error(diff)
	}
	msgs := sinktest.Messages(1207)
	for i := 1000; i < 1007; i++ {
		msgs[i].Body = make([]byte, 2_000_000)
		for j := range msgs[i].Body {
			msgs[i].Body[j] = 'x'
		}
	}
	for i, r := range sinktest.Drain(t, sink, msgs) {
		if r.Outcome != sinks.Accepted {
			t.Fatalf("message %d: %s (%s)", i, r.Outcome, r.Error())
		}
	}
	var sizes []int
	for _, r := range cloud.Requests() {
		sizes = append(sizes, len(r.Messages))
		if r.BodyBytes > 9_100_000 {
			t.Errorf("a request of %d bytes", r.BodyBytes)
		}
	}
	if diff := cmp.Diff([]int{1000, 4, 203}, sizes); diff != "" {
		t.Errorf("messages by request: %s", diff)
	}
}

// With ordering a request has one key, as Pub/Sub requires. Without it, a request has no key and as many messages as
// fit.
func TestOrderingGivesEachRequestOneKey(t *testing.T) {
	cleanEnv(t)
	for _, c := range []struct {
		ordering bool
		want     []int
		keys     string
	}{
		{false, []int{7}, ",,,,,,"},
		{true, []int{2, 1, 2, 2}, "5300/a,5300/a,5300/b,5300/a,5300/a,,"},
	} {
		cloud := mustStart(t)
		sink := mustNew(t, pubsub.Options{Endpoint: cloud.Addr(), Ordering: c.ordering, Device: "5300"})
		msgs := sinktest.Messages(7)
		for i, key := range []string{"a", "a", "b", "a", "a", "", ""} {
			msgs[i].Key = key
		}
		for i, r := range sinktest.Drain(t, sink, msgs) {
			if r.Outcome != sinks.Accepted {
				t.Fatalf("message %d: %s (%s)", i, r.Outcome, r.Error())
			}
		}
		var (
			sizes []int
			keys  []string
		)
		for _, r := range cloud.Requests() {
			sizes = append(sizes, len(r.Messages))
		}
		for i, m := range cloud.Messages() {
			keys = append(keys, m.Group)
			if string(m.Body) != string(msgs[i].Body) {
				t.Errorf("message %d at the cloud is %s", i, m.Body)
			}
		}
		if diff := cmp.Diff(c.want, sizes); diff != "" || strings.Join(keys, ",") != c.keys {
			t.Errorf("ordering %t: messages by request %s; keys %q, want %q", c.ordering, diff, keys, c.keys)
		}
	}
}

// The bytes at the socket with gzip: HTTP/2 with its headers and frames, not the size that the server reports.
func TestPackedRequestsAreSmallAtTheSocket(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	front := sinktest.StartFront(t, cloud.Addr(), nil)
	sink := mustNew(t, pubsub.Options{Endpoint: front.Addr()})
	_ = sink.Publish(t.Context(), sweep(1)) // the connection is open
	_, before := front.Counts()
	if got := len(sink.Publish(t.Context(), sweep(48))); got != 48 {
		t.Fatalf("%d of 48 in one request", got)
	}
	if _, after := front.Counts(); after-before > 48*40 || after == before { // the bodies alone have 48 times 270
		t.Errorf("%d bytes for 48 samples", after-before)
	}
}

func TestEndpointComesBeforeTheEmulatorVariable(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	for _, c := range []struct{ emulator, endpoint string }{
		{"127.0.0.1:1", cloud.Addr()},
		{"127.0.0.1:1", "http://" + cloud.Addr()},
		{"127.0.0.1:1", "http://" + cloud.Addr() + "/"},
		{cloud.Addr(), ""},
		{"", cloud.Addr()},
	} {
		t.Setenv("PUBSUB_EMULATOR_HOST", c.emulator)
		if r := mustNew(t, pubsub.Options{Endpoint: c.endpoint}).Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Accepted {
			t.Errorf("endpoint %q, emulator %q: %s (%s)", c.endpoint, c.emulator, r.Outcome, r.Error())
		}
	}
}

// The operator must make a topic that does not exist. The data waits, and is sent when the topic exists.
func TestMissingTopicWaits(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t)
	sink := mustNew(t, pubsub.Options{Topic: "projects/test-project/topics/other", Endpoint: cloud.Addr()})
	if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Wait || r.Code != "NotFound" {
		t.Errorf("%s (%s)", r.Outcome, r.Error())
	}
}
