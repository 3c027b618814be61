package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/status/api"
)

// symptom is the first thing that a person sees, and the kinds of problems that may cause it.
type symptom struct {
	title string
	of    func(k api.Kind) bool
}

// symptoms are the chapters of the document. A kind belongs to the first one that fits.
func symptoms() []symptom {
	code := func(parts ...string) func(api.Kind) bool {
		return func(k api.Kind) bool {
			return slices.ContainsFunc(parts, func(part string) bool { return strings.HasPrefix(k.Code, part) })
		}
	}
	return []symptom{
		{"No value comes from a line", code("line_down", "line_port_", "line_silent", "line_garbled", "gateway_")},
		{"A controller does not answer as it should", code("slave_silent", "slave_garbled", "slave_late", "slave_transaction",
			"slave_other", "slave_wrong_length", "slave_refusing", "line_shared", "line_collides", "line_noisy", "line_unanswered")},
		{"A controller is not sampled, or not all of it", code("slave_", "object_", "line_overrun")},
		{"A controller reports a fault", code("controller_")},
		{"No message arrives in the cloud", code("integration_", "clock_wrong")},
		{"Some messages do not arrive in the cloud", code("dead_letters", "kinds_")},
		{"Samples are missing, or soon will be", code("samples_", "outbox_", "store_")},
		{"Times look wrong", code("clock_")},
		{"A change of the configuration does nothing", code("config_", "restart_", "integrations_")},
		{"Something else", func(api.Kind) bool { return true }},
	}
}

// asWritten returns a text of the table with words in place of its placeholders.
func asWritten(text string) string {
	return strings.NewReplacer("{name}", "NAME", "{cloud}", "AWS or Google", "{type}", "aws|gcp", "{holder}", "Another program",
		"{alarm}", "a fault or an alarm", "{messages}", "Messages", "{n}", "N", "{day}", "the day that the title gives", "{id}", "ID").Replace(text)
}

// TestTroubleshootingIsTheTableOfProblems: docs/troubleshooting.md is generated from the table of all problems.
func TestTroubleshootingIsTheTableOfProblems(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Troubleshooting

The page and ` + "`noi-agent status`" + ` show the title of each problem. ` + "`noi-agent status --verbose`, `noi-agent doctor`" + `, the log
and ` + "`/metrics` (`noi_problem`)" + ` also give its code. Search this document for the code or for words of the title, or begin
with the heading that fits. In the titles, NAME is the name of your line, controller or integration. This document is
made from the table in ` + "`status/api/catalogue.go`" + `; a test keeps it current.

A **fault** stops data. A **warning** may stop data later. A **notice** is worth knowing. *Effect on data* is *none*,
*delayed* (the samples wait and are sent later), or *lost* (the missing samples are reported as gaps).
`)
	kinds := api.Kinds()
	written := map[string]bool{}
	for _, s := range symptoms() {
		begun := false
		for i, k := range kinds {
			if written[k.Code] || !s.of(k) {
				continue
			}
			if written[k.Code] = true; !begun {
				begun = true
				fmt.Fprintf(&b, "\n## %s\n", s.title)
			}
			writeKind(&b, kinds[i:])
		}
	}
	clitest.Renewed(t, filepath.Join("..", "..", "docs", "troubleshooting.md"), []byte(b.String()))
}

// writeKind writes the section of a code: the first kind, and the others of the same code.
func writeKind(b *strings.Builder, kinds []api.Kind) {
	k := kinds[0]
	fmt.Fprintf(b, "\n### `%s`\n", k.Code)
	for _, same := range kinds {
		if same.Code == k.Code {
			fmt.Fprintf(b, "\n**%s.** %s, effect on data: %s.\n\n%s\n", asWritten(same.Title), same.Severity, same.Effect,
				wrapped(asWritten(same.Remedy), 120))
		}
	}
	var notes []string
	if k.VisibleAfter > 0 {
		notes = append(notes, fmt.Sprintf("It is shown after it has lasted for %d seconds.", int(k.VisibleAfter.Seconds())))
	}
	if len(k.DependsOn) > 0 {
		notes = append(notes, "It is not shown while one of these problems exists, because they explain it: "+explained(k.DependsOn)+".")
	}
	if len(notes) > 0 {
		fmt.Fprintf(b, "\n%s\n", wrapped(strings.Join(notes, " "), 120))
	}
}

// explained lists the codes that explain a problem. The codes of a dead line come first in nearly every list: they are
// written with a star.
func explained(codes []string) string {
	text := "`" + strings.Join(codes, "`, `") + "`"
	dead := "`line_down`, `line_port_missing`, `line_port_denied`, `line_port_busy`, `gateway_refuses`, `gateway_unreachable`, `gateway_fails`"
	return strings.Replace(text, dead, "`line_down`, `line_port_*`, `gateway_*`", 1)
}

// TestTheTableOfProblemsIsComplete: each kind has all its texts. Kinds with one code differ only in texts. A kind
// that includes others comes before them.
func TestTheTableOfProblemsIsComplete(t *testing.T) {
	kinds := api.Kinds()
	for i, k := range kinds {
		if k.Title == "" || k.Remedy == "" || k.Severity == "" || k.Effect == "" || !strings.HasPrefix(k.Href, "/") {
			t.Errorf("%s lacks a title, severity, effect, remedy or href", k.Code)
		}
		if rest := asWritten(k.Title + k.Remedy + k.Href); strings.ContainsAny(rest, "{}") {
			t.Errorf("%s has a placeholder that is not filled: %s", k.Code, rest)
		}
		first := kinds[slices.IndexFunc(kinds, func(o api.Kind) bool { return o.Code == k.Code })]
		if k.VisibleAfter != first.VisibleAfter || cmp.Compare(k.Severity, first.Severity) != 0 || !slices.Equal(k.DependsOn, first.DependsOn) {
			t.Errorf("two kinds of the code %s are shown by different rules", k.Code)
		}
		for _, by := range k.DependsOn {
			if at := slices.IndexFunc(kinds, func(o api.Kind) bool { return o.Code == by }); at < 0 || at >= i {
				t.Errorf("%s depends on %s, which is at place %d", k.Code, by, at)
			}
		}
	}
}

// wrapped wraps a text at so many characters.
func wrapped(text string, most int) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > most {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n")
}
