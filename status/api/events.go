package api

import "time"

// The names of the events of GET /api/v1/events, except "resync". "resync" has no content: the client must fetch
// everything again, because it may have missed events.
const (
	EventHello   = "hello"   // Hello, once, at the begin of a stream
	EventStatus  = "status"  // Status, when a state has changed, and else every ten seconds
	EventProblem = "problem" // Problems, when one has come or gone
	EventValues  = "values"  // Objects, but only those with a new value; at most one event a second
	EventTrigger = "trigger" // Trigger, a row that is new or has changed
	EventLog     = "log"     // LogLine
)

// Hello names the agent that sends the events.
type Hello struct {
	Version  string    `json:"version"`
	BootID   string    `json:"boot_id"`
	Now      time.Time `json:"now"` // UTC, milliseconds
	DeviceID string    `json:"device_id"`
}

// Problems is everything that is wrong now.
type Problems struct {
	Problems []Problem `json:"problems"`
}
