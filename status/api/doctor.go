package api

// Level says how much a finding of doctor matters.
type Level string

// The levels. Only a fault makes the command fail.
const (
	LevelOK      Level = "ok"
	LevelWarning Level = "warning"
	LevelFault   Level = "fault"
)

// Finding is one line of a diagnosis. Why and Command are empty if Level is ok.
type Finding struct {
	ID       string `json:"id"` // stable; the same code as in the table of problems, if there is one
	Level    Level  `json:"level"`
	Subject  string `json:"subject,omitempty"` // a line, an integration; "" for the gateway
	Evidence string `json:"evidence"`          // the observation
	Why      string `json:"why,omitempty"`     // why it matters
	Command  string `json:"command,omitempty"` // to paste into a shell
}

// Diagnosis is the answer of GET /api/v1/doctor, and the JSON of `noi-agent doctor --json`.
type Diagnosis struct {
	Findings []Finding `json:"findings"`
	Skipped  []string  `json:"skipped"` // ids of checks that were skipped because a check before them failed
	Faults   int       `json:"faults"`
	Warnings int       `json:"warnings"`
	Verdict  string    `json:"verdict"` // one sentence
}
