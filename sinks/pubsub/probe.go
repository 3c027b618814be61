package pubsub

import (
	"context"
	"crypto/tls"
	"net/url"
	"os"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"

	"noi-agent/sinks"
)

// publishRight is the permission that publishing needs; roles/pubsub.publisher is the least role that has it.
const publishRight = "pubsub.topics.publish"

// Probe checks each stage of the way to the topic, and reports each result at once. It publishes nothing. ok is false
// when a stage failed, so that a message would fail too.
func (s *Sink) Probe(ctx context.Context, report func(sinks.Step)) (ok bool) {
	return sinks.Probe(ctx, s.o.Timeout, report, append(sinks.Trust(s.o.CAFile), []sinks.Stage{
		{Name: "credentials", Needs: []string{"ca_file"}, Look: s.probeCredentials},
		{Name: "endpoint", Needs: []string{"ca_file"}, Look: s.probeEndpoint},
		{Name: "topic", Needs: []string{"credentials", "endpoint"}, Look: s.probeTopic},
		{Name: "permission", Needs: []string{"topic"}, Look: s.probePermission},
	}...))
}

func (s *Sink) probeCredentials(ctx context.Context) sinks.Step {
	const name = "credentials"
	if _, plain := target(s.o.Endpoint, os.Getenv("PUBSUB_EMULATOR_HOST")); plain {
		return sinks.Good(name, "none needed: the endpoint is plaintext (an emulator)")
	}
	if fault, ok := s.connect(ctx); !ok {
		return sinks.Bad(name, fault, s.Remedy(fault))
	}
	return sinks.Good(name, s.who.text+" from "+s.creds.from)
}

func (s *Sink) probeEndpoint(ctx context.Context) sinks.Step {
	host, plain := target(s.o.Endpoint, os.Getenv("PUBSUB_EMULATOR_HOST"))
	u := &url.URL{Scheme: "https", Host: host}
	if plain {
		return s.o.dialer().Reach(ctx, u, nil) // by DialTunnel, as gRPC does
	}
	roots, err := sinks.Roots(s.o.CAFile)
	if err != nil {
		return sinks.Bad("endpoint", sinks.Failed(sinks.Wait, sinks.CodeCAFile, err.Error()), sinks.CAFileRemedy())
	}
	return s.o.dialer().Reach(ctx, u, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots,
		NextProtos: []string{"h2"}})
}

// probeTopic requests the topic. A publisher needs no permission for that.
func (s *Sink) probeTopic(ctx context.Context) sinks.Step {
	const name = "topic"
	if fault, ok := s.connect(ctx); !ok { // the step before may have hung up
		return sinks.Bad(name, fault, s.Remedy(fault))
	}
	topic, err := pubsubpb.NewPublisherClient(s.conn).GetTopic(routed(ctx, "topic", s.topic),
		&pubsubpb.GetTopicRequest{Topic: s.topic})
	if err != nil {
		fault := s.classify(ctx, err)
		switch {
		case fault.Code == codes.PermissionDenied.String() && !disabled(fault.Text):
			return sinks.Unsure(name,
				"whether "+s.topic+" exists cannot be checked: no right to pubsub.topics.get, which publishing does "+
					"not need")
		case fault.Code == codes.Unimplemented.String():
			return sinks.Unsure(name,
				"whether "+s.topic+" exists cannot be checked: what answers does not know GetTopic (an emulator?)")
		}
		s.forget(fault)
		return sinks.Bad(name, fault, s.Remedy(fault))
	}
	text := s.topic + " exists"
	if key := topic.GetKmsKeyName(); key != "" {
		text += ", encrypted with " + key
	}
	if schema := topic.GetSchemaSettings().GetSchema(); schema != "" {
		text += "; its messages are held against " + schema
	}
	return sinks.Good(name, text)
}

// probePermission asks which of some permissions the credentials have. This request itself needs no permission. For a
// topic that does not exist they have none.
func (s *Sink) probePermission(ctx context.Context) sinks.Step {
	const name = "permission"
	if fault, ok := s.connect(ctx); !ok {
		return sinks.Bad(name, fault, s.Remedy(fault))
	}
	in := &iampb.TestIamPermissionsRequest{Resource: s.topic, Permissions: []string{publishRight}}
	out, err := iampb.NewIAMPolicyClient(s.conn).TestIamPermissions(routed(ctx, "resource", s.topic), in)
	if err != nil {
		fault := s.classify(ctx, err)
		if fault.Code == codes.Unimplemented.String() {
			return sinks.Unsure(name, "what answers does not know TestIamPermissions (an emulator?)")
		}
		s.forget(fault)
		return sinks.Bad(name, fault, s.Remedy(fault))
	}
	if !slices.Contains(out.GetPermissions(), publishRight) {
		fault := sinks.Failed(sinks.Wait, codes.PermissionDenied.String(),
			"no "+publishRight+" on "+s.topic+", or there is no such topic")
		return sinks.Bad(name, fault, s.Remedy(fault))
	}
	return sinks.Good(name, publishRight)
}

// disabled reports whether a refusal means that the API is not enabled in the project.
func disabled(text string) bool {
	return strings.Contains(text, "has not been used in project") || strings.Contains(text, "it is disabled")
}
