package pubsub

import (
	"fmt"
	"testing"

	"noi-agent/sinks/sinktest"
)

// Pub/Sub, and each service that gives tokens for it.
func TestHostileServers(t *testing.T) {
	const cloud = "https://127.0.0.1:1" // no request gets as far
	sink := func(t *testing.T, o Options) sinktest.Sink {
		t.Helper()
		for _, name := range []string{"GOOGLE_APPLICATION_CREDENTIALS", "PUBSUB_EMULATOR_HOST", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
			t.Setenv(name, "")
		}
		t.Setenv("HOME", t.TempDir())
		o.Topic = "projects/test-project/topics/MainSolarData"
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() }) // never fails
		return s
	}
	key := serviceAccountFile(t)
	sinktest.RunHostile(t, []sinktest.Target{
		{Name: "Pub/Sub", H2: true, New: func(t *testing.T, host string, _ *sinktest.Authority) sinktest.Sink {
			return sink(t, Options{Endpoint: "http://" + host})
		}},
		{Name: "Pub/Sub over TLS", TLS: true, H2: true, New: func(t *testing.T, host string, ca *sinktest.Authority) sinktest.Sink {
			return sink(t, Options{Endpoint: "https://" + host, CAFile: ca.File, CredentialsFile: key})
		}},
		{Name: "token service", New: func(t *testing.T, host string, _ *sinktest.Authority) sinktest.Sink {
			return sink(t, Options{Endpoint: cloud, CredentialsFile: fileAccount(t, "http://"+host+"/token", mustWriteFile(t, "subject", "token"))})
		}},
		{Name: "token service for a certificate", TLS: true, New: func(t *testing.T, host string, ca *sinktest.Authority) sinktest.Sink {
			cert, key := sinktest.WriteKeyPair(t, ca.Good(t, "noi-42"))
			return sink(t, Options{Endpoint: cloud, CAFile: ca.File, CredentialsFile: certified(t, "https://"+host+"/token", cert, key, "")})
		}},
		{Name: "subject token of a URL", New: func(t *testing.T, host string, _ *sinktest.Authority) sinktest.Sink {
			text := fmt.Sprintf(`{"type":"external_account","audience":"//iam.googleapis.com/projects/1/x","subject_token_type":"urn:ietf:params:oauth:token-type:jwt",`+
				`"token_url":"http://%s/token","credential_source":{"url":"http://%s/subject"}}`, host, host)
			return sink(t, Options{Endpoint: cloud, CredentialsFile: mustWriteFile(t, "account.json", text)})
		}},
		{Name: "metadata server", New: func(t *testing.T, host string, _ *sinktest.Authority) sinktest.Sink {
			t.Setenv("GCE_METADATA_HOST", host)
			return sink(t, Options{Endpoint: cloud})
		}},
	})
}
