package cli

import (
	"log/slog"
	"strings"
	"testing"

	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
)

func mustSink(t *testing.T, in configs.Integration) publish.Sink {
	t.Helper()
	sink, err := newSink(in, "5300520006504b5957343920", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sink.Close() }) // never fails
	return sink
}

// The sink gets the keys of an integration for credentials and certificate authorities.
func TestKeysOfAnIntegrationReachItsSink(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	aws := configs.Integration{Type: configs.AWS, TopicARN: "arn:aws:sns:us-east-2:393221637266:MainSolarData", Endpoint: "http://127.0.0.1:1"}
	iot, role, ca := aws, aws, aws
	iot.IoT = configs.IoT{Endpoint: "127.0.0.1:1", RoleAlias: "noi", Certificate: "/nowhere/device.pem", Key: "/nowhere/device.key"}
	ca.CAFile = "/nowhere/ca.pem"
	role.RoleARN = "arn:aws:iam::393221637266:role/noi"
	gcp := configs.Integration{Type: configs.GCP, Topic: "projects/test-project/topics/MainSolarData", Endpoint: "https://127.0.0.1:1", CredentialsFile: "/nowhere/gcp.json"}
	t.Setenv("AWS_ACCESS_KEY_ID", "x")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:2")
	for _, c := range []struct {
		in   configs.Integration
		part string
	}{
		{iot, "/nowhere/device.pem is not there"},
		{ca, "ca_file /nowhere/ca.pem: not there"},
		{role, "dial tcp 127.0.0.1:2: connect: connection refused"},
		{gcp, "Google credentials file /nowhere/gcp.json: not there"},
	} {
		if got := mustSink(t, c.in).Publish(t.Context(), sinktest.Messages(1))[0]; !strings.Contains(got.Text, c.part) {
			t.Errorf("got %s, want %q", got.Error(), c.part)
		}
	}
}

func TestOrderingReachesThePubSubSink(t *testing.T) {
	cloud, err := standin.StartPubSub(standin.PubSubOptions{Topics: []string{"projects/test-project/topics/MainSolarData"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cloud.Close() }() // nothing depends on it
	in := configs.Integration{Type: configs.GCP, Topic: "projects/test-project/topics/MainSolarData", Endpoint: cloud.Addr(), Ordering: true}
	sinktest.Drain(t, mustSink(t, in), sinktest.Messages(1))
	if got := cloud.Messages(); len(got) != 1 || got[0].Group != "5300520006504b5957343920/rs485/1/object_0" {
		t.Errorf("%d messages, %+v", len(got), got)
	}
}
