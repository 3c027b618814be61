package sinks_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/sinks"
)

func TestProbeLeavesOutWhatNeedsAStageThatFailed(t *testing.T) {
	const limit = time.Minute
	stage := func(name string, verdict sinks.Verdict, needs ...string) sinks.Stage {
		return sinks.Stage{Name: name, Needs: needs, Look: func(ctx context.Context) sinks.Step {
			if end, ok := ctx.Deadline(); !ok || time.Until(end) > limit || time.Until(end) < limit/2 {
				t.Errorf("%s has until %v", name, end)
			}
			return sinks.Step{Name: name, Verdict: verdict, Text: "looked at"}
		}}
	}
	for _, c := range []struct {
		name   string
		stages []sinks.Stage
		want   []string
		ok     bool
	}{
		{"all is well, or not known", []sinks.Stage{stage("a", sinks.StepOK), stage("b", sinks.StepUnknown, "a"), stage("c", sinks.StepSkipped), stage("d", sinks.StepOK, "b", "c")},
			[]string{"ok looked at", "unknown looked at", "skipped looked at", "ok looked at"}, true},
		{"two of three", []sinks.Stage{stage("a", sinks.StepFailed), stage("b", sinks.StepOK), stage("c", sinks.StepFailed), stage("d", sinks.StepOK, "a", "b", "c"), stage("e", sinks.StepOK, "b")},
			[]string{"FAILED looked at", "ok looked at", "FAILED looked at", "skipped needs a and c", "ok looked at"}, false},
		{"what needs what was left out", []sinks.Stage{stage("a", sinks.StepFailed), stage("b", sinks.StepOK, "a"), stage("c", sinks.StepOK, "b")},
			[]string{"FAILED looked at", "skipped needs a", "skipped needs b"}, false},
	} {
		var got []string
		ok := sinks.Probe(t.Context(), limit, func(s sinks.Step) { got = append(got, string(s.Verdict)+" "+s.Text) }, c.stages)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%s: ok %t, (-want +got)\n%s", c.name, ok, diff)
		}
	}
}
