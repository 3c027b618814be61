package main

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// architecture reads docs/architecture.md.
func architecture(t *testing.T) string {
	t.Helper()
	return readText(t, filepath.Join("..", "..", "docs", "architecture.md"))
}

// TestArchitectureHasTheImportTable: the tables of packages in the document allow what the table of the house allows.
func TestArchitectureHasTheImportTable(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| `([a-z0-9/-]+)` \\| .* \\| ([^|]+) \\|$").FindAllStringSubmatch(architecture(t), -1)
	written := map[string]string{}
	for _, row := range rows {
		if _, twice := written[row[1]]; twice {
			t.Errorf("package %s has two rows", row[1])
		}
		written[row[1]] = row[2]
	}
	for name, allowed := range house {
		want := strings.Join(slices.Sorted(slices.Values(allowed)), ", ")
		switch {
		case allowed == nil:
			want = "all"
		case len(allowed) == 0:
			want = "–"
		}
		if written[name] != want {
			t.Errorf("package %s may import %q, the document has %q", name, want, written[name])
		}
	}
	for name := range written {
		if _, known := house[name]; !known {
			t.Errorf("the document has a package %s, which does not exist", name)
		}
	}
}

// TestArchitecturePictureIsTrue: each arrow of the picture is an import in the code.
func TestArchitecturePictureIsTrue(t *testing.T) {
	_, picture, _ := strings.Cut(architecture(t), "```mermaid\nflowchart TD\n")
	picture, _, found := strings.Cut(picture, "```")
	if !found {
		t.Fatal("the document has no picture")
	}
	packages := map[string]string{} // by the name of the node
	for _, node := range regexp.MustCompile(`(\w+)\["([^"]+)"\]`).FindAllStringSubmatch(picture, -1) {
		packages[node[1]] = node[2]
	}
	picture = regexp.MustCompile(`\["[^"]+"\]`).ReplaceAllString(picture, "")
	imports := map[string]bool{} // "importer imported"
	for _, p := range goList(t, "./...") {
		for _, imported := range p.Imports {
			imports[strings.TrimPrefix(p.ImportPath, "noi-agent/")+" "+strings.TrimPrefix(imported, "noi-agent/")] = true
		}
	}
	arrows := 0
	for _, line := range strings.Split(strings.TrimSpace(picture), "\n") {
		ranks := strings.Split(strings.TrimSpace(line), " --> ")
		for i := range len(ranks) - 1 {
			for _, from := range strings.Split(ranks[i], " & ") {
				for _, to := range strings.Split(ranks[i+1], " & ") {
					from, to := packageOf(packages, from), packageOf(packages, to)
					if arrows++; !imports[from+" "+to] {
						t.Errorf("the picture has an arrow from %s to %s, the code has no such import", from, to)
					}
				}
			}
		}
	}
	if arrows < 30 {
		t.Errorf("the picture has only %d arrows: %v", arrows, slices.Sorted(maps.Keys(packages)))
	}
}

// packageOf returns the package of a node of the picture: a node without a text has the name of its package.
func packageOf(packages map[string]string, node string) string {
	if name, ok := packages[node]; ok {
		return name
	}
	return node
}
