package agent

import (
	"fmt"
	"noi-agent/status/api"
	"slices"
)

// Sentence says in one line how the agent is: the worst problem, or that there is none. systemd shows it as the unit's
// status.
func (a *Agent) Sentence() string {
	s := a.Status()
	if len(s.Problems) == 0 {
		return fmt.Sprintf("no problems; %s, %s", counted(len(s.Lines), "line"),
			counted(len(s.Integrations), "integration"))
	}
	rank := []api.Severity{api.Fault, api.Warning, api.Notice}
	worst := slices.MinFunc(s.Problems, func(a, b api.Problem) int {
		return slices.Index(rank, a.Severity) - slices.Index(rank, b.Severity)
	})
	text := fmt.Sprintf("%s: %s (%s, %s)", worst.Severity, worst.Title, worst.Subject, worst.Code)
	if more := len(s.Problems) - 1; more > 0 {
		text += "; and " + counted(more, "more problem")
	}
	return text
}

// counted is "1 line" or "2 lines".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
