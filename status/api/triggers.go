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
	Rejected  uint64     `json:"rejected"`             // samples that it will not take
	Damaged   uint64     `json:"damaged"`              // records of the outbox that did not read
	SampledAt *time.Time `json:"sampled_at,omitempty"` // of the last sample that was sent; UTC, whole seconds
	Error     string     `json:"error,omitempty"`      // of the last attempt, while the cloud does not take any
}

// States of a trigger.
const (
	StateDelivered = "delivered" // the cloud has it
	StateRetrying  = "retrying"  // not yet; the agent tries again by itself
	// not yet; the cloud refuses it until an operator has done something, and is asked again
	StateRefused  = "refused"
	StateSetAside = "set aside" // the cloud rejects this one message: a dead letter
	StateDropped  = "dropped"   // it never arrives: given up, or the row of a gap
)

// TriggerStates lists them.
func TriggerStates() []string {
	return []string{StateDelivered, StateRetrying, StateRefused, StateSetAside, StateDropped}
}

// TriggerQuery says which rows of the trigger log are asked for. The zero value of each filter is no filter.
type TriggerQuery struct {
	Integration string    // id
	Object      string    // name, or a pattern: * stands for any letters
	Success     *bool     // rows about gaps count as no success
	State       string    // one of TriggerStates
	From, To    time.Time // CompletedAt: From at the earliest, before To
	Gaps        bool      // only rows about gaps
	Limit       int       // 1 to 500 rows; 0: 50
	Before      uint64    // only rows with a smaller id; 0: from the newest on
}

// Trigger is one publication as GET /api/v1/triggers lists it.
type Trigger struct {
	ID            uint64 `json:"id"`
	IntegrationID string `json:"integration_id"`
	Success       bool   `json:"success"`
	State         string `json:"state"` // one of TriggerStates
	// while it is retried: UTC, milliseconds; else, or not known: null
	NextAttemptAt   *string         `json:"next_attempt_at"`
	NextAttemptInS  *float64        `json:"next_attempt_in_s"` // seconds until then, monotonic
	CompletedAt     string          `json:"completed_at"`      // UTC, milliseconds
	AgeS            *int64          `json:"age_s"`             // seconds since then; null: the clock was wrong then
	PublishedData   json.RawMessage `json:"published_data"`    // the message as it was sent; null in a row about a gap
	IntegrationData Answer          `json:"integration_data"`
	Topic           string          `json:"topic"` // as it was then
	Attempts        int             `json:"attempts"`
	Replayed        bool            `json:"replayed,omitempty"` // sent again by a replay
	Gap             *Gap            `json:"gap,omitempty"`      // of a row about samples that are missing
}

// TriggerDetail is one row with all that is known of it, as GET /api/v1/triggers/{id} answers. In a row about a gap the
// sample is missing: "" and null.
type TriggerDetail struct {
	Trigger
	Integration string          `json:"integration"` // its name; its id when it has none
	Type        string          `json:"type"`        // aws | gcp; "": the integration is no longer configured
	Code        string          `json:"code"`        // of the kind of problem that keeps it back; "": none
	Title       string          `json:"title"`       // the same in words
	Remedy      string          `json:"remedy"`      // what to do; "": nothing
	CanPublish  bool            `json:"can_publish"` // it can be published again
	WhyNot      string          `json:"why_not"`     // else: the reason
	SampleID    string          `json:"sample_id"`
	SampledAt   *string         `json:"sampled_at"`   // UTC, whole seconds
	PublishedAt *string         `json:"published_at"` // of the last attempt: UTC, milliseconds
	Line        string          `json:"line"`
	UnitID      int             `json:"unit_id"`
	Slave       string          `json:"slave"`
	Object      string          `json:"object"`
	Value       json.RawMessage `json:"value"` // a number, a string, true, false, or a list of strings
	Unit        string          `json:"unit"`  // of the value: "V"
}

// Answer is what the cloud said: a message id, or an error.
type Answer struct {
	Device    string `json:"device"`
	MessageID string `json:"messageId,omitempty"`
	Error     string `json:"error,omitempty"`
}

// Triggers is the answer to one query: rows, newest first, and the id to pass as `before` for older ones. Where most
// rows do not match, a page may have fewer than the limit, even none, though there are more: Next says so.
type Triggers struct {
	Triggers []Trigger `json:"triggers"`
	Next     *uint64   `json:"next"` // null at the end
}
