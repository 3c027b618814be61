package agent

import (
	"encoding/json"

	"noi-agent/agent/publish"
	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

// Triggers answers a query for the trigger log. Messages are rebuilt from the rows.
func (a *Agent) Triggers(q store.TriggerQuery) (api.Triggers, error) {
	rows, next, err := a.store.Triggers(q)
	if err != nil {
		return api.Triggers{}, err
	}
	page := api.Triggers{Triggers: make([]api.Trigger, len(rows))}
	if next != 0 {
		page.Next = &next
	}
	for i := range rows {
		page.Triggers[i] = a.triggerRow(&rows[i])
	}
	return page, nil
}

func (a *Agent) triggerRow(t *store.Trigger) api.Trigger {
	row := api.Trigger{
		ID: t.ID, IntegrationID: t.Integration, Success: t.Success,
		CompletedAt:     t.CompletedAt.UTC().Format(publish.Millis),
		PublishedData:   json.RawMessage("null"),
		IntegrationData: api.Answer{Device: a.deviceID, MessageID: t.MessageID, Error: t.Error},
		Topic:           t.Topic, Attempts: t.Attempts, Replayed: t.Replayed,
	}
	if t.Gap.Reason != "" {
		gap := publish.GapOf(t.Gap)
		row.Gap = &gap
		return row
	}
	row.PublishedData = sinks.AppendBody(nil, sinks.Envelope{
		PublishedAt: t.PublishedAt, DeviceID: a.deviceID, IntegrationID: t.Integration, Source: t.Source,
		Sample: t.Sample,
	})
	return row
}
