package status

import (
	"context"

	"noi-agent/status/api"
)

// Integrations are the destinations, as people see and change them. Errors are *api.Error with the status to answer
// with: 404 it does not exist, 409 it is in the configuration file, or the name is taken, 412 it was changed meanwhile,
// 422 with a fault for each wrong key. If a method that changes something returns nil, the change is on the disk and
// active.
type Integrations interface {
	integrationReader
	integrationEditor
	integrationActions
}

// integrationReader reads integrations.
type integrationReader interface {
	// List returns all integrations, the ones of the configuration file first.
	List() api.Integrations
	// Get returns one by its id.
	Get(id string) (api.IntegrationEntry, error)
	// Preview checks a configuration as Create does (id ""), or as Replace does. It returns the integration and its
	// cost.
	// Nothing is changed.
	Preview(id string, config []byte) (api.IntegrationEntry, error)
	// Needs returns the commands that an integration's cloud needs first, with the names of this gateway.
	Needs(id string) (string, error)
}

// integrationEditor changes integrations. A config is one JSON object with the keys of api.IntegrationConfig. It is
// read strictly, as the configuration file is. An etag is the one of the entry that was read.
type integrationEditor interface {
	// Create adds an integration, which starts with the next sample.
	Create(ctx context.Context, config []byte) (api.IntegrationEntry, error)
	// Replace replaces the configuration of the integration with this id.
	Replace(ctx context.Context, id, etag string, config []byte) (api.IntegrationEntry, error)
	// Delete removes an integration. Its waiting samples are kept for 24 h.
	Delete(ctx context.Context, id, etag string) error
}

// integrationActions are the buttons beside an integration.
type integrationActions interface {
	// SetEnabled resumes (true) or pauses an integration. It does nothing if the integration already has this state.
	SetEnabled(ctx context.Context, id string, enabled bool) (api.IntegrationEntry, error)
	// Wake makes an integration that waits after a failure try again at once.
	Wake(id string) error
	// Test checks each stage of the way to the topic, and sends one marked message. With config nil it tests the active
	// integration. Otherwise it tests config, which is not saved, for the integration with this id, or for a new one
	// (""). tell, if not nil, is called with each step when it ends. A test that finds a fault is no error.
	Test(ctx context.Context, id string, config []byte, tell func(api.TestStep)) (api.IntegrationTest, error)
}
