package webtest

import (
	"context"
	"net/http"

	"noi-agent/status/api"
)

// Book implements status.Integrations for a scene. It refuses each change.
type Book struct{ Scene *Scene }

// List returns the integrations. The one of GCP is in the configuration file.
func (b Book) List() api.Integrations {
	list := api.Integrations{Integrations: []api.IntegrationEntry{}}
	for i := range b.Scene.State.Integrations {
		in := &b.Scene.State.Integrations[i]
		e := api.IntegrationEntry{
			Config: api.IntegrationConfig{ID: in.ID, Name: in.Name, Enabled: true, Type: in.Type,
				Objects: []string{"adc_vbterm", "charge_state"}, Slaves: []string{"all"}, PublishEvery: "0s",
				Attributes: []string{"object", "sample_id"}},
			ETag: `"1"`, Source: api.SourceAPI, File: "/var/lib/noi-agent/integrations.yaml", State: in,
			Cost: api.IntegrationCost{MessagesPerDay: 5760, BytesPerDay: 3.2e6, Objects: 4, Slaves: 2},
		}
		if in.Type == "gcp" {
			e.Config.Topic = in.Topic
			e.Source, e.File, e.Line, e.Locked = api.SourceFile, "/etc/noi-agent/config.yaml", 44, true
		} else {
			e.Config.TopicARN = in.Topic
		}
		list.Integrations = append(list.Integrations, e)
	}
	return list
}

// Get returns one integration.
func (b Book) Get(id string) (api.IntegrationEntry, error) {
	for _, e := range b.List().Integrations {
		if e.Config.ID == id {
			return e, nil
		}
	}
	return api.IntegrationEntry{}, api.NewError(http.StatusNotFound, "there is no integration "+id, "")
}

func refused() error {
	return api.NewError(http.StatusConflict, "nothing can be changed in a scene", "")
}

// Preview refuses.
func (b Book) Preview(string, []byte) (api.IntegrationEntry, error) {
	return api.IntegrationEntry{}, refused()
}

// Create refuses.
func (b Book) Create(context.Context, []byte) (api.IntegrationEntry, error) {
	return api.IntegrationEntry{}, refused()
}

// Replace refuses.
func (b Book) Replace(context.Context, string, string, []byte) (api.IntegrationEntry, error) {
	return api.IntegrationEntry{}, refused()
}

// Delete refuses.
func (b Book) Delete(context.Context, string, string) error { return refused() }

// SetEnabled refuses.
func (b Book) SetEnabled(context.Context, string, bool) (api.IntegrationEntry, error) {
	return api.IntegrationEntry{}, refused()
}

// Wake refuses.
func (b Book) Wake(string) error { return refused() }

// Needs returns the commands that prepare AWS for a user.
func (b Book) Needs(string) (string, error) {
	return "# The topic\naws sns create-topic --name MainSolarData --region us-east-2\n\n" +
		"# The right to publish to it, and no other, for arn:aws:iam::940497413619:user/push\n" +
		"aws iam put-user-policy --user-name push --policy-name noi-publish --policy-document '{\"Version\":" +
		"\"2012-10-17\",\"Statement\":[{\"Sid\":\"NoiPublish\",\"Effect\":\"Allow\",\"Action\":\"sns:Publish\"," +
		"\"Resource\":\"" + TopicARN + "\"}]}'", nil
}

// Test refuses.
func (b Book) Test(context.Context, string, []byte, func(api.TestStep)) (api.IntegrationTest, error) {
	return api.IntegrationTest{}, refused()
}
