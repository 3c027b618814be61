package sns_test

import (
	"os"
	"testing"

	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sns"
)

// SNS, and each service that gives credentials for it.
func TestHostileServers(t *testing.T) {
	const cloud = "http://127.0.0.1:1" // no request gets as far
	sinktest.RunHostile(t, []sinktest.Target{
		{Name: "SNS", New: func(t *testing.T, host string, _ *sinktest.Authority) sinktest.Sink {
			withKeys(t)
			return mustNew(t, sns.Options{Endpoint: "http://" + host})
		}},
		{Name: "SNS over TLS", TLS: true, New: func(t *testing.T, host string, ca *sinktest.Authority) sinktest.Sink {
			withKeys(t)
			return mustNew(t, sns.Options{Endpoint: "https://" + host, CAFile: ca.File})
		}},
		{Name: "STS", New: func(t *testing.T, host string, _ *sinktest.Authority) sinktest.Sink {
			withKeys(t)
			t.Setenv("AWS_ENDPOINT_URL_STS", "http://"+host)
			return mustNew(t, sns.Options{Endpoint: cloud, RoleARN: roleARN})
		}},
		{Name: "STS for a web identity", TLS: true, New: func(t *testing.T, host string, ca *sinktest.Authority) sinktest.Sink {
			cleanEnv(t)
			t.Setenv("AWS_ENDPOINT_URL_STS", "https://"+host)
			t.Setenv("AWS_ROLE_ARN", roleARN)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", os.Getenv("HOME")+"/token")
			mustWrite(t, os.Getenv("HOME")+"/token", secret, 0o600)
			return mustNew(t, sns.Options{Endpoint: cloud, CAFile: ca.File})
		}},
		{Name: "AWS IoT", TLS: true, New: func(t *testing.T, host string, ca *sinktest.Authority) sinktest.Sink {
			cleanEnv(t)
			certificate, key := sinktest.WriteKeyPair(t, ca.Good(t, "noi-42"))
			return mustNew(t, sns.Options{Endpoint: cloud, CAFile: ca.File, IoT: sns.IoT{Endpoint: host, RoleAlias: "noi", Certificate: certificate, Key: key}})
		}},
		{Name: "container credentials", New: func(t *testing.T, host string, _ *sinktest.Authority) sinktest.Sink {
			cleanEnv(t)
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://"+host+"/credentials")
			return mustNew(t, sns.Options{Endpoint: cloud})
		}},
		{Name: "EC2 metadata", New: func(t *testing.T, host string, _ *sinktest.Authority) sinktest.Sink {
			cleanEnv(t)
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"+host)
			return mustNew(t, sns.Options{Endpoint: cloud, IMDS: true})
		}},
	})
}
