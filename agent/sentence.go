package agent

import (
	"fmt"

	"noi-agent/status/wording"
)

// Sentence returns one line about the state of the agent, with the worst problem. systemd shows it as the unit's
// status.
func (a *Agent) Sentence() string {
	s := a.Status()
	state := wording.StateOf(&s, a.clock.Now())
	text := state.Mark() + " " + state.Text
	if len(s.Problems) > 0 {
		worst := &s.Problems[0]
		text += fmt.Sprintf(" %s (%s, %s)", worst.Title, worst.Subject, worst.Code)
	}
	return text
}
