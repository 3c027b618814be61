package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"noi-agent/agent/publish"
	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/store"
)

// Trigger returns one row with all its details. It fails with an *api.Error (404) if the row is not kept.
func (a *Agent) Trigger(id uint64) (api.TriggerDetail, error) {
	row, err := a.store.Trigger(id)
	if err != nil {
		return api.TriggerDetail{}, triggerGone(err)
	}
	ahead := a.outlooks()
	d := api.TriggerDetail{Trigger: a.triggerRow(&row.Trigger, ahead), Integration: row.Integration,
		Value: json.RawMessage("null")}
	for _, f := range a.current().forwarders {
		if in := f.Integration(); in.ID == row.Integration {
			d.Integration, d.Type = cmp.Or(in.Name, in.ID), in.Type
		}
	}
	d.Code, d.Title, d.Remedy = advice(&d)
	if row.IsGap() {
		d.Object, d.WhyNot = row.Gap.Object, "a gap has no sample to publish"
		return d, nil
	}
	describe(a, &d, &row)
	d.WhyNot = publishable(d.State)
	d.CanPublish = d.WhyNot == ""
	return d, nil
}

// describe adds the known fields of the sample.
func describe(a *Agent, d *api.TriggerDetail, row *store.DeadLetter) {
	sampled := row.Sample.SampledAt.UTC().Format(time.RFC3339)
	d.SampledAt, d.PublishedAt = &sampled, millis(row.PublishedAt)
	d.SampleID = objects.SampleID(a.deviceID, row.Store, row.Run, row.Sample.N)
	d.Line, d.UnitID, d.Slave = row.Source.Line, int(row.Source.UnitID), row.Source.Slave
	d.Object, d.Value = row.Sample.Object, row.Sample.Value.AppendJSON(nil)
	slug, _, _ := strings.Cut(row.Source.FWVersion, " ")
	if family, ok := a.current().catalog.Family(slug); ok {
		if object, ok := family.Object(row.Sample.Object); ok {
			d.Unit = object.Unit
		}
	}
}

// advice returns code, title and remedy of the problem that prevents the delivery of a message; "" if there is none.
func advice(d *api.TriggerDetail) (code, title, remedy string) {
	var kind api.Kind
	switch d.State {
	case api.StateRetrying, api.StateRefused:
		kind = publish.KindOf(d.IntegrationData.Error, d.State == api.StateRetrying)
	case api.StateSetAside:
		kind = api.CloudRejected
	case api.StateDropped:
		if d.Gap == nil || !deletedUnsent(d.Gap.Reason) {
			return "", "", ""
		}
		kind = api.CloudDropped
	default:
		return "", "", ""
	}
	p := kind.Of(d.IntegrationID, time.Time{}, "").With("name", d.Integration, "id", d.IntegrationID, "type", d.Type,
		"cloud", cloudName(d.Type), "messages", "1 message")
	return p.Code, p.Title, p.Remedy
}

// deletedUnsent reports whether the reason of a gap is that the limits of the outbox, or a full disk, have cost
// samples.
func deletedUnsent(reason string) bool {
	word, _, _ := strings.Cut(reason, ":")
	return word == objects.GapAge || word == objects.GapSize || word == objects.GapDiskFull ||
		word == objects.GapRejected
}

// publishable returns why a row cannot be published again; "": it can.
func publishable(state string) string {
	switch state {
	case api.StateRetrying, api.StateRefused:
		return "it is not delivered yet: it is sent in its turn, and waking the integration tries at once"
	case api.StateDropped:
		return "the sample is no longer kept: it was given up, and a gap reports it as missing"
	}
	return ""
}

// publishLimit is the longest time for publishing a single sample, because a person waits for the answer.
const publishLimit = 30 * time.Second

// PublishTrigger publishes the sample of a row again, with the same sample id and marked as a replay. A dead letter is
// not marked, because it never arrived. PublishTrigger returns when the cloud has answered. It fails with an
// *api.Error: 404 if the row is not kept, 409 if it cannot be published, 503 if the cloud accepts nothing within 30 s.
func (a *Agent) PublishTrigger(ctx context.Context, id uint64) (last api.Replay, err error) {
	d, err := a.Trigger(id)
	if err != nil {
		return last, err
	}
	row, err := a.store.Trigger(id)
	if err != nil {
		return last, triggerGone(err)
	}
	if !d.CanPublish {
		return last, api.NewError(409, fmt.Sprintf("trigger %d is not published again: %s", id, d.WhyNot), "")
	}
	f, err := a.working(row.Integration)
	if err != nil {
		return last, api.NewError(409, err.Error(), "")
	}
	limited, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	report := func(line any) error { last, _ = line.(api.Replay); return nil }
	if row.Dead {
		err = f.SendLetters(limited, []store.DeadLetter{row}, report)
	} else {
		err = f.SendRow(limited, fmt.Sprintf("%d-%d", a.store.Run(), a.replays.Add(1)), &row, report)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return last, api.NewError(503, fmt.Sprintf("the cloud did not take it within %s: %s",
			objects.Period(publishLimit), last.Error),
			"noi-agent publish-test "+d.Integration)
	case errors.Is(err, publish.ErrReplaying):
		return last, api.NewError(409, err.Error(), "")
	}
	return last, err
}
