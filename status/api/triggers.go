package api

import (
	"encoding/json"
	"time"
)

// DeadLetters is the answer of GET /api/v1/deadletters: rows of the trigger log, the oldest first.
type DeadLetters struct {
	DeadLetters []Trigger `json:"dead_letters"`
}

// Replay is one line of the answer of POST /api/v1/replay.
type Replay struct {
	State     string     `json:"state"`                // waiting | sending | retrying | done
	Sent      uint64     `json:"sent"`                 // samples that the cloud has accepted again
	Rejected  uint64     `json:"rejected"`             // samples that the cloud has rejected
	Damaged   uint64     `json:"damaged"`              // unreadable records of the outbox
	SampledAt *time.Time `json:"sampled_at,omitempty"` // of the last sample that was sent; UTC, whole seconds
	Error     string     `json:"error,omitempty"`      // of the last attempt, while the cloud does not accept samples
}

// The states of a trigger.
const (
	StateDelivered = "delivered" // the cloud has accepted the message
	StateRetrying  = "retrying"  // not delivered yet; the agent tries again
	// not delivered yet; an operator must fix something first, and the agent tries again from time to time
	StateRefused  = "refused"
	StateSetAside = "set aside" // the cloud has rejected this message, which is a dead letter now
	StateDropped  = "dropped"   // the message was deleted, or the row is about a gap
)

// TriggerStates lists the states of a trigger.
func TriggerStates() []string {
	return []string{StateDelivered, StateRetrying, StateRefused, StateSetAside, StateDropped}
}

// TriggerQuery selects rows of the trigger log. The zero value of a field selects all rows.
type TriggerQuery struct {
	Integration string    // id
	Object      string    // name, or a pattern: * matches any characters
	Success     *bool     // rows about gaps have false
	State       string    // one of TriggerStates
	From, To    time.Time // limits of CompletedAt: From or later, and before To
	Gaps        bool      // only rows about gaps
	Limit       int       // 1 to 500 rows; 0: 50
	Before      uint64    // only rows with a smaller id; 0: the newest rows
}

// Trigger is one publication as GET /api/v1/triggers lists it.
type Trigger struct {
	ID            uint64 `json:"id"`
	IntegrationID string `json:"integration_id"`
	Success       bool   `json:"success"`
	State         string `json:"state"` // one of TriggerStates
	// time of the next attempt, UTC, milliseconds; null: there will be none, or it is not known
	NextAttemptAt   *string         `json:"next_attempt_at"`
	NextAttemptInS  *float64        `json:"next_attempt_in_s"` // seconds until then, monotonic
	CompletedAt     string          `json:"completed_at"`      // UTC, milliseconds
	AgeS            *int64          `json:"age_s"`             // seconds since then; null: the clock was wrong then
	PublishedData   json.RawMessage `json:"published_data"`    // the message as it was sent; null in a row about a gap
	IntegrationData Answer          `json:"integration_data"`
	Topic           string          `json:"topic"` // topic at the time of the publication
	Attempts        int             `json:"attempts"`
	Replayed        bool            `json:"replayed,omitempty"` // sent again by a replay
	Gap             *Gap            `json:"gap,omitempty"`      // the missing samples of a row about a gap
}

// TriggerDetail is the answer of GET /api/v1/triggers/{id}: one row with all its details. In a row about a gap the
// fields of the sample are "" or null.
type TriggerDetail struct {
	Trigger
	Integration string          `json:"integration"` // name of the integration, or its id if it has no name
	Type        string          `json:"type"`        // aws | gcp; "": the integration is no longer configured
	Code        string          `json:"code"`        // kind of problem that prevents the delivery; "": none
	Title       string          `json:"title"`       // title of this problem; "": none
	Remedy      string          `json:"remedy"`      // remedy of this problem; "": none
	CanPublish  bool            `json:"can_publish"` // the sample can be published again
	WhyNot      string          `json:"why_not"`     // why it cannot be published again; "": it can
	SampleID    string          `json:"sample_id"`
	SampledAt   *string         `json:"sampled_at"`   // UTC, whole seconds
	PublishedAt *string         `json:"published_at"` // time of the last attempt, UTC, milliseconds
	Line        string          `json:"line"`
	UnitID      int             `json:"unit_id"`
	Slave       string          `json:"slave"`
	Object      string          `json:"object"`
	Value       json.RawMessage `json:"value"` // a number, a string, true, false, a list of strings; null: a gap
	Unit        string          `json:"unit"`  // unit of the value, "V"; "": none or not known
}

// Answer is the answer of the cloud: a message id, or an error.
type Answer struct {
	Device    string `json:"device"`
	MessageID string `json:"messageId,omitempty"`
	Error     string `json:"error,omitempty"`
}

// Triggers is the answer to one query: rows, the newest first. A page may have fewer rows than the limit, or none,
// although there are more. If there are more, `next` has the id to pass as `before` for the next page.
type Triggers struct {
	Triggers []Trigger `json:"triggers"`
	Next     *uint64   `json:"next"` // null: there are no older rows
}
