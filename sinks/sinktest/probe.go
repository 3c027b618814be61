package sinktest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"noi-agent/sinks"
)

// Probe runs a sink's probe. It returns the steps as lines, "name verdict text", and the remedies by name. Only a
// failed step has a remedy, and no step may show a secret.
func Probe(
	t *testing.T, probe func(context.Context, func(sinks.Step)) bool, secrets ...string,
) (lines []string, remedies map[string]string, ok bool) {
	t.Helper()
	remedies = map[string]string{}
	ok = probe(t.Context(), func(s sinks.Step) {
		lines = append(lines, fmt.Sprintf("%s %s %s", s.Name, s.Verdict, s.Text))
		remedies[s.Name] = s.Remedy
		if (s.Verdict == sinks.StepFailed) != (s.Remedy != "") {
			t.Errorf("%s: verdict %s with remedy %q", s.Name, s.Verdict, s.Remedy)
		}
		for _, secret := range secrets {
			if strings.Contains(s.Text+s.Remedy, secret) {
				t.Errorf("a secret is in %s: %s\n%s", s.Name, s.Text, s.Remedy)
			}
		}
	})
	return lines, remedies, ok
}

// HasLines fails unless there are exactly these lines, by their begins.
func HasLines(t *testing.T, lines []string, want ...string) {
	t.Helper()
	for i, w := range want {
		if i >= len(lines) || !strings.HasPrefix(lines[i], w) {
			t.Errorf("no %q as line %d of:\n%s", w, i+1, strings.Join(lines, "\n"))
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d:\n%s", len(lines), len(want), strings.Join(lines, "\n"))
	}
}
