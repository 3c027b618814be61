package sns_test

import (
	"testing"

	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

const (
	arn     = "arn:aws:sns:us-east-2:393221637266:MainSolarData"
	fifoARN = "arn:aws:sns:us-east-2:393221637266:MainSolarData.fifo"
)

// cleanEnv removes all credentials of the machine from the environment.
func cleanEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_PROFILE",
		"AWS_DEFAULT_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SNS",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_STS",
	} {
		t.Setenv(name, "")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", home+"/credentials")
	t.Setenv("AWS_CONFIG_FILE", home+"/config")
}

// withKeys puts the stand-in's key into the environment.
func withKeys(t *testing.T) {
	t.Helper()
	cleanEnv(t)
	t.Setenv("AWS_ACCESS_KEY_ID", standin.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", standin.SecretAccessKey)
}

func mustStart(t *testing.T, o standin.SNSOptions) *standin.SNS {
	t.Helper()
	if o.Topics == nil {
		o.Topics = []string{arn, fifoARN}
	}
	cloud, err := standin.StartSNS(o)
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

func mustNew(t *testing.T, o sns.Options) *sns.Sink {
	t.Helper()
	if o.TopicARN == "" {
		o.TopicARN = arn
	}
	sink, err := sns.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sink.Close() }) // never fails
	return sink
}

func TestNetworkConformance(t *testing.T) {
	sinktest.RunNetwork(t, func(t *testing.T) sinktest.Site {
		withKeys(t)
		t.Setenv("AWS_SESSION_TOKEN", secret)
		cloud := mustStart(t, standin.SNSOptions{})
		return sinktest.Site{
			Cloud: cloud, Addr: cloud.Addr(), Secrets: []string{standin.AccessKeyID, standin.SecretAccessKey, secret},
			New: func(t *testing.T, p sinktest.Place) sinktest.Sink {
				scheme := "http://"
				if p.TLS {
					scheme = "https://"
				}
				return mustNew(t, sns.Options{
					Endpoint: scheme + p.Host, CAFile: p.CAFile, Resolver: p.Resolver, Meter: p.Meter, Logger: p.Logger,
				})
			},
		}
	})
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Rig {
		withKeys(t)
		t.Setenv("AWS_SESSION_TOKEN", secret)
		cloud := mustStart(t, standin.SNSOptions{})
		return sinktest.Rig{
			Secrets: []string{standin.AccessKeyID, standin.SecretAccessKey, secret},
			Cloud:   cloud, Sink: mustNew(t, sns.Options{Endpoint: cloud.URL()}),
			Denied:    standin.SNSDenied(arn),
			Throttled: standin.SNSThrottled(),
			Invalid:   standin.Fault{Code: "InvalidParameter", Text: "Invalid parameter: Message"},
			Missing:   standin.Fault{Status: 404, Code: "NotFound", Text: "Topic does not exist"},
			Internal:  standin.SNSInternal(),
			TooLarge:  256 << 10,
			Denial: "AuthorizationError: User: arn:aws:iam::123456789012:user/noi is not authorized to perform: SNS:Publish on resource: " + arn +
				" because no identity-based policy allows the SNS:Publish action",
		}
	})
}
