package api

import "time"

// Severity says how much a problem matters.
type Severity string

// The severities: a fault stops data, a warning may, a notice is worth knowing.
const (
	Fault   Severity = "fault"
	Warning Severity = "warning"
	Notice  Severity = "notice"
)

// Effect says what a problem does to the data.
type Effect string

// The effects.
const (
	None    Effect = "none"
	Delayed Effect = "delayed"
	Lost    Effect = "lost"
)

// Kind is one thing that can be wrong. The table of kinds is the one list of problems; status, page and
// logs all read it.
type Kind struct {
	Code     string
	Severity Severity
	Title    string
	Effect   Effect
	Remedy   string
}

// Problem is one kind that is the case now.
type Problem struct {
	Code     string    `json:"code"`
	Severity Severity  `json:"severity"`
	Subject  string    `json:"subject"` // "rs485", "rs485/1", an integration's id, "agent"
	Since    time.Time `json:"since"`   // wall time
	Title    string    `json:"title"`
	Detail   string    `json:"detail"` // the case at hand, with the error
	Effect   Effect    `json:"effect"`
	Remedy   string    `json:"remedy"`
}

// Of makes a problem of the kind.
func (k Kind) Of(subject string, since time.Time, detail string) Problem {
	return Problem{
		Code: k.Code, Severity: k.Severity, Subject: subject, Since: since.UTC().Truncate(time.Second),
		Title: k.Title, Detail: detail, Effect: k.Effect, Remedy: k.Remedy,
	}
}
