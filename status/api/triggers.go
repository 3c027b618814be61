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

// Trigger is one publication as GET /api/v1/triggers lists it (DESIGN §5).
type Trigger struct {
	ID              uint64          `json:"id"`
	IntegrationID   string          `json:"integration_id"`
	Success         bool            `json:"success"`
	CompletedAt     string          `json:"completed_at"`   // UTC, milliseconds
	PublishedData   json.RawMessage `json:"published_data"` // the message as it was sent; null in a row about a gap
	IntegrationData Answer          `json:"integration_data"`
	Topic           string          `json:"topic"` // as it was then
	Attempts        int             `json:"attempts"`
	Replayed        bool            `json:"replayed,omitempty"` // sent again because somebody asked for a replay
	Gap             *Gap            `json:"gap,omitempty"`      // of a row about samples that are missing
}

// Answer is what the cloud said: a message id, or an error.
type Answer struct {
	Device    string `json:"device"`
	MessageID string `json:"messageId,omitempty"`
	Error     string `json:"error,omitempty"`
}

// Triggers is the answer to one query: rows, newest first, and the id to pass as `before` for older ones.
type Triggers struct {
	Triggers []Trigger `json:"triggers"`
	Next     *uint64   `json:"next"` // null at the end
}
