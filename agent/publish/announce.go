package publish

import (
	"encoding/json"
	"fmt"
	"time"

	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

// announcement is the body of a message about a gap (docs/messages.md).
type announcement struct {
	PublishedAt   string  `json:"published_at"` // as in a sample's message
	DeviceID      string  `json:"device_id"`
	Gap           api.Gap `json:"gap"`
	IntegrationID string  `json:"integration_id"`
}

// announce sends the gaps that the cloud of the integration does not have yet, when no sample can be sent. worked
// reports whether there were any. pause is the wait after them.
func (f *Forwarder) announce() (pause time.Duration, worked bool, err error) {
	gaps, err := f.store.OpenGaps(f.cfg.ID, f.window())
	if err != nil || len(gaps) == 0 {
		return 0, false, err
	}
	published := f.clock.Now()
	messages := make([]sinks.Message, len(gaps))
	for i := range gaps {
		messages[i] = f.gapMessage(published, &gaps[i])
	}
	results, completed := f.publish(messages)
	for i, r := range results {
		err := f.store.SettleGap(f.cfg.ID, gaps[i], store.Result{
			Outcome: outcomeOf(r.Outcome), PublishedAt: published, CompletedAt: completed, MessageID: r.MessageID,
			Error: r.Error(),
		})
		if err != nil {
			return 0, true, err
		}
	}
	return f.judge(results, completed), true, nil
}

// gapMessage builds the message of a gap. A gap that has grown has another id, since its content is new.
func (f *Forwarder) gapMessage(published time.Time, t *store.Trigger) sinks.Message {
	body, err := json.Marshal(announcement{
		PublishedAt: published.UTC().Format(Millis), DeviceID: f.deviceID, Gap: toldGap(t.Gap), IntegrationID: f.cfg.ID,
	})
	if err != nil {
		panic(err) // strings, numbers and times always encode
	}
	return sinks.Message{
		Body:       body,
		Attributes: []sinks.Attribute{{Name: "gap", Value: "true"}},
		SampleID:   fmt.Sprintf("%s-%s-gap-%d-%d", f.deviceID, f.store.ID(), t.ID, t.Gap.Count),
		Key:        t.Gap.Unit + "/" + t.Gap.Object,
	}
}
