package api

import "time"

// Logs is the answer of GET /api/v1/logs: the last lines of the log that match, the oldest first.
type Logs struct {
	Last  uint64    `json:"last"` // the number of the newest line, whether it matches or not; 0: there is none
	Lines []LogLine `json:"lines"`
}

// LogLine is one line of the log. Secrets are not logged.
type LogLine struct {
	N     uint64    `json:"n"`     // counts the lines since the start, from 1
	Time  time.Time `json:"time"`  // UTC, milliseconds, by the clock as it was
	Level string    `json:"level"` // DEBUG | INFO | WARN | ERROR
	Text  string    `json:"text"`  // message and key=value pairs; control characters are escaped
}
