package sinks

// Verdict is what one step of a probe has come to.
type Verdict string

// The verdicts. Only StepFailed says that a message will not arrive.
const (
	StepOK      Verdict = "ok"
	StepFailed  Verdict = "FAILED"
	StepUnknown Verdict = "unknown" // it could not be looked at, which is no fault: a right that publishing does not need
	StepSkipped Verdict = "skipped" // it was not looked at: an earlier step failed, or there is nothing to look at
)

// Step is one thing that a probe has looked at on the way to a topic.
type Step struct {
	Name    string  `json:"step"` // credentials, endpoint, identity, topic, permission, message
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`   // what was found, or what is wrong in the cloud's words; one line, never a secret
	Remedy  string  `json:"remedy"` // what to do, commands included; "" unless the step failed. May have several lines
}

// Good returns a step that found what a message needs.
func Good(name, text string) Step { return Step{Name: name, Verdict: StepOK, Text: text} }

// Unsure returns a step that could not look.
func Unsure(name, text string) Step { return Step{Name: name, Verdict: StepUnknown, Text: text} }

// Skip returns a step that was not taken, and why.
func Skip(name, text string) Step { return Step{Name: name, Verdict: StepSkipped, Text: text} }

// Bad returns a step that failed, in the words of its result.
func Bad(name string, fault Result, remedy string) Step {
	return Step{Name: name, Verdict: StepFailed, Text: fault.Error(), Remedy: remedy}
}
