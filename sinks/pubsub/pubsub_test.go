package pubsub_test

import (
	"strings"
	"testing"

	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
)

const topic = "projects/test-project/topics/MainSolarData"

// cleanEnv removes all credentials of the machine from the environment.
func cleanEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "PUBSUB_EMULATOR_HOST",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
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

func TestNetworkConformance(t *testing.T) {
	account := serviceAccount(t)
	sinktest.RunNetwork(t, func(t *testing.T) sinktest.Site {
		cleanEnv(t)
		cloud := mustStart(t)
		return sinktest.Site{
			Cloud: cloud, Addr: cloud.Addr(), Secrets: keyLines(account),
			New: func(t *testing.T, p sinktest.Place) sinktest.Sink {
				o := pubsub.Options{Endpoint: "http://" + p.Host, CAFile: p.CAFile, Resolver: p.Resolver, Meter: p.Meter, Logger: p.Logger}
				if p.TLS {
					o.Endpoint = "https://" + p.Host
					o.CredentialsFile = mustWrite(t, t.TempDir()+"/key.json", account)
				}
				return mustNew(t, o)
			},
		}
	})
}

// keyLines returns the lines of a private key, which are all secret, and the begin of each token.
func keyLines(account string) []string {
	var lines []string
	for _, line := range strings.Split(account, `\n`) {
		if len(line) == 64 {
			lines = append(lines, line)
		}
	}
	return append(lines, "eyJ") // a signed token is base64 of {"…
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
			Missing:   standin.Fault{Code: "NotFound", Text: "Resource not found (resource=MainSolarData)."},
			Internal:  standin.Fault{Code: "Internal", Text: "An internal error occurred."},
			TooLarge:  10_000_000,
			Denial:    "PermissionDenied: User not authorized to perform this action.",
		}
	})
}
