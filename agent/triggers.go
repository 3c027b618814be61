package agent

import (
	"encoding/json"

	"noi-agent/sinks"
	"noi-agent/store"
)

// TriggerRow is one publication as GET /api/v1/triggers lists it (DESIGN §5).
type TriggerRow struct {
	ID              uint64          `json:"id"`
	IntegrationID   string          `json:"integration_id"`
	Success         bool            `json:"success"`
	CompletedAt     string          `json:"completed_at"`   // UTC, milliseconds
	PublishedData   json.RawMessage `json:"published_data"` // the message as it was sent; null in a row about a gap
	IntegrationData TriggerAnswer   `json:"integration_data"`
	Topic           string          `json:"topic"` // as it was then
	Attempts        int             `json:"attempts"`
	Replayed        bool            `json:"replayed,omitempty"` // sent again because somebody asked for a replay
	Gap             *Gap            `json:"gap,omitempty"`      // of a row about samples that are missing
}

// TriggerAnswer is what the cloud said: a message id, or an error.
type TriggerAnswer struct {
	Device    string `json:"device"`
	MessageID string `json:"messageId,omitempty"`
	Error     string `json:"error,omitempty"`
}

// TriggerPage is the answer to one query: rows, newest first, and the id to pass as `before` for older ones.
type TriggerPage struct {
	Triggers []TriggerRow `json:"triggers"`
	Next     *uint64      `json:"next"` // null at the end
}

// Triggers answers a query for the trigger log. Messages are rebuilt from the rows.
func (a *Agent) Triggers(q store.TriggerQuery) (any, error) {
	rows, next, err := a.store.Triggers(q)
	if err != nil {
		return nil, err
	}
	page := TriggerPage{Triggers: make([]TriggerRow, len(rows))}
	if next != 0 {
		page.Next = &next
	}
	for i := range rows {
		page.Triggers[i] = a.triggerRow(&rows[i])
	}
	return page, nil
}

func (a *Agent) triggerRow(t *store.Trigger) TriggerRow {
	row := TriggerRow{
		ID: t.ID, IntegrationID: t.Integration, Success: t.Success,
		CompletedAt:     t.CompletedAt.UTC().Format(millis),
		PublishedData:   json.RawMessage("null"),
		IntegrationData: TriggerAnswer{Device: a.deviceID, MessageID: t.MessageID, Error: t.Error},
		Topic:           t.Topic, Attempts: t.Attempts, Replayed: t.Replayed,
	}
	if t.Gap.Reason != "" {
		gap := gapOf(t.Gap)
		row.Gap = &gap
		return row
	}
	row.PublishedData = sinks.AppendBody(nil, sinks.Envelope{
		PublishedAt: t.PublishedAt, DeviceID: a.deviceID, IntegrationID: t.Integration, Source: t.Source, Sample: t.Sample,
	})
	return row
}

// millis is RFC 3339 in UTC with exactly three decimals.
const millis = "2006-01-02T15:04:05.000Z"
