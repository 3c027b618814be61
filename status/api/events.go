package api

import "time"

// The names of the events of GET /api/v1/events, except "resync". "resync" has no content: the client must fetch
// everything again, because it may have missed events.
const (
	EventHello   = "hello"   // has a Hello; sent once, as the first event of a stream
	EventStatus  = "status"  // has a Status; sent when a state has changed, and otherwise every ten seconds
	EventProblem = "problem" // has Problems; sent when a problem has begun or ended
	EventValues  = "values"  // has the Objects with a new value; sent at most once a second
	EventTrigger = "trigger" // has a Trigger that is new or has changed
	EventLog     = "log"     // has a LogLine
)

// Hello names the agent that sends the events.
type Hello struct {
	Version  string    `json:"version"`
	BootID   string    `json:"boot_id"`
	Now      time.Time `json:"now"` // UTC, milliseconds
	DeviceID string    `json:"device_id"`
}

// Problems has all present problems.
type Problems struct {
	Problems []Problem `json:"problems"`
}
