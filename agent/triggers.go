package agent

import (
	"encoding/json"
	"errors"
	"time"

	"noi-agent/agent/publish"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

// defaultRows is the most rows for a query without a limit.
const defaultRows = 50

// Triggers returns the rows of the trigger log that match a query. Messages are rebuilt from the rows. It fails with an
// *api.Error for an integration or an object that does not exist.
func (a *Agent) Triggers(q api.TriggerQuery) (api.Triggers, error) {
	if err := a.current().checkFilter(&q, a.store); err != nil {
		return api.Triggers{}, err
	}
	ahead := a.outlooks()
	find := store.TriggerQuery{Integration: q.Integration, Gaps: q.Gaps, Success: q.Success, Limit: q.Limit,
		Before: q.Before, Match: matcher(q, ahead)}
	if find.Limit == 0 {
		find.Limit = defaultRows
	}
	rows, next, err := a.store.Triggers(find)
	if err != nil {
		return api.Triggers{}, err
	}
	page := api.Triggers{Triggers: make([]api.Trigger, len(rows))}
	if next != 0 {
		page.Next = &next
	}
	for i := range rows {
		page.Triggers[i] = a.triggerRow(&rows[i], ahead)
	}
	return page, nil
}

// matcher returns the filters that the store does not have; nil: there are none.
func matcher(q api.TriggerQuery, ahead outlooks) func(*store.Trigger) bool {
	if q.Object == "" && q.State == "" && q.From.IsZero() && q.To.IsZero() {
		return nil
	}
	return func(t *store.Trigger) bool {
		return (q.Object == "" || objects.MatchesName(q.Object, objectOf(t))) &&
			(q.State == "" || q.State == ahead.state(t)) &&
			!t.CompletedAt.Before(q.From) && (q.To.IsZero() || t.CompletedAt.Before(q.To))
	}
}

func objectOf(t *store.Trigger) string {
	if t.IsGap() {
		return t.Gap.Object
	}
	return t.Sample.Object
}

// outlook has the next attempt of an integration after a failed one.
type outlook struct {
	waiting bool          // an operator must fix something first
	left    time.Duration // until the next attempt
	at      *string       // wall time of the next attempt; nil: the integration waits for no attempt
}

// outlooks has the outlooks of the configured integrations, by id.
type outlooks map[string]outlook

func (a *Agent) outlooks() outlooks {
	all := outlooks{}
	for _, f := range a.current().forwarders {
		waiting, left, known := f.Outlook()
		o := outlook{waiting: waiting, left: left}
		if known {
			o.at = millis(a.clock.Now().Add(left))
		}
		all[f.Integration().ID] = o
	}
	return all
}

// state returns the word for the state of a row.
func (o outlooks) state(t *store.Trigger) string {
	switch {
	case t.Success:
		return api.StateDelivered
	case t.IsGap():
		return api.StateDropped
	case t.Dead:
		return api.StateSetAside
	case t.Open && o[t.Integration].waiting:
		return api.StateRefused
	case t.Open:
		return api.StateRetrying
	case t.Replayed:
		return api.StateRefused
	}
	return api.StateDropped
}

func (a *Agent) triggerRow(t *store.Trigger, ahead outlooks) api.Trigger {
	row := api.Trigger{
		ID: t.ID, IntegrationID: t.Integration, Success: t.Success, State: ahead.state(t),
		CompletedAt:     *millis(t.CompletedAt),
		AgeS:            rowAge(t.CompletedAt, a.clock.Now(), a.clock.Wall.Source().Built),
		PublishedData:   json.RawMessage("null"),
		IntegrationData: api.Answer{Device: a.deviceID, MessageID: t.MessageID, Error: t.Error},
		Topic:           t.Topic, Attempts: t.Attempts, Replayed: t.Replayed,
	}
	if t.Open && !t.IsGap() {
		o := ahead[t.Integration]
		if row.NextAttemptAt = o.at; o.at != nil {
			left := o.left.Seconds()
			row.NextAttemptInS = &left
		}
	}
	if t.IsGap() {
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

// rowAge returns the age of a row in seconds. The row has only the time by the clock of that moment. If this time is
// after now or before the build of the program, the clock was wrong, and the age is nil.
func rowAge(at, now, built time.Time) *int64 {
	if at.After(now) || at.Before(built) {
		return nil
	}
	age := int64(now.Sub(at).Seconds())
	return &age
}

func millis(t time.Time) *string {
	text := t.UTC().Format(publish.Millis)
	return &text
}

// triggerGone returns the error for a row that does not exist.
func triggerGone(err error) error {
	if errors.Is(err, store.ErrNoTrigger) {
		return api.NewError(404, err.Error()+": it never existed, or it is no longer kept (triggers.keep)",
			"noi-agent triggers")
	}
	return err
}
