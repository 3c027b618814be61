package integrations

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

// Sink is a client of a cloud, as far as a test needs it.
type Sink interface {
	// Probe looks at each stage of the way to the topic.
	Probe(ctx context.Context, report func(sinks.Step)) (ok bool)
	Publish(ctx context.Context, messages []sinks.Message) []sinks.Result
	Remedy(r sinks.Result) string
	// Needs returns the commands that a cloud needs first. known may name the identity of the gateway.
	Needs(known string) string
	Close() error
}

// The marks of the test message, in its object, its data and its attribute.
const (
	TestObject    = "noi_test"
	TestData      = "test"
	testAttribute = "test"
)

// Trial looks at each stage of the way to a topic, and sends the message unless it would fail; nil: none is to be sent.
func Trial(ctx context.Context, sink Sink, message *sinks.Message, report func(sinks.Step)) (id string, ok bool) {
	ok = sink.Probe(ctx, report)
	switch {
	case message == nil:
		report(sinks.Skip("message", "--dry-run"))
		return "", ok
	case !ok:
		report(sinks.Skip("message", "it would fail too"))
		return "", false
	}
	result := sink.Publish(ctx, []sinks.Message{*message})[0]
	if result.Outcome != sinks.Accepted {
		report(sinks.Bad("message", result, sink.Remedy(result)))
		return result.MessageID, false
	}
	report(sinks.Good("message", "accepted, message id "+result.MessageID))
	return result.MessageID, true
}

// TestMessage is like a sample's, with marks by which a consumer can drop it.
func TestMessage(now time.Time, version, integrationID, deviceID string) *sinks.Message {
	e := sinks.Envelope{
		PublishedAt: now, DeviceID: deviceID, IntegrationID: integrationID,
		Source: objects.Source{Slave: "noi-agent", FWVersion: "TEST " + version},
		Sample: objects.Sample{Object: TestObject, Value: objects.Text(TestData), SampledAt: now},
	}
	return &sinks.Message{
		Body:       sinks.AppendBody(nil, e),
		Attributes: []sinks.Attribute{{Name: testAttribute, Value: "true"}},
		SampleID:   deviceID + "-test-" + rand.Text(),
		Key:        TestObject,
	}
}

// Test looks at each stage of the way to the topic and sends one marked message. config nil tests what is in force;
// else a configuration that is not saved, of the one with that id, or of a new one for "". A test that finds something
// wrong is no error.
func (b *Book) Test(ctx context.Context, id string, config []byte, report func(api.TestStep)) (api.IntegrationTest,
	error) {
	in, err := b.toTest(id, config)
	if err != nil {
		return api.IntegrationTest{}, err
	}
	select {
	case b.testing <- struct{}{}:
		defer func() { <-b.testing }()
	case <-ctx.Done():
		return api.IntegrationTest{}, api.NewError(http.StatusServiceUnavailable, "another test is under way", "")
	}
	device := b.engine.Status().DeviceID
	sink, err := b.o.NewSink(*in, device)
	if err != nil {
		return api.IntegrationTest{}, api.NewError(http.StatusInternalServerError, err.Error(), "")
	}
	defer func() { _ = sink.Close() }() // the results are in
	t := api.IntegrationTest{IntegrationID: in.ID, Name: in.Name, Type: in.Type, Topic: in.Destination(),
		Steps: []api.TestStep{}}
	t.MessageID, t.OK = Trial(ctx, sink, TestMessage(b.o.Now(), b.o.Version, in.ID, device), func(s sinks.Step) {
		step := api.TestStep{Name: s.Name, Verdict: string(s.Verdict), Text: s.Text, Remedy: s.Remedy}
		t.Steps = append(t.Steps, step)
		if s.Name == "identity" && s.Verdict == sinks.StepOK {
			b.know(in.ID, s.Text)
		}
		if report != nil {
			report(step)
		}
	})
	if t.OK && config == nil {
		_ = b.engine.TryNow(id) // a paused one has nothing to try
	}
	return t, nil
}

// know keeps the identity that a test has seen.
func (b *Book) know(id, identity string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.identities[id] = identity
}

// Needs returns the commands that make the topic of an integration and give the gateway the right to publish to it. The
// last test or the last refusal names the identity. No cloud is asked.
func (b *Book) Needs(id string) (string, error) {
	in, err := b.toTest(id, nil)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	known := b.identities[id]
	b.mu.Unlock()
	state := b.engine.Status()
	for i := range state.Integrations {
		if known == "" && state.Integrations[i].ID == id {
			known = state.Integrations[i].LastError
		}
	}
	sink, err := b.o.NewSink(*in, state.DeviceID)
	if err != nil {
		return "", api.NewError(http.StatusInternalServerError, err.Error(), "")
	}
	defer func() { _ = sink.Close() }() // nothing was sent
	return sink.Needs(known), nil
}

// toTest returns the integration that is to be tested.
func (b *Book) toTest(id string, config []byte) (*configs.Integration, error) {
	s := b.state()
	if config != nil {
		return b.candidate(s, id, config)
	}
	all := s.main.With(s.made)
	for i := range all.Integrations {
		if all.Integrations[i].ID == id {
			return &all.Integrations[i], nil
		}
	}
	return nil, noSuch(id)
}
