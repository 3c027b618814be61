package sns

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"noi-agent/sinks"
)

// Probe checks each stage of the way to the topic, and reports each result at once. It publishes nothing. ok is false
// when a stage failed, so that a message would fail too.
func (s *Sink) Probe(ctx context.Context, report func(sinks.Step)) (ok bool) {
	return sinks.Probe(ctx, s.o.Timeout, report, append(sinks.Trust(s.o.CAFile), []sinks.Stage{
		{Name: "credentials", Needs: []string{"ca_file"}, Look: s.probeCredentials},
		{Name: "endpoint", Needs: []string{"ca_file"}, Look: s.probeEndpoint},
		{Name: "identity", Needs: []string{"credentials"}, Look: s.probeIdentity},
		{Name: "topic", Needs: []string{"credentials", "endpoint", "identity"}, Look: s.probeTopic},
	}...))
}

func (s *Sink) probeCredentials(ctx context.Context) sinks.Step {
	const name = "credentials"
	if fault, ok := s.connect(ctx); !ok {
		return sinks.Bad(name, fault, s.Remedy(fault))
	}
	c, err := s.creds.Retrieve(ctx) // from the cache that connect has filled
	if err != nil {
		fault := s.credentialFault(ctx, err)
		return sinks.Bad(name, fault, s.Remedy(fault))
	}
	text := "access key " + tail(c.AccessKeyID) + " from " + s.source(c.Source)
	if c.CanExpire {
		text += ", until " + c.Expires.UTC().Format(time.RFC3339)
	}
	return sinks.Good(name, text)
}

// tail is the shown part of an access key's id: enough to find it in a list.
func tail(id string) string { return "…" + id[max(0, len(id)-4):] }

// source describes where the SDK has found credentials.
func (s *Sink) source(from string) string {
	name, detail, _ := strings.Cut(from, ": ")
	switch name {
	case config.CredentialsSourceName:
		return "the environment (AWS_ACCESS_KEY_ID)"
	case "SharedConfigCredentials":
		return "profile " + s.profile() + " of " + detail
	case processcreds.ProviderName:
		return "credential_process of profile " + s.profile()
	case stscreds.WebIdentityProviderName:
		return "web identity (" + os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") + ")"
	case stscreds.ProviderName:
		if s.o.RoleARN != "" {
			return "role " + s.o.RoleARN + ", assumed"
		}
		return "the role of profile " + s.profile() + ", assumed"
	case ec2rolecreds.ProviderName:
		return "the EC2 metadata service"
	case "AWSIoT":
		return "AWS IoT (" + s.o.IoT.Endpoint + ", role alias " + s.o.IoT.RoleAlias + ", certificate " +
			s.o.IoT.Certificate + ")"
	default:
		return from
	}
}

func (s *Sink) probeEndpoint(ctx context.Context) sinks.Step {
	u, err := url.Parse(s.endpoint(ctx))
	if err != nil || u.Host == "" {
		fault := sinks.Failed(sinks.Wait, "EndpointError", "endpoint "+s.endpoint(ctx)+" is not a URL")
		return sinks.Bad("endpoint", fault, "Correct endpoint of the integration, or leave it out for AWS itself.")
	}
	var secured *tls.Config
	if u.Scheme == "https" {
		roots, err := sinks.Roots(s.o.CAFile)
		if err != nil {
			return sinks.Bad("endpoint", sinks.Failed(sinks.Wait, sinks.CodeCAFile, err.Error()), sinks.CAFileRemedy())
		}
		if t, ok := s.ownTransport(); ok {
			roots = t.TLSClientConfig.RootCAs // with AWS_CA_BUNDLE's
		}
		secured = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, NextProtos: []string{"http/1.1"}}
	}
	return s.o.dialer().Reach(ctx, u, secured)
}

// endpoint returns the address of requests: the configured endpoint, that of environment or profile, or AWS's own.
func (s *Sink) endpoint(ctx context.Context) string {
	if s.o.Endpoint != "" {
		return s.o.Endpoint
	}
	found, err := sns.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, s.endpointParams())
	if err != nil {
		return "region " + s.o.Region + ": " + err.Error()
	}
	return found.URI.String()
}

// maxARN is longer than any ARN of an identity, in bytes.
const maxARN = 512

// emulated reports whether SNS is an emulator on this machine, which does not need real credentials.
func (s *Sink) emulated() bool {
	u, err := url.Parse(s.o.Endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// probeIdentity asks STS for the identity of the credentials, which needs no permission. It is no fault if STS cannot
// be reached, for example with a VPC endpoint for SNS only.
func (s *Sink) probeIdentity(ctx context.Context) sinks.Step {
	const name = "identity"
	client := sts.NewFromConfig(s.config)
	if s.emulated() && client.Options().BaseEndpoint == nil {
		return sinks.Skip(name, "the endpoint is on this machine: STS is not asked")
	}
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err == nil {
		s.identity = sinks.Clean(aws.ToString(out.Arn), maxARN)
		return sinks.Good(name, s.identity)
	}
	fault := classify(ctx, err)
	switch {
	case refusesCredentials(fault.Code) || fault.Code == sinks.CodeClock:
		return sinks.Bad(name, fault, s.Remedy(fault))
	default:
		return sinks.Unsure(name, "STS does not say: "+fault.Error())
	}
}

// probeTopic requests the topic's attributes. A publisher needs no permission for them.
func (s *Sink) probeTopic(ctx context.Context) sinks.Step {
	const name = "topic"
	out, err := s.client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: aws.String(s.o.TopicARN)})
	if err != nil {
		fault := classify(ctx, err)
		switch {
		case matches("AuthorizationError*", fault.Code), matches("AccessDenied*", fault.Code):
			return sinks.Unsure(name,
				"whether "+s.o.TopicARN+" exists cannot be checked: no right to SNS:GetTopicAttributes, which "+
					"publishing does not need")
		case fault.Code == "InvalidAction", matches("NotImplemented*", fault.Code):
			return sinks.Unsure(name,
				"whether "+s.o.TopicARN+" exists cannot be checked: what answers does not know GetTopicAttributes (an "+
					"emulator?)")
		}
		s.forget(fault)
		return sinks.Bad(name, fault, s.Remedy(fault))
	}
	text := s.o.TopicARN + " exists"
	if n := out.Attributes["SubscriptionsConfirmed"]; n != "" {
		text += ", subscriptions: " + n
	}
	if key := out.Attributes["KmsMasterKeyId"]; key != "" {
		text += "; encrypted with key " + key + ", for which a publisher needs kms:GenerateDataKey and kms:Decrypt"
	}
	return sinks.Good(name, text)
}
