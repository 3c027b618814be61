package sinks

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Verdict is the result of one step of a probe.
type Verdict string

// The verdicts. Only StepFailed means that a message will not arrive.
const (
	StepOK     Verdict = "ok"
	StepFailed Verdict = "FAILED"
	// the check could not be made, which is no fault: publishing does not need this permission
	StepUnknown Verdict = "unknown"
	StepSkipped Verdict = "skipped" // the step was not run: an earlier step failed, or there is nothing to check
)

// Step is the result of one check of a probe on the way to a topic.
type Step struct {
	Name    string  `json:"step"` // ca_file, credentials, endpoint, identity, topic, permission, message
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`   // the finding, or the error in the cloud's words; one line, never a secret
	Remedy  string  `json:"remedy"` // the remedy, with commands; "" unless the step failed. May have several lines
}

// Good returns a step that succeeded.
func Good(name, text string) Step {
	return Step{Name: name, Verdict: StepOK, Text: Clean(text, maxText)}
}

// Unsure returns a step whose check could not be made.
func Unsure(name, text string) Step {
	return Step{Name: name, Verdict: StepUnknown, Text: Clean(text, maxText)}
}

// Skip returns a step that was not run, with the reason.
func Skip(name, text string) Step {
	return Step{Name: name, Verdict: StepSkipped, Text: Clean(text, maxText)}
}

// Bad returns a step that failed, with the text of the result.
func Bad(name string, fault Result, remedy string) Step {
	return Step{Name: name, Verdict: StepFailed, Text: fault.Error(), Remedy: remedy}
}

// Stage is a step of a probe before it is run.
type Stage struct {
	Name string
	// names of earlier stages: if one of them failed or was left out, this stage is left out. A stage that skips itself
	// stops no other
	Needs []string
	Look  func(ctx context.Context) Step
}

// Trust returns the first stage of a probe, which reports an unusable ca_file. It returns none for a usable file and
// for "". Without the file neither the endpoint nor a token service can be asked.
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

// Probe runs the stages in their order and reports each step as soon as it is known. limit is the longest time of each
// stage. ok is false if a step failed; a message would then fail too.
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
