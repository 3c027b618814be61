package pubsub_test

import (
	"testing"

	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
)

const topic = "projects/test-project/topics/MainSolarData"

// cleanEnv takes away whatever credentials the machine has.
func cleanEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "PUBSUB_EMULATOR_HOST",
		"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
}

func mustStart(t *testing.T) *standin.PubSub {
	t.Helper()
	cloud, err := standin.StartPubSub(standin.PubSubOptions{Topics: []string{topic}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close stand-in: %v", err)
		}
	})
	return cloud
}

func mustNew(t *testing.T, o pubsub.Options) *pubsub.Sink {
	t.Helper()
	if o.Topic == "" {
		o.Topic = topic
	}
	sink, err := pubsub.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sink.Close() }) // never fails
	return sink
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Rig {
		cleanEnv(t)
		cloud := mustStart(t)
		return sinktest.Rig{
			Cloud: cloud, Sink: mustNew(t, pubsub.Options{Endpoint: cloud.Addr()}),
			Denied:    standin.PubSubDenied(),
			Throttled: standin.PubSubThrottled(),
			Invalid:   standin.Fault{Code: "InvalidArgument", Text: "One or more messages in the publish request is malformed."},
			TooLarge:  10_000_000,
			Denial:    "PermissionDenied: User not authorized to perform this action.",
		}
	})
}
