package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/status/api"
)

// TestStatusPrintsEveryProblemWhole: `noi-agent status` prints every problem that package agent shows, with title,
// since, effect and remedy.
func TestStatusPrintsEveryProblemWhole(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "agent", "testdata", "golden", "problems.json"))
	if err != nil {
		t.Fatal(err)
	}
	var problems map[string]api.Problem
	if err := json.Unmarshal(text, &problems); err != nil || len(problems) < 40 {
		t.Fatalf("%d problems, %v", len(problems), err)
	}
	for code, p := range problems {
		s := site()
		s.Problems = []api.Problem{p}
		page := pageOf(s, look{width: 80, header: true}, true)
		for _, want := range []string{p.Title, p.Remedy, "since 03:02:00 (18 min)", "code: " + code, "effect on data: " + string(p.Effect)} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %q in\n%s", code, want, page)
			}
		}
		if brief := pageOf(s, look{width: 80, header: true}, false); (p.Severity != api.Notice) != strings.Contains(brief, p.Title) {
			t.Errorf("%s, a %s, in the short page:\n%s", code, p.Severity, brief)
		}
	}
}
