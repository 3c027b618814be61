package status

import (
	"context"

	"noi-agent/status/api"
)

// Integrations are the destinations, as people see and change them. Errors are *api.Error with the status to answer
// with: 404 no such one, 409 the configuration file has it or the name is taken, 412 it was changed meanwhile, 422 with
// a fault for each key that is wrong. When a method that changes something returns nil, the change is on the disk and
// in force.
type Integrations interface {
	integrationReader
	integrationEditor
	integrationActions
}

// integrationReader looks.
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
	// Create adds one, which starts at the newest sample.
	Create(ctx context.Context, config []byte) (api.IntegrationEntry, error)
	// Replace puts another configuration in the place of the one with that id.
	Replace(ctx context.Context, id, etag string, config []byte) (api.IntegrationEntry, error)
	// Delete removes an integration. Its waiting samples are kept for 24 h.
	Delete(ctx context.Context, id, etag string) error
}

// integrationActions are the buttons beside an integration.
type integrationActions interface {
	// SetEnabled resumes (true) or pauses it. One that is so already is left alone.
	SetEnabled(ctx context.Context, id string, enabled bool) (api.IntegrationEntry, error)
	// Wake has one that waits after a failure try again at once.
	Wake(id string) error
	// Test looks at each stage of the way to the topic and sends one marked message. config nil tests what is in force;
	// else a configuration that is not saved, of the one with that id, or of a new one for "". tell, if not nil, is
	// called with each step as it ends. A test that finds something wrong is no error.
	Test(ctx context.Context, id string, config []byte, tell func(api.TestStep)) (api.IntegrationTest, error)
}
