package sns_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

func TestUplinkOfAFullBatch(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	msgs := sinktest.Messages(10)
	for i := range msgs {
		msgs[i].Body = []byte(`{"published_at":"2022-06-28T08:20:29.502Z","device_id":"5300520006504b5957343920","data":12.117188,` +
			`"integration_id":"FFjU28MMaL3W9B9hhhhH","sampled_at":"2022-06-28T08:20:29Z","object":"adc_vbterm","slave":"PS-PWM-30M",` +
			`"cc_firmware":"v01.04.06","fw_version":"PSPWM 1.0.10"}`)
	}
	if n := len(sink.Publish(t.Context(), msgs)); n != 10 {
		t.Fatalf("%d of 10 in one request", n)
	}
	req := cloud.Requests()
	if len(req) != 1 {
		t.Fatalf("%d requests", len(req))
	}
	// The form encodes 270 bytes as about 460. Ten entries share the headers and names.
	if perSample := req[0].WireBytes / 10; perSample > 520 {
		t.Errorf("%d bytes of body a sample", perSample)
	}
	for _, m := range cloud.Messages() {
		if len(m.Attributes) != 0 || m.Group != "" || m.Dedup != "" {
			t.Errorf("not requested: attributes %v, group %q, deduplication %q", m.Attributes, m.Group, m.Dedup)
		}
	}
}

// On a FIFO topic a request has only one sample of an object, because its order could be lost. A standard topic has
// no order, and gets full requests.
func TestKeyStandsOnceInARequestOfAFIFOTopic(t *testing.T) {
	withKeys(t)
	for _, c := range []struct {
		topic string
		want  []int
	}{{fifoARN, []int{3, 6, 3}}, {arn, []int{10, 2}}} {
		cloud := mustStart(t, standin.SNSOptions{})
		sink := mustNew(t, sns.Options{TopicARN: c.topic, Endpoint: cloud.URL()})
		msgs := sinktest.Messages(12)
		for i, key := range []string{"a", "b", "c", "b", "a", "d", "e", "", "", "e", "f", "a"} {
			msgs[i].Key = key
		}
		for i, r := range sinktest.Drain(t, sink, msgs) {
			if r.Outcome != sinks.Accepted {
				t.Fatalf("message %d: %s", i, r.Error())
			}
		}
		if diff := cmp.Diff(c.want, requestSizes(cloud)); diff != "" {
			t.Errorf("messages by request of %s: %s", c.topic, diff)
		}
	}
}

func requestSizes(cloud *standin.SNS) []int {
	var sizes []int
	for _, r := range cloud.Requests() {
		sizes = append(sizes, len(r.Messages))
	}
	return sizes
}

// An entry of a FIFO request fails now and then. The forwarder sends it again before any later one, and the samples
// of no group change places.
func TestPartialFailuresKeepTheOrderOfAFIFOGroup(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{TopicARN: fifoARN, Endpoint: cloud.URL()})
	cloud.SetFault(func(r standin.Request) *standin.Fault {
		return &standin.Fault{Status: 500, Code: "InternalError", Text: "try later", Only: func(m standin.Message) bool { return r.N%2 == 1 && m.Group == "/b" }}
	})
	left := sinktest.Messages(30)
	for i := range left {
		left[i].Key = string(rune('a' + i%3))
	}
	sent := slices.Clone(left)
	for len(left) > 0 { // like the forwarder, sends again what was not accepted, in its place
		var again []sinks.Message
		results := sink.Publish(t.Context(), left)
		for i, r := range results {
			if r.Outcome != sinks.Accepted {
				again = append(again, left[i])
			}
		}
		left = append(again, left[len(results):]...)
	}
	for _, key := range []string{"a", "b", "c"} {
		var want, got []string
		for _, m := range sent {
			if m.Key == key {
				want = append(want, string(m.Body))
			}
		}
		for _, m := range cloud.Messages() {
			if m.Group == "/"+key {
				got = append(got, string(m.Body))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("group %s: %s", key, diff)
		}
	}
}

// The sum of bodies and attributes stays below 256 KiB, with messages of any size.
func TestRequestStaysBelowTheLimit(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	msgs := sinktest.Messages(8)
	attribute := sinks.Attribute{Name: "object", Value: "adc_vbterm"}
	for i, size := range []int{100_000, 100_000, 61_000, 1_000, 262_144 - 26, 1, 262_144, 1} {
		msgs[i].Body = []byte(strings.Repeat("x", size))
	}
	msgs[4].Attributes = []sinks.Attribute{attribute} // 6 + 6 + 10 bytes: just fits alone
	for i, r := range sinktest.Drain(t, sink, msgs) {
		if r.Outcome != sinks.Accepted {
			t.Errorf("message %d: %s (%s)", i, r.Outcome, r.Error())
		}
	}
	if diff := cmp.Diff([]int{3, 1, 1, 1, 1, 1}, requestSizes(cloud)); diff != "" {
		t.Errorf("messages by request: %s", diff)
	}
	msgs[6].Attributes = []sinks.Attribute{attribute}
	if got := sink.Publish(t.Context(), msgs[6:])[0]; got.Outcome != sinks.Reject || got.Error() != "InvalidParameter: message too long: 262166 bytes with its attributes, SNS takes 262144" {
		t.Errorf("%s (%s)", got.Outcome, got.Error())
	}
}

func TestFIFOTopicGetsGroupAndDeduplication(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{TopicARN: fifoARN, Endpoint: cloud.URL(), Device: "5300520006504b5957343920"})
	msgs := sinktest.Messages(3)
	msgs[0].Key = "rs485/1/T_ind[U]"
	msgs[1].Key = "roof line°/2/adc_vbterm"
	msgs[2].Key = strings.Repeat("l", 200) + "/1/adc_vbterm"
	for i, r := range sinktest.Drain(t, sink, msgs) {
		if r.Outcome != sinks.Accepted {
			t.Fatalf("message %d: %s (%s)", i, r.Outcome, r.Error())
		}
	}
	got := cloud.Messages()
	for i, group := range []string{"5300520006504b5957343920/rs485/1/T_ind[U]", "5300520006504b5957343920/roof_line_/2/adc_vbterm"} {
		if got[i].Group != group {
			t.Errorf("group %q, want %q", got[i].Group, group)
		}
	}
	if len(got[2].Group) != 128 || !strings.HasPrefix(got[2].Group, "5300520006504b5957343920/lll") {
		t.Errorf("a long group becomes %q, %d characters", got[2].Group, len(got[2].Group))
	}
	for i, m := range got {
		if m.Dedup != msgs[i].SampleID {
			t.Errorf("message %d: deduplication %q, want the sample's id %q", i, m.Dedup, msgs[i].SampleID)
		}
	}
}

// Sweeps are a minute apart, but a sweep must not need its own connection.
func TestConnectionIsKeptBetweenRequests(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	connections := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{ConnectStart: func(string, string) { connections++ }})
	for range 10 {
		for i, fault := range []standin.Fault{{}, standin.SNSDenied(arn), standin.SNSThrottled(), {}} {
			cloud.SetFault(standin.Always(fault))
			if r := sink.Publish(ctx, sinktest.Messages(1))[0]; (r.Outcome == sinks.Accepted) != (fault.Code == "") {
				t.Fatalf("request %d: %s (%s)", i, r.Outcome, r.Error())
			}
		}
	}
	if connections != 1 {
		t.Errorf("%d connections for 40 requests", connections)
	}
}

// The way to AWS itself uses TLS, with the system's roots or those of AWS_CA_BUNDLE.
func TestTLSTrustsTheBundleAndNobodyElse(t *testing.T) {
	cloud := mustStart(t, standin.SNSOptions{})
	server := httptest.NewUnstartedServer(cloud)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	for _, trust := range []bool{false, true} {
		withKeys(t)
		t.Setenv("AWS_CA_BUNDLE", "")
		if trust {
			bundle := os.Getenv("HOME") + "/roots.pem"
			block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
			mustWrite(t, bundle, string(pem.EncodeToMemory(block)), 0o600)
			t.Setenv("AWS_CA_BUNDLE", bundle)
		}
		r := mustNew(t, sns.Options{Endpoint: server.URL}).Publish(t.Context(), sinktest.Messages(1))[0]
		refused := r.Outcome == sinks.Retry && r.Code == "NetworkError" && strings.Contains(r.Text, "certificate")
		if trust && r.Outcome != sinks.Accepted || !trust && !refused {
			t.Errorf("trusted %t: %s (%s)", trust, r.Outcome, r.Error())
		}
	}
}

func TestEmptyBodyIsRejectedAlone(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	msgs := sinktest.Messages(3)
	msgs[1].Body = nil
	got := fmt.Sprint(outcomes(sinktest.Drain(t, mustNew(t, sns.Options{Endpoint: cloud.URL()}), msgs)))
	if got != "[accepted reject accepted]" {
		t.Error(got)
	}
}

func outcomes(results []sinks.Result) []sinks.Outcome {
	var out []sinks.Outcome
	for _, r := range results {
		out = append(out, r.Outcome)
	}
	return out
}
