package sinks

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Verdict is what one step of a probe has come to.
type Verdict string

// The verdicts. Only StepFailed says that a message will not arrive.
const (
	StepOK     Verdict = "ok"
	StepFailed Verdict = "FAILED"
	// it could not be looked at, which is no fault: a right that publishing does not need
	StepUnknown Verdict = "unknown"
	StepSkipped Verdict = "skipped" // it was not looked at: an earlier step failed, or there is nothing to look at
)

// Step is one thing that a probe has looked at on the way to a topic.
type Step struct {
	Name    string  `json:"step"` // ca_file, credentials, endpoint, identity, topic, permission, message
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`   // what was found, or what is wrong in the cloud's words; one line, never a secret
	Remedy  string  `json:"remedy"` // what to do, commands included; "" unless the step failed. May have several lines
}

// Good returns a step that found what a message needs.
func Good(name, text string) Step {
	return Step{Name: name, Verdict: StepOK, Text: Clean(text, maxText)}
}

// Unsure returns a step that could not look.
func Unsure(name, text string) Step {
	return Step{Name: name, Verdict: StepUnknown, Text: Clean(text, maxText)}
}

// Skip returns a step that was not taken, and why.
func Skip(name, text string) Step {
	return Step{Name: name, Verdict: StepSkipped, Text: Clean(text, maxText)}
}

// Bad returns a step that failed, in the words of its result.
func Bad(name string, fault Result, remedy string) Step {
	return Step{Name: name, Verdict: StepFailed, Text: fault.Error(), Remedy: remedy}
}

// Stage is a step of a probe that is still to be taken.
type Stage struct {
	Name string
	// names of stages before it: it is left out where one of them failed or was left out. A stage that skips itself
	// stops none
	Needs []string
	Look  func(ctx context.Context) Step
}

// Trust is the stage before all others that reports a ca_file of no use; none for one that is, and for "". Without the
// file neither the endpoint nor a token service can be asked, whatever the credentials are.
func Trust(file string) []Stage {
	_, err := Roots(file)
	if err == nil {
		return nil
	}
	const name = "ca_file"
	return []Stage{{Name: name, Look: func(context.Context) Step {
		return Bad(name, Failed(Wait, CodeCAFile, err.Error()), CAFileRemedy())
	}}}
}

// Probe takes the stages in their order and reports each step as soon as it is known. limit is how long each may take.
// ok is false when one failed, so that a message would fail too.
func Probe(ctx context.Context, limit time.Duration, report func(Step), stages []Stage) (ok bool) {
	var missing []string
	for _, stage := range stages {
		step, there := stage.take(ctx, limit, missing)
		if report(step); !there {
			missing = append(missing, stage.Name)
		}
	}
	return len(missing) == 0
}

func (s *Stage) take(ctx context.Context, limit time.Duration, missing []string) (step Step, there bool) {
	lacks := slices.DeleteFunc(slices.Clone(s.Needs), func(name string) bool { return !slices.Contains(missing, name) })
	if len(lacks) > 0 {
		return Skip(s.Name, "needs "+strings.Join(lacks, " and ")), false
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	step = s.Look(ctx)
	return step, step.Verdict != StepFailed
}
