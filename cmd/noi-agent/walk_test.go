package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWalkOfASampleIsTrue compares the table of a sample's way in docs/architecture.md with the code: each file
// exists and has its function, and the way is short.
func TestWalkOfASampleIsTrue(t *testing.T) {
	steps := walkUnder(t, "### The same, file by file")
	if len(steps) < 15 || len(steps) > 22 {
		t.Errorf("the walk has %d files, want 15 to 22", len(steps))
	}
	for _, step := range steps {
		step.check(t, `(?m)^func (\([^)]*\) )?`+step.name+`\(`)
	}
}

// TestWalkOfAConfigurationKeyIsTrue: each file in the table of a key's way has the function or the field.
func TestWalkOfAConfigurationKeyIsTrue(t *testing.T) {
	steps := walkUnder(t, "## The way of a configuration key")
	if len(steps) < 5 {
		t.Errorf("the walk has %d files", len(steps))
	}
	for _, step := range steps {
		step.check(t, `(?m)^func (\([^)]*\) )?`+step.name+`\(|\b`+step.name+`(:| +[\w*.]+ +`+"`"+`)`)
	}
}

// TestFilesOfTheArchitectureExist: each Go file and package that docs/architecture.md names exists.
func TestFilesOfTheArchitectureExist(t *testing.T) {
	for _, file := range regexp.MustCompile("`([\\w-]+(/[\\w-]+)+(\\.\\w+)?)`").FindAllStringSubmatch(architecture(t), -1) {
		if found, err := filepath.Glob(filepath.Join("..", "..", file[1])); err != nil || len(found) == 0 {
			t.Errorf("the document names %s, which does not exist", file[1])
		}
	}
}

// walkStep is one row of a walk.
type walkStep struct{ file, name string }

// walkUnder returns the rows of the table under a heading of the document.
func walkUnder(t *testing.T, heading string) (steps []walkStep) {
	t.Helper()
	_, section, _ := strings.Cut(architecture(t), heading+"\n")
	section, _, _ = strings.Cut(section, "\n#")
	row := regexp.MustCompile("(?m)^\\| [^|`]+ \\| `([a-z_/]+\\.go)` \\| `(\\w+)` \\|$")
	for _, found := range row.FindAllStringSubmatch(section, -1) {
		steps = append(steps, walkStep{found[1], found[2]})
	}
	return steps
}

// check searches the pattern in the file.
func (s walkStep) check(t *testing.T, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(readText(t, filepath.Join("..", "..", s.file))) {
		t.Errorf("%s has no %s", s.file, s.name)
	}
}
