package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/status/api"
)

// TestTroubleshootingIsTheTableOfProblems makes docs/troubleshooting.md of the one table of what can be wrong.
func TestTroubleshootingIsTheTableOfProblems(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Troubleshooting

` + "`noi-agent status`" + `, the page, ` + "`/metrics`" + ` and the log name each problem by its code. Find the code here.
This document is made from the table in ` + "`status/api/catalogue.go`" + `; a test keeps it current.

A **fault** stops data. A **warning** may stop data later. A **notice** is worth knowing. *Effect on data*: none, delayed
(the samples wait and are sent later), or lost (they are reported as gaps).
`)
	kinds := api.Kinds()
	for i, k := range kinds {
		if slices.ContainsFunc(kinds[:i], func(before api.Kind) bool { return before.Code == k.Code }) {
			continue // written with the first one
		}
		fmt.Fprintf(&b, "\n## `%s`\n", k.Code)
		for _, same := range kinds[i:] {
			if same.Code == k.Code {
				fmt.Fprintf(&b, "\n**%s.** %s, effect on data: %s.\n\n%s\n", same.Title, same.Severity, same.Effect,
					wrapped(same.Remedy, 120))
			}
		}
	}
	clitest.Renewed(t, filepath.Join("..", "..", "docs", "troubleshooting.md"), []byte(b.String()))
	for _, k := range kinds {
		if k.Title == "" || k.Remedy == "" || k.Severity == "" || k.Effect == "" {
			t.Errorf("%s lacks a title, severity, effect or remedy", k.Code)
		}
	}
}

// wrapped breaks a text into lines of at most so many characters.
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
