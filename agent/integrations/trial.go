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
	// Probe checks each stage of the way to the topic, and reports it.
	Probe(ctx context.Context, report func(sinks.Step)) (ok bool)
	Publish(ctx context.Context, messages []sinks.Message) []sinks.Result
	Remedy(r sinks.Result) string
	// Needs returns the commands that prepare the cloud. known may be a text with the identity of the gateway.
	Needs(known string) string
	Close() error
}

// The marks of the test message: its object, its data, and the name of its attribute.
const (
	TestObject    = "noi_test"
	TestData      = "test"
	testAttribute = "test"
)

// Trial checks each stage of the way to a topic, and then sends message. It sends nothing if a stage has failed, or if
// message is nil. It returns the id of the accepted message, and whether everything was ok.
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

// TestMessage returns a message like that of a sample, with marks by which a consumer can drop it.
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

// Test checks each stage of the way to the topic and sends one marked message. If config is nil, it tests the active
// integration with this id. Otherwise it tests config, which it does not save, for the integration with this id, or for
// a new one (""). A failed step is no error. report gets each step when it ends; nil: not reported.
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
		_ = b.engine.TryNow(id) // the error of a paused integration does not matter
	}
	return t, nil
}

// know notes the identity of the gateway that a test has reported.
func (b *Book) know(id, identity string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.identities[id] = identity
}

// Needs returns the commands that create the topic of an integration and allow the gateway to publish to it. The
// identity of the gateway is taken from the last test, or from the last error of the cloud. No request is sent.
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

// toTest returns the integration to test.
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
