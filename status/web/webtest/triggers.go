package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
)

// Triggers returns the rows that match.
func (s *Scene) Triggers(q api.TriggerQuery) (api.Triggers, error) {
	if s.LogError != nil {
		return api.Triggers{}, s.LogError
	}
	page := api.Triggers{Triggers: []api.Trigger{}}
	for i := range s.Log {
		t := &s.Log[i]
		switch {
		case q.Before > 0 && t.ID >= q.Before,
			q.Integration != "" && t.IntegrationID != q.Integration,
			q.Success != nil && t.Success != *q.Success,
			q.State != "" && t.State != q.State,
			q.Object != "" && !objects.MatchesName(q.Object, sentBy(t).Object),
			!within(q.From, q.To, t.CompletedAt),
			q.Gaps && t.Gap == nil:
			continue
		}
		if len(page.Triggers) == q.Limit {
			last := page.Triggers[q.Limit-1].ID
			page.Next = &last
			break
		}
		page.Triggers = append(page.Triggers, *t)
	}
	return page, nil
}

// within reports whether a moment is in the range: from it on, and before to. A zero time is no limit.
func within(from, to time.Time, moment string) bool {
	at, err := time.Parse(time.RFC3339, moment)
	return err == nil && !at.Before(from) && (to.IsZero() || at.Before(to))
}

// sent has the fields of a message that the scene needs.
type sent struct {
	Object, Slave string
	Data          json.RawMessage
}

// sentBy reads the message of a row. A row about a gap has no message, but an object.
func sentBy(t *api.Trigger) (m sent) {
	_ = json.Unmarshal(t.PublishedData, &m) // our own messages
	if t.Gap != nil {
		m.Object = t.Gap.Object
	}
	return m
}

// Trigger returns a row with its details.
func (s *Scene) Trigger(id uint64) (api.TriggerDetail, error) {
	if s.LogError != nil {
		return api.TriggerDetail{}, s.LogError
	}
	for i := range s.Log {
		if t := s.Log[i]; t.ID == id {
			m := sentBy(&t)
			d := api.TriggerDetail{Trigger: t, Integration: "main-solar", Type: "aws", Object: m.Object, Slave: m.Slave,
				Value: m.Data, Line: "rs485", UnitID: 1, CanPublish: t.Success,
				SampleID: fmt.Sprintf("5300520006504b5957343920-9f3a1c02-41-%d", id)}
			if m.Object == "adc_vbterm" {
				d.Unit = "V"
			}
			if !t.Success && t.Gap == nil {
				d.WhyNot = "it is not delivered yet: it is sent in its turn, and waking the integration tries at once"
				d.Remedy = api.CloudNoPermission.Of(t.IntegrationID, Moment(), "").With("name", "main-solar", "id",
					t.IntegrationID, "type", "aws", "cloud", "AWS").Remedy
			} else if t.Gap != nil {
				d.WhyNot = "a gap has no sample to publish"
			}
			return d, nil
		}
	}
	return api.TriggerDetail{}, api.NewError(http.StatusNotFound, fmt.Sprintf("trigger %d is not kept", id), "")
}

// PublishTrigger refuses, because a scene has no cloud.
func (s *Scene) PublishTrigger(context.Context, uint64) (api.Replay, error) {
	return api.Replay{}, api.NewError(http.StatusConflict, "no cloud is behind a scene", "")
}

// messages returns n rows of a trigger log, the newest first. AWS refused its messages among the first `refused` rows.
func messages(n, refused int) []api.Trigger {
	rows := make([]api.Trigger, n)
	for i := range rows {
		aws := i%3 != 1
		t := api.Trigger{
			ID: uint64(9982 - i), IntegrationID: GCP, Topic: Topic, Success: true,
			Attempts: 1, State: api.StateDelivered,
			CompletedAt: at(time.Duration(3+8*i) * time.Second).Format("2006-01-02T15:04:05.000Z"),
			IntegrationData: api.Answer{Device: "5300520006504b5957343920",
				MessageID: fmt.Sprint(4985640066378276 - i*7919)},
		}
		if aws {
			t.IntegrationID, t.Topic = AWS, TopicARN
			t.IntegrationData.MessageID = fmt.Sprintf("%08x-5acb-5b2c-9d3e-%012x", 0x4924f1+i*7919,
				0x61c1c0ffee+i*104729)
		}
		if aws && i < refused {
			t.Success, t.State, t.Attempts, t.IntegrationData.MessageID = false, api.StateRefused, 4, ""
			t.IntegrationData.Error = refusal
		}
		t.PublishedData = message(i, t.IntegrationID)
		rows[i] = t
	}
	return rows
}

const refusal = "AuthorizationError: User: arn:aws:iam::940497413619:user/push is not authorized to perform: " +
	"SNS:Publish on resource: " + TopicARN + " because no identity-based policy allows the SNS:Publish action"

func message(i int, integration string) json.RawMessage {
	object, data := "adc_vbterm", fmt.Sprintf("%.6f", 12.117188+math.Round(16*math.Sin(float64(i)/9))/32)
	if i%4 == 1 {
		object, data = "charge_state", `"ABSORPTION"`
	}
	published := at(time.Duration(4+8*i) * time.Second)
	return json.RawMessage(fmt.Sprintf(`{"published_at":%q,"device_id":"5300520006504b5957343920","data":%s,`+
		`"integration_id":%q,"sampled_at":%q,"object":%q,"slave":"PS-PWM-30M","cc_firmware":"v01.04.06",`+
		`"fw_version":"PSPWM 0.1.0"}`, published.Format("2006-01-02T15:04:05.000Z"), data, integration,
		published.Add(-2*time.Second).Format(time.RFC3339), object))
}

// DeadLetters returns the messages that AWS has rejected, the oldest first.
func (s *Scene) DeadLetters(integration string) (api.DeadLetters, error) {
	list := api.DeadLetters{DeadLetters: []api.Trigger{}}
	for i := range s.State.Integrations {
		in := &s.State.Integrations[i]
		if integration != "" && integration != in.ID {
			continue
		}
		for n := range in.Dead {
			t := api.Trigger{
				ID: uint64(900 + n), IntegrationID: in.ID, Topic: in.Topic, State: api.StateSetAside, Attempts: 1,
				CompletedAt:   at(30*time.Hour - time.Duration(n)*time.Hour).Format("2006-01-02T15:04:05.000Z"),
				PublishedData: message(13000-n*400, in.ID),
				IntegrationData: api.Answer{Device: "5300520006504b5957343920",
					Error: "InvalidParameter: Invalid parameter: Message attribute name is not valid"},
			}
			list.DeadLetters = append(list.DeadLetters, t)
		}
	}
	return list, nil
}

// RetryDeadLetters reports that the cloud has accepted all messages except one. It sends nothing.
func (s *Scene) RetryDeadLetters(_ context.Context, _ string, ids []uint64, report func(any) error) error {
	return report(api.Replay{State: "done", Sent: uint64(len(ids) - 1), Rejected: 1})
}

// DropDeadLetters returns the number of ids. It deletes nothing.
func (s *Scene) DropDeadLetters(_ string, ids []uint64) (int, error) { return len(ids), nil }
